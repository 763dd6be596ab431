#include "api/query/explain.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/query/binder.h"
#include "api/query/executor.h"
#include "api/query/operators.h"
#include "api/query/planner.h"
#include "api/sql/print.h"
#include "storage/base/timestamp.h"
#include "storage/base/units.h"

namespace varve {
namespace {

template <class Items, class Text>
std::string list_of(const Items& items, Text text) {
  std::string all;
  for (const auto& item : items) {
    if (!all.empty()) all += ", ";
    all += text(item);
  }
  return all;
}

// The conditions that AND joins, as written.
void collect_written(const AstExpr& expr, std::vector<const AstExpr*>& conditions) {
  if (expr.kind != AstKind::kAnd) {
    conditions.push_back(&expr);
    return;
  }
  for (const AstPtr& child : expr.children) collect_written(*child, conditions);
}

struct Conditions {
  std::string of_series;
  std::string of_rows;
};

// Where each condition of WHERE went: each is planned alone, as the planner does with all of them.
Conditions split_written(const SelectStatement& select, const TableInfo* table,
                         const QueryParameters& parameters, int64_t now_ns) {
  Conditions split;
  if (!select.where) return split;
  std::vector<const AstExpr*> conditions;
  collect_written(*select.where, conditions);
  for (const AstExpr* condition : conditions) {
    SelectPlan alone;
    Binder binder(
        {table, select.from ? select.from->alias : std::string(), &parameters, &select.items, now_ns}, alone);
    auto bound = binder.bind_row(*condition, "WHERE", Binder::Aliases::kYes);
    if (bound) bound = bind_condition(std::move(*bound));
    if (!bound) continue;  // it was bound before, within the whole
    split_where(std::move(*bound), alone);
    std::string* into = alone.row_filter ? &split.of_rows : alone.series_filter ? &split.of_series : nullptr;
    if (into == nullptr) continue;
    if (!into->empty()) *into += " AND ";
    const bool alone_binds = condition->kind != AstKind::kOr;
    *into += alone_binds ? sql_text(*condition) : "(" + sql_text(*condition) + ")";
  }
  return split;
}

std::string time_text(int64_t ns) {
  std::string text;
  append_timestamp(text, ns);
  return text;
}

std::string range_text(const TimeRange& time) {
  if (time.empty()) return "none: the condition is never true";
  const std::string from = time.min == INT64_MIN ? "the beginning" : time_text(time.min);
  const std::string to = time.max == INT64_MAX ? "the end" : time_text(time.max);
  return from + " to " + to;
}

std::string rule_text(const BucketRule& rule) {
  std::string text = rule.months > 0 ? fmt::format("{} month{}", rule.months, rule.months == 1 ? "" : "s")
                                     : format_duration(rule.width_ns);
  if (!rule.zone.is_utc()) text += fmt::format(" in {}", rule.zone.name());
  return text;
}

std::string fill_text(const SelectStatement& select, const SelectPlan& plan) {
  std::string text = "fill " + list_of(select.fill, [](const FillTerm& term) { return sql_text(term); });
  if (plan.fill->look_back) text += fmt::format(", looking back as far as {}", time_text(plan.fill->oldest));
  return text;
}

std::string group_text(const SelectStatement& select, const SelectPlan& plan) {
  std::string keys = list_of(select.group_by, [](const AstPtr& key) { return sql_text(*key); });
  bool by_rows = false;
  for (const GroupKey& key : plan.keys) {
    by_rows |= key.kind == GroupKey::Kind::kRow;
    if (key.kind == GroupKey::Kind::kBucket && select.sample_by) keys = "time";
  }
  if (select.sample_by) {
    for (const SelectItem& item : select.items) {
      if (item.expr &&
          !std::any_of(plan.aggregates.begin(), plan.aggregates.end(),
                       [&](const PlannedAggregate& one) {
                         return sql_text(*item.expr).find(one.text) != std::string::npos;
                       }) &&
          item.text != "time") {
        keys += ", " + sql_text(*item.expr);
      }
    }
  }
  std::string text =
      keys.empty() ? "one group" : "group by " + keys + (by_rows ? " (hashed by row)" : " (by runs)");
  for (const GroupKey& key : plan.keys) {
    if (key.kind == GroupKey::Kind::kBucket) text += ", buckets of " + rule_text(key.bucket);
  }
  const std::string aggregates =
      list_of(plan.aggregates, [](const PlannedAggregate& aggregate) { return aggregate.text; });
  if (!aggregates.empty()) text += ": " + aggregates;
  return text;
}

std::string statistics_text(const SelectPlan& plan) {
  if (plan.may_use_statistics) {
    return plan.latest_by.empty() ? "answer for whole blocks"
                                  : "give the last row of a series where its newest block has no NULL";
  }
  return plan.field_ranges.empty() ? "not used" : "leave out blocks by conditions on fields";
}

std::string order_text(const SelectStatement& select) {
  return "order by " + list_of(select.order_by, [](const OrderItem& item) {
           return sql_text(*item.expr) + (item.descending ? " desc" : "");
         });
}

}  // namespace

std::vector<std::string> plan_lines(const SelectStatement& select, const SelectPlan& plan,
                                    const TableInfo* table, const QueryParameters& parameters,
                                    int64_t now_ns) {
  std::vector<std::string> lines;
  size_t depth = 0;
  const auto stage = [&](std::string text) {
    lines.push_back(std::string(2 * depth++, ' ') + std::move(text));
  };
  const auto detail = [&](std::string text) {
    lines.push_back(std::string(2 * depth, ' ') + std::move(text));
  };
  if (plan.limit || plan.offset > 0) {
    stage(fmt::format("limit {}{}", plan.limit ? fmt::format("{}", *plan.limit) : "none",
                      plan.offset > 0 ? fmt::format(" offset {}", plan.offset) : ""));
  }
  if (!plan.order.empty()) stage(order_text(select));
  if (plan.distinct) stage("distinct");
  stage("output " + list_of(plan.outputs, [](const OutputColumn& output) { return output.name; }));
  if (plan.fill) stage(fill_text(select, plan));
  if (select.having) stage("having " + sql_text(*select.having));
  if (plan.grouped) stage(group_text(select, plan));
  if (!plan.latest_by.empty()) {
    stage("latest row by " + list_of(plan.latest_by, [&](size_t slot) { return plan.slots[slot].name; }));
  }
  if (!plan.has_table) {
    stage("one row");
  } else {
    const Conditions conditions = split_written(select, table, parameters, now_ns);
    stage(fmt::format("scan {}.{}", plan.database, plan.table));
    detail("time: " + range_text(plan.time));
    if (!conditions.of_series.empty()) detail("series filter: " + conditions.of_series);
    if (!conditions.of_rows.empty()) detail("row filter: " + conditions.of_rows);
    detail("fields: " +
           (plan.fields.empty() ? "none" : list_of(plan.fields, [](const auto& name) { return name; })));
    detail("statistics: " + statistics_text(plan));
  }
  lines.emplace_back("engine: native");
  return lines;
}

std::vector<std::string> cost_lines(const QueryStats& stats) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("segments: {} read, {} pruned", stats.segments, stats.segments_pruned));
  lines.push_back(fmt::format("blocks: {} decoded, {} from statistics, {} left out by conditions on fields",
                              stats.blocks_decoded, stats.blocks_from_statistics, stats.blocks_pruned));
  lines.push_back(fmt::format("rows: {} scanned, {} out", stats.rows_scanned, stats.row_count));
  for (const QueryStep& step : stats.steps) {
    lines.push_back(fmt::format("{}: {:.3f} ms, {} rows", step.name, step.elapsed_ms, step.rows));
  }
  for (const std::string& aggregate : stats.approximate) lines.push_back("approximate: " + aggregate);
  return lines;
}

