#include "api/influxql/select_planned.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/influxql/select_reduce.h"
#include "api/query/executor.h"
#include "api/query/planner.h"
#include "api/sql/ast.h"

namespace varve::influxql {
namespace {

AstPtr node(AstKind kind, std::string name = {}) {
  auto expr = std::make_unique<AstExpr>();
  expr->kind = kind;
  expr->name = std::move(name);
  return expr;
}

AstPtr literal(Value value) {
  AstPtr expr = node(AstKind::kLiteral);
  expr->value = std::move(value);
  return expr;
}

AstPtr column(const std::string& name) {
  AstPtr expr = node(AstKind::kColumn, name);
  expr->quoted = true;
  return expr;
}

AstPtr pair(AstKind kind, AstPtr left, AstPtr right, std::string op = {}) {
  AstPtr expr = node(kind);
  expr->op = std::move(op);
  expr->depth = 1 + std::max(left->depth, right->depth);
  expr->children.push_back(std::move(left));
  expr->children.push_back(std::move(right));
  return expr;
}

AstPtr is_null(const std::string& name, bool negated) {
  AstPtr expr = node(AstKind::kIsNull);
  expr->negated = negated;
  expr->depth = 2;
  expr->children.push_back(column(name));
  return expr;
}

const ColumnInfo* find(const TableInfo& table, const std::string& name, ColumnKind kind) {
  for (const ColumnInfo& info : table.columns) {
    if (info.kind == kind && info.name == name) return &info;
  }
  return nullptr;
}

// The condition in the other language, where an absent tag is NULL and not ''. Null = it has no such form.
class Translator {
 public:
  explicit Translator(const TableInfo& table) : table_(table) {}

  AstPtr translate(const Expr& condition) {
    const Expr& expr = without_parens(condition);
    if (expr.kind != ExprKind::kBinary) return nullptr;
    if (expr.op == "and" || expr.op == "or") {
      AstPtr left = translate(*expr.children[0]);
      AstPtr right = translate(*expr.children[1]);
      if (!left || !right) return nullptr;
      return pair(expr.op == "and" ? AstKind::kAnd : AstKind::kOr, std::move(left), std::move(right));
    }
    const Expr& name = *expr.children[0];
    if (name.kind != ExprKind::kName || name.cast == Cast::kField) return nullptr;
    if (name.cast != Cast::kTag) {
      if (const ColumnInfo* field = find(table_, name.text, ColumnKind::kField))
        return of_field(expr, *field);
    }
    if (find(table_, name.text, ColumnKind::kTag) == nullptr) return nullptr;
    return of_tag(expr, name.text);
  }

 private:
  static AstPtr of_field(const Expr& expr, const ColumnInfo& field) {
    const Expr& value = *expr.children[1];
    const bool numeric = field.type == FieldType::kDouble || field.type == FieldType::kInt64;
    const bool number = value.kind == ExprKind::kNumber || value.kind == ExprKind::kInteger;
    static constexpr std::array<std::string_view, 6> kOps = {"=", "!=", "<", "<=", ">", ">="};
    if (!numeric || !number || std::find(kOps.begin(), kOps.end(), expr.op) == kOps.end()) return nullptr;
    return pair(AstKind::kCompare, column(field.name), literal(value.value),
                expr.op == "!=" ? "<>" : expr.op);
  }

  static AstPtr or_absent(AstPtr expr, const std::string& tag) {
    return pair(AstKind::kOr, is_null(tag, false), std::move(expr));
  }

  static AstPtr of_tag(const Expr& expr, const std::string& tag) {
    const Expr& value = *expr.children[1];
    const bool negated = expr.op == "!=" || expr.op == "!~";
    if (value.kind == ExprKind::kRegex) {
      const auto regex = Regex::compile(value.text);
      if (!regex) return nullptr;  // the row filter says what is wrong with it
      AstPtr match = pair(AstKind::kRegex, column(tag), literal(value.text));
      match->negated = negated;
      return regex->matches("") != negated ? or_absent(std::move(match), tag) : std::move(match);
    }
    if (value.kind != ExprKind::kString || (expr.op != "=" && expr.op != "!=")) return nullptr;
    const auto& text = std::get<std::string>(value.value);
    if (text.empty()) return is_null(tag, negated);
    AstPtr compare = pair(AstKind::kCompare, column(tag), literal(text), negated ? "<>" : "=");
    return negated ? or_absent(std::move(compare), tag) : std::move(compare);
  }

  const TableInfo& table_;
};

bool can_plan(const Expr& call, const ResolvedSelect& select, const TableInfo& table) {
  static constexpr std::array<std::string_view, 6> kPlain = {"count", "sum", "mean", "min", "max", "spread"};
  const Expr& argument = *call.children[0];
  if (argument.kind != ExprKind::kName) return false;
  const ColumnInfo* field = find(table, argument.text, ColumnKind::kField);
  if (field == nullptr || data_type(field->type) != type_of_name(argument)) return false;
  if (call.text == "first" || call.text == "last") {
    // Of rows at the same time the languages choose differently: there must be none.
    const auto grouped = [&](const ColumnInfo& info) {
      return info.kind != ColumnKind::kTag || std::find(select.dimensions.begin(), select.dimensions.end(),
                                                        info.name) != select.dimensions.end();
    };
    return std::all_of(table.columns.begin(), table.columns.end(), grouped);
  }
  if (std::find(kPlain.begin(), kPlain.end(), call.text) == kPlain.end()) return false;
  return call.text == "count" || field->type == FieldType::kDouble || field->type == FieldType::kInt64;
}

// Takes the rows of a plan: the tags, perhaps the bucket, then the aggregates.
class SeriesSink : public varve::ResultSink {
 public:
  SeriesSink(QueryBudget& budget, const ResolvedSelect& select, const TableInfo& table,
             const CallOptions& options, const std::vector<PlannedCall>& calls,
             const std::vector<size_t>& numbers, std::map<TagSet, PlannedSeries>& series)
      : budget_(budget),
        select_(select),
        table_(table),
        options_(options),
        calls_(calls),
        numbers_(numbers),
        series_(series) {}

  bool begin(const std::vector<ResultColumn>&) override { return true; }

  bool rows(const ResultBatch& batch) override {
    budget_.forget_rows(batch.rows);
    const size_t tags = select_.dimensions.size();
    const size_t first = tags + (options_.window.none() ? 0 : 1);
    for (size_t row = 0; row < batch.rows; ++row) {
      PlannedSeries& series = series_of(batch, row);
      CallOptions options = options_;
      options.range = calls_[numbers_.front()].range;
      const Bucket bucket{options.window.none() ? 0 : batch.columns[tags].ints[row], 0};
      const int64_t time = bucket_time(bucket, options);
      for (size_t i = 0; i < numbers_.size(); ++i) {
        const ColumnVector& values = batch.columns[first + i];
        Points& points = series.points[numbers_[i]];
        points.values.type = values.type;
        const bool none =
            !values.is_valid(row) || (calls_[numbers_[i]].call->text == "count" && values.ints[row] == 0);
        if (none) continue;
        points.times.push_back(time);
        points.values.push_from(values, row);
      }
    }
    return true;
  }

 private:
  PlannedSeries& series_of(const ResultBatch& batch, size_t row) {
    TagSet tags;
    for (size_t i = 0; i < select_.dimensions.size(); ++i) {
      const ColumnVector& values = batch.columns[i];
      const bool has = values.type == FieldType::kString && values.is_valid(row);
      tags.emplace_back(select_.dimensions[i], has ? std::string(values.strings[row]) : std::string());
    }
    if (last_ != nullptr && last_->head.tags == tags) return *last_;
    const auto [place, fresh] = series_.try_emplace(tags);
    last_ = &place->second;
    if (fresh) {
      last_->head.name = table_.name;
      last_->head.tags = std::move(tags);
      last_->points.resize(calls_.size());
    }
    return *last_;
  }