QueryResult<void> give_plan(const std::vector<std::string>& lines, QueryBudget& budget, ResultSink& sink,
                            QueryStats& stats) {
  ResultBatch batch;
  batch.columns.emplace_back(FieldType::kString);
  for (const std::string& line : lines) batch.columns[0].push_string(line);
  batch.rows = lines.size();
  stats.row_count = batch.rows;
  if (!sink.begin({{"plan", ResultType::kString}}) || !sink.rows(batch)) budget.cancel();
  return budget.check();
}

QueryResult<void> run_explain(const Engine& engine, const ExplainStatement& statement,
                              const QueryParameters& parameters, int64_t now_ns, Execution execution,
                              QueryBudget& budget, ResultSink& sink, QueryStats& stats) {
  const SelectStatement& select = statement.select;
  std::optional<TableInfo> table;
  if (select.from) {
    VARVE_QUERY_ASSIGN(table, find_table(engine, *select.from));
  }
  execution.plan_again = [&] { return plan_select(select, table ? &*table : nullptr, parameters, now_ns); };
  VARVE_QUERY_ASSIGN(const SelectPlan plan, execution.plan_again());
  std::vector<std::string> lines = plan_lines(select, plan, table ? &*table : nullptr, parameters, now_ns);
  if (statement.analyze) {
    NoRows nobody;
    VARVE_QUERY_ASSIGN(const bool done, execute_plan(engine, plan, budget, nobody, stats, execution));
    if (!done) {
      return tl::make_unexpected(QueryError{QueryErrorKind::kBusy,
                                            "schema_changing",
                                            "the table's columns have just changed; try again",
                                            std::nullopt,
                                            {}});
    }
    for (std::string& line : cost_lines(stats)) lines.push_back(std::move(line));
  }
  return give_plan(lines, budget, sink, stats);
}

}  // namespace varve