  QueryBudget& budget_;
  const ResolvedSelect& select_;
  const TableInfo& table_;
  const CallOptions& options_;
  const std::vector<PlannedCall>& calls_;
  const std::vector<size_t>& numbers_;
  std::map<TagSet, PlannedSeries>& series_;
  PlannedSeries* last_ = nullptr;
};

void add_item(varve::SelectStatement& statement, AstPtr expr) {
  SelectItem& item = statement.items.emplace_back();
  item.expr = std::move(expr);
  item.alias = fmt::format("c{}", statement.items.size());
}

// The statement for calls that read the same range; nullopt when the condition has no form in the other language.
std::optional<varve::SelectStatement> statement_of(const ResolvedSelect& select, const TableInfo& table,
                                                   const std::vector<PlannedCall>& calls,
                                                   const std::vector<size_t>& numbers, const Window& window) {
  varve::SelectStatement statement;
  for (const std::string& tag : select.dimensions) {
    // A name that is no tag groups everything under "", in the other language as a constant.
    if (find(table, tag, ColumnKind::kTag) == nullptr) return std::nullopt;
    add_item(statement, column(tag));
  }
  if (!window.none()) {
    AstPtr bucket = node(AstKind::kCall, "time_bucket");
    bucket->depth = 2;
    const int64_t into = window.offset_ns % window.interval_ns;
    bucket->children.push_back(literal(fmt::format("{}ns", window.interval_ns)));
    bucket->children.push_back(column(std::string(kTimeColumn)));
    bucket->children.push_back(literal(fmt::format("{}ns", into < 0 ? into + window.interval_ns : into)));
    add_item(statement, std::move(bucket));
  }
  for (size_t i = 1; i <= statement.items.size(); ++i) {
    statement.group_by.push_back(literal(static_cast<int64_t>(i)));
  }
  for (const size_t number : numbers) {
    const Expr& call = *calls[number].call;
    AstPtr aggregate = node(AstKind::kCall, call.text == "mean" ? "avg" : call.text);
    aggregate->depth = 2;
    aggregate->children.push_back(column(call.children[0]->text));
    add_item(statement, std::move(aggregate));
  }
  statement.from = TableName{table.database, table.name, {}, 0};
  if (select.condition) {
    statement.where = Translator(table).translate(*select.condition);
    if (!statement.where) return std::nullopt;
  }
  return statement;
}

}  // namespace

QueryResult<std::optional<std::vector<PlannedSeries>>> run_planned(const SelectContext& context,
                                                                   const ResolvedSelect& select,
                                                                   const std::vector<PlannedCall>& calls,
                                                                   const CallOptions& options) {
  constexpr int64_t kWeek = 7 * kNsPerDay;  // the other language's begin on Mondays
  std::optional<std::vector<PlannedSeries>> nothing;
  const Window& window = options.window;
  if (select.sources.size() != 1 || !select.sources[0].table || calls.empty()) return nothing;
  if (select.series_limit > 0 || select.series_offset > 0) return nothing;
  if (!window.none() && (!window.zone.is_utc() || window.interval_ns % kWeek == 0)) return nothing;
  if (window.none() && options.lone_selector) return nothing;
  const TableInfo& table = *select.sources[0].table;
  for (const PlannedCall& call : calls) {
    if (!can_plan(*call.call, select, table)) return nothing;
  }
  std::map<TagSet, PlannedSeries> series;
  std::vector<bool> done(calls.size());
  for (size_t i = 0; i < calls.size(); ++i) {
    if (done[i]) continue;
    std::vector<size_t> numbers;
    for (size_t other = i; other < calls.size(); ++other) {
      if (calls[other].range.min != calls[i].range.min || calls[other].range.max != calls[i].range.max)
        continue;
      numbers.push_back(other);
      done[other] = true;
    }
    const auto statement = statement_of(select, table, calls, numbers, window);
    if (!statement) return nothing;
    auto plan = plan_select(*statement, &table, {}, context.now_ns);
    if (!plan) return nothing;
    plan->time = calls[i].range;
    SeriesSink sink(context.budget, select, table, options, calls, numbers, series);
    QueryStats stats;
    Execution execution;
    VARVE_QUERY_ASSIGN(execution.pin, context.pins->of(context.engine, table.database, table.name));
    auto ran = execute_plan(context.engine, *plan, context.budget, sink, stats, execution);
    if (!ran && ran.error().code == "overflow") return nothing;  // InfluxQL's sums wrap
    if (!ran) return tl::make_unexpected(ran.error());
    if (!*ran) return nothing;
  }
  std::vector<PlannedSeries> sorted;
  for (auto& [tags, one] : series) sorted.push_back(std::move(one));
  return sorted;
}

}  // namespace varve::influxql
