#include "api/query/planner.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/query/binder.h"
#include "api/query/conjuncts.h"
#include "api/query/functions.h"
#include "api/query/operators.h"
#include "api/sql/text.h"

namespace varve {
namespace {

// Whether every aggregate can be computed from the statistics of whole blocks.
bool statistics_suffice(const SelectPlan& plan) {
  if (!plan.has_table || !plan.grouped || (plan.row_filter && !plan.ranges_are_filter)) return false;
  const bool rows_needed = std::any_of(plan.keys.begin(), plan.keys.end(), [](const GroupKey& key) {
    return key.kind == GroupKey::Kind::kRow || (key.kind == GroupKey::Kind::kBucket &&
                                                !key.bucket.is_fixed());  // statistics know fixed widths only
  });
  if (rows_needed) return false;
  return std::all_of(plan.aggregates.begin(), plan.aggregates.end(), [&](const PlannedAggregate& aggregate) {
    if (!statistics_can_answer(aggregate.spec)) return false;
    if (!aggregate.argument) return true;
    const SlotScalar* slot = as_slot(*aggregate.argument);
    if (slot == nullptr) return false;
    const AggregateKind kind = aggregate.spec.kind;
    switch (plan.slots[slot->slot].kind) {
      case ColumnKind::kField:
        return is_number(aggregate.spec.argument) || kind == AggregateKind::kCount;
      case ColumnKind::kTime:
        return true;
      case ColumnKind::kTag:
        return kind == AggregateKind::kCount;
    }
    return false;
  });
}

bool keys_tell_series_apart(const SelectPlan& plan, const TableInfo& table) {
  return std::all_of(table.columns.begin(), table.columns.end(), [&](const ColumnInfo& column) {
    if (column.kind != ColumnKind::kTag) return true;
    return std::any_of(plan.keys.begin(), plan.keys.end(), [&](const GroupKey& key) {
      const SlotScalar* slot = as_slot(*key.expr);
      return slot != nullptr && plan.slots[slot->slot].kind == ColumnKind::kTag &&
             plan.slots[slot->slot].name == column.name;
    });
  });
}

class SelectPlanner {
 public:
  SelectPlanner(const SelectStatement& select, const TableInfo* table, const QueryParameters& parameters,
                int64_t now_ns)
      : select_(select),
        table_(table),
        binder_({table, select.from ? select.from->alias : std::string(), &parameters, &select.items, now_ns},
                plan_) {}

  QueryResult<SelectPlan> plan() {
    if (table_ != nullptr) {
      plan_.has_table = true;
      plan_.database = table_->database;
      plan_.table = table_->name;
    }
    if (select_.where) {
      VARVE_QUERY_ASSIGN(ScalarPtr where, binder_.bind_row(*select_.where, "WHERE", Binder::Aliases::kYes));
      VARVE_QUERY_ASSIGN(where, bind_condition(std::move(where)));
      split_where(std::move(where), plan_);
    }
    VARVE_QUERY_TRY(check_clauses());
    VARVE_QUERY_TRY(group_by());
    VARVE_QUERY_TRY(begin_fill());
    VARVE_QUERY_TRY(outputs());
    VARVE_QUERY_TRY(fill_terms());
    VARVE_QUERY_TRY(latest_by());
    if (select_.having) {
      VARVE_QUERY_ASSIGN(ScalarPtr having, binder_.bind_group(*select_.having, Binder::Aliases::kYes));
      VARVE_QUERY_ASSIGN(plan_.having, bind_condition(std::move(having)));
    }
    VARVE_QUERY_TRY(order_by());
    VARVE_QUERY_TRY(limit());
    plan_.distinct = select_.distinct;
    if (table_ != nullptr) plan_.one_series_per_group = keys_tell_series_apart(plan_, *table_);
    plan_.may_use_statistics = plan_.latest_by.empty() ? statistics_suffice(plan_) : !plan_.row_filter;
    return std::move(plan_);
  }

 private:
  // An integer literal in GROUP BY or ORDER BY is a position in the list of outputs, from 1.
  static const int64_t* position_of(const AstExpr& expr) {
    return expr.kind == AstKind::kLiteral ? std::get_if<int64_t>(&expr.value) : nullptr;
  }

  tl::unexpected<QueryError> no_position(std::string_view clause, int64_t position, size_t count,
                                         const AstExpr& expr) const {
    return tl::make_unexpected(
        invalid_query("invalid_position",
                      fmt::format("{} {}: SELECT has {} columns", clause, position, count), expr.position));
  }

  QueryResult<void> check_clauses() const {
    const auto refuse = [](std::string message, size_t position, std::string hint) {
      return tl::make_unexpected(
          invalid_query("invalid_clause", std::move(message), position, std::move(hint)));
    };
    if (select_.sample_by && !select_.group_by.empty()) {
      return refuse("SAMPLE BY and GROUP BY do not go together", select_.group_by[0]->position,
                    "SAMPLE BY groups by every SELECT column without an aggregate by itself");
    }
    if (select_.latest_by.empty()) return {};
    const size_t position = select_.latest_by[0]->position;
    if (select_.sample_by || !select_.group_by.empty() || select_.having) {
      return refuse("LATEST BY does not go with GROUP BY or SAMPLE BY", position,
                    "use last(x) with GROUP BY");
    }
    for (const SelectItem& item : select_.items) {
      if (item.expr && binder_.contains_aggregate(*item.expr)) {
        return refuse("LATEST BY gives whole rows, not aggregates", position, "use last(x) with GROUP BY");
      }
    }
    if (table_ == nullptr) return refuse("LATEST BY needs a FROM", position, "");
    return {};
  }

  QueryResult<void> latest_by() {
    for (const AstPtr& expr : select_.latest_by) {
      VARVE_QUERY_ASSIGN(const ScalarPtr tag, binder_.bind_row(*expr, "LATEST BY", Binder::Aliases::kNo));
      const SlotScalar* slot = as_slot(*tag);
      if (slot == nullptr || plan_.slots[slot->slot].kind != ColumnKind::kTag) {
        return tl::make_unexpected(invalid_query("not_a_tag", "LATEST BY takes the names of tags",
                                                 expr->position,
                                                 "of other columns use last(x) with GROUP BY"));
      }
      plan_.latest_by.push_back(slot->slot);
    }
    return {};
  }

  QueryResult<void> group_by() {
    const auto aggregates = [&](const AstPtr& expr) { return expr && binder_.contains_aggregate(*expr); };
    plan_.grouped = !select_.group_by.empty() || select_.having != nullptr || select_.sample_by.has_value() ||
                    std::any_of(select_.items.begin(), select_.items.end(),
                                [&](const SelectItem& item) { return aggregates(item.expr); }) ||
                    std::any_of(select_.order_by.begin(), select_.order_by.end(),
                                [&](const OrderItem& item) { return aggregates(item.expr); });
    for (const AstPtr& key : select_.group_by) {
      const AstExpr* expr = key.get();
      if (const int64_t* position = position_of(*expr)) {
        const auto count = static_cast<int64_t>(select_.items.size());
        if (*position < 1 || *position > count) {
          return no_position("GROUP BY", *position, select_.items.size(), *expr);
        }
        expr = select_.items[static_cast<size_t>(*position - 1)].expr.get();
        if (expr == nullptr) return no_position("GROUP BY", *position, select_.items.size(), *key);
      } else if (expr->kind == AstKind::kColumn && binder_.find_column(expr->name) == nullptr) {
        if (const AstExpr* alias = binder_.find_alias(*expr)) expr = alias;
      }
      VARVE_QUERY_TRY(binder_.add_key(*expr));
    }
    return select_.sample_by ? sample_by() : QueryResult<void>();
  }

  QueryResult<void> sample_by() {
    const size_t position = select_.sample_by->position;
    if (table_ == nullptr) {
      return tl::make_unexpected(invalid_query("invalid_clause", "SAMPLE BY needs a FROM", position));
    }
    VARVE_QUERY_TRY(binder_.add_sample_key(*select_.sample_by));
    bool any_aggregate = false;
    for (const SelectItem& item : select_.items) {
      if (!item.expr) continue;
      const bool aggregate = binder_.contains_aggregate(*item.expr);
      any_aggregate |= aggregate;
      if (!aggregate) VARVE_QUERY_TRY(binder_.add_implied_keys(*item.expr));
    }
    if (any_aggregate) return {};
    return tl::make_unexpected(invalid_query("missing_aggregate", "SAMPLE BY needs an aggregate in SELECT",
                                             position, "SELECT time, avg(x) ... SAMPLE BY 5m"));
  }

  static tl::unexpected<QueryError> refuse_fill(std::string message, size_t position, std::string hint = {}) {
    return tl::make_unexpected(invalid_query("invalid_fill", std::move(message), position, std::move(hint)));
  }

  QueryResult<void> begin_fill() {
    const std::vector<FillTerm>& terms = select_.fill;
    if (terms.empty()) return {};
    size_t buckets = 0;
    for (size_t i = 0; i < plan_.keys.size(); ++i) {
      if (dynamic_cast<const BucketScalar*>(plan_.keys[i].expr.get()) != nullptr) ++buckets;
      if (plan_.keys[i].kind != GroupKey::Kind::kBucket) continue;
      plan_.fill.emplace();
      plan_.fill->bucket_key = i;
    }
    if (!plan_.fill) {
      return refuse_fill("FILL needs a bucket of time", terms[0].position,
                         "GROUP BY time_bucket('5m', time), or SAMPLE BY 5m");
    }
    if (buckets > 1) return refuse_fill("FILL needs one bucket of time, found several", terms[0].position);
    for (const FillTerm& term : terms) {
      if (term.kind != FillTerm::Kind::kNone) continue;
      if (terms.size() > 1)
        return refuse_fill("none stands alone in FILL", term.position, "null leaves a value out");
      plan_.fill.reset();
    }
    return {};
  }

  // What a group expression becomes when gaps are filled: the fill stage's slot, if it has an aggregate in it.
  ScalarPtr filled(ScalarPtr expr) {
    if (!plan_.fill) return expr;
    const std::vector<size_t> slots = expr->slots();
    if (slots.empty() || slots.back() < plan_.keys.size()) return expr;
    auto slot = std::make_unique<SlotScalar>(expr->type, expr->position,
                                             plan_.keys.size() + plan_.fill->items.size());
    plan_.fill->items.push_back({FillItem::Kind::kNull, std::move(expr), {}});
    return slot;
  }

  QueryResult<void> fill_terms() {
    if (!plan_.fill) return {};
    const std::vector<FillTerm>& terms = select_.fill;
    std::vector<FillItem>& items = plan_.fill->items;
    if (items.empty()) return refuse_fill("FILL needs an aggregate in SELECT", terms[0].position);
    if (terms.size() != 1 && terms.size() != items.size()) {
      return refuse_fill(
          fmt::format("FILL has {} values for {} columns with an aggregate", terms.size(), items.size()),
          terms[0].position, "give one value for all, or one for each");
    }
    for (size_t i = 0; i < items.size(); ++i) {
      VARVE_QUERY_TRY(fill_term(terms[terms.size() == 1 ? 0 : i], items[i]));
    }
    return {};
  }

  QueryResult<void> fill_term(const FillTerm& term, FillItem& item) {
    const SqlType type = item.expr->type;
    const auto cannot = [&](std::string_view what) {
      return refuse_fill(fmt::format("FILL: {} for a column of type {}", what, sql_type_name(type)),
                         term.position,
                         select_.fill.size() == 1 ? "give one value for each column with an aggregate" : "");
    };
    switch (term.kind) {
      case FillTerm::Kind::kNone:
      case FillTerm::Kind::kNull:
        return {};
      case FillTerm::Kind::kPrevious:
        item.kind = FillItem::Kind::kPrevious;
        return {};
      case FillTerm::Kind::kLinear:
        if (!is_number(type) && type != SqlType::kTimestamp) return cannot("linear cannot stand");
        item.kind = FillItem::Kind::kLinear;
        return {};
      case FillTerm::Kind::kValue:
        break;
    }
    VARVE_QUERY_ASSIGN(ScalarPtr value, binder_.bind_row(*term.value, "FILL", Binder::Aliases::kNo));
    if (type == SqlType::kTimestamp) {
      VARVE_QUERY_ASSIGN(value, literal_as(std::move(value), SqlType::kTimestamp));
    }
    const bool whole_as_real = type == SqlType::kDouble && value->type == SqlType::kInt64;
    if (whole_as_real) {
      VARVE_QUERY_ASSIGN(value, bind_cast(std::move(value), SqlType::kDouble));
      VARVE_QUERY_ASSIGN(value, fold(std::move(value)));
    }
    const ConstantScalar* constant = as_constant(*value);
    if (constant == nullptr) return refuse_fill("FILL takes constants", term.position);
    if (constant->is_null()) return {};
    if (constant->type != type)
      return cannot(fmt::format("a {} cannot stand", sql_type_name(constant->type)));
    item.kind = FillItem::Kind::kValue;
    item.value = constant->value();
    return {};
  }

  QueryResult<void> star(const SelectItem& item) {
    if (table_ == nullptr) {
      return tl::make_unexpected(invalid_query("sql_syntax", "SELECT * needs a FROM", item.position));
    }
    if (plan_.grouped) {
      return tl::make_unexpected(invalid_query("not_grouped", "SELECT * cannot be grouped", item.position,
                                               "name the columns and aggregates"));
    }
    const bool fits = item.qualifier.empty() || equal_ignoring_case(item.qualifier, table_->name) ||
                      equal_ignoring_case(item.qualifier, select_.from->alias);
    if (!fits) {
      return tl::make_unexpected(invalid_query(
          "unknown_table", fmt::format("no table `{}` in this statement", item.qualifier), item.position));
    }
    for (const ColumnInfo& column : table_->columns) {
      plan_.outputs.push_back({column.name, binder_.column_slot(column, item.position)});
    }
    return {};
  }

  std::string output_name(const SelectItem& item) const {
    if (!item.alias.empty()) return item.alias;
    if (item.expr->kind != AstKind::kColumn) return item.text;
    const ColumnInfo* column = binder_.find_column(item.expr->name);
    const bool same = column != nullptr && equal_ignoring_case(column->name, item.expr->name);
    return same ? column->name : item.expr->name;  // `timestamp` keeps its name
  }

  QueryResult<void> outputs() {
    for (const SelectItem& item : select_.items) {
      item_outputs_.push_back(plan_.outputs.size());
      if (!item.expr) {
        VARVE_QUERY_TRY(star(item));
        continue;
      }
      VARVE_QUERY_ASSIGN(ScalarPtr expr, plan_.grouped
                                             ? binder_.bind_group(*item.expr, Binder::Aliases::kNo)
                                             : binder_.bind_row(*item.expr, "SELECT", Binder::Aliases::kNo));
      plan_.outputs.push_back({output_name(item), filled(std::move(expr))});
    }
    return {};
  }

  // The output an ORDER BY term names: by position, by alias, or by being the same expression.
  QueryResult<std::optional<size_t>> named_output(const AstExpr& expr) const {
    if (const int64_t* position = position_of(expr)) {
      if (*position < 1 || *position > static_cast<int64_t>(plan_.outputs.size())) {
        return no_position("ORDER BY", *position, plan_.outputs.size(), expr);
      }
      return static_cast<size_t>(*position - 1);
    }
    const AstExpr* alias = binder_.find_alias(expr);
    for (size_t i = 0; i < select_.items.size(); ++i) {
      const AstExpr* item = select_.items[i].expr.get();
      if (item == nullptr) continue;
      if (alias == item || (alias == nullptr && binder_.same_expression(*item, expr)))
        return item_outputs_[i];
    }
    return std::nullopt;
  }

  QueryResult<void> order_by() {
    for (const OrderItem& item : select_.order_by) {
      OrderKey key;
      key.descending = item.descending;
      key.nulls_first = item.nulls_first.value_or(!item.descending);
      VARVE_QUERY_ASSIGN(key.output, named_output(*item.expr));
      if (!key.output) {
        VARVE_QUERY_ASSIGN(key.expr, plan_.grouped
                                         ? binder_.bind_group(*item.expr, Binder::Aliases::kYes)
                                         : binder_.bind_row(*item.expr, "ORDER BY", Binder::Aliases::kYes));
        key.expr = filled(std::move(key.expr));
        if (select_.distinct) key.output = star_output(*key.expr);
        if (select_.distinct && !key.output) {
          return tl::make_unexpected(invalid_query(
              "not_selected", "with DISTINCT, ORDER BY can only use selected columns", item.expr->position));
        }
      }
      plan_.order.push_back(std::move(key));
    }
    return {};
  }

  // The output that is just this slot, as * makes them.
  std::optional<size_t> star_output(const Scalar& expr) const {
    const SlotScalar* slot = as_slot(expr);
    for (size_t i = 0; slot != nullptr && i < plan_.outputs.size(); ++i) {
      const SlotScalar* output = as_slot(*plan_.outputs[i].expr);
      if (output != nullptr && output->slot == slot->slot) return i;
    }
    return std::nullopt;
  }

  QueryResult<int64_t> whole_constant(const AstExpr& expr, std::string_view clause) {
    VARVE_QUERY_ASSIGN(const ScalarPtr bound, binder_.bind_row(expr, clause, Binder::Aliases::kNo));
    const ConstantScalar* constant = as_constant(*bound);
    if (constant == nullptr || constant->type != SqlType::kInt64 || constant->is_null()) {
      return tl::make_unexpected(
          invalid_query("type_mismatch", fmt::format("{} needs a whole number", clause), expr.position));
    }
    return std::get<int64_t>(constant->value());
  }

  QueryResult<void> limit() {
    if (select_.limit) {
      VARVE_QUERY_ASSIGN(const int64_t limit, whole_constant(*select_.limit, "LIMIT"));
      if (limit >= 0) plan_.limit = static_cast<uint64_t>(limit);  // a negative one is none, as in SQLite
    }
    if (select_.offset) {
      VARVE_QUERY_ASSIGN(const int64_t offset, whole_constant(*select_.offset, "OFFSET"));
      plan_.offset = static_cast<uint64_t>(std::max<int64_t>(offset, 0));
    }
    return {};
  }

  const SelectStatement& select_;
  const TableInfo* table_;
  SelectPlan plan_;
  Binder binder_;
  std::vector<size_t> item_outputs_;  // first output of each item
};

QueryError unknown_table(const TableName& name, const std::vector<TableInfo>& tables) {
  std::vector<std::string> names;
  for (const TableInfo& table : tables) {
    if (name.database.empty() || name.database == table.database) names.push_back(table.name);
  }
  std::string hint = nearest_hint(name.name, names);
  if (hint.empty()) hint = tables.empty() ? "there are no tables yet" : "SHOW TABLES lists them";
  const std::string shown =
      name.database.empty() ? name.name : fmt::format("{}.{}", name.database, name.name);
  return {QueryErrorKind::kNotFound, "unknown_table", fmt::format("no such table: {}", shown), name.position,
          std::move(hint)};
}

}  // namespace

void split_where(ScalarPtr where, SelectPlan& plan) {
  std::vector<ScalarPtr> conjuncts;
  collect_conjuncts(std::move(where), conjuncts);
  std::vector<ScalarPtr> of_series;
  std::vector<ScalarPtr> of_rows;
  for (ScalarPtr& conjunct : conjuncts) {
    if (const ConstantScalar* constant = as_constant(*conjunct)) {
      const bool is_true = !constant->is_null() && std::get<bool>(constant->value());
      if (!is_true) make_empty(plan.time);
      continue;
    }
    if (take_time_bound(*conjunct, plan.time)) continue;
    const std::vector<size_t> slots = conjunct->slots();
    const bool only_tags = std::all_of(
        slots.begin(), slots.end(), [&](size_t slot) { return plan.slots[slot].kind == ColumnKind::kTag; });
    (only_tags ? of_series : of_rows).push_back(std::move(conjunct));
  }
  plan.ranges_are_filter = true;
  for (const ScalarPtr& conjunct : of_rows) {
    auto range = field_range(*conjunct);
    if (range && plan.slots[range->field].kind == ColumnKind::kField) {
      range->field = plan.slots[range->field].field;
      plan.field_ranges.push_back(*range);
    } else {
      plan.ranges_are_filter = false;
    }
  }
  plan.series_filter = joined(std::move(of_series));
  plan.row_filter = joined(std::move(of_rows));
}

QueryResult<TableInfo> find_table(const Engine& engine, const TableName& name) {
  const std::string database = name.database.empty() ? std::string(kDefaultDatabase) : name.database;
  Result<TableInfo> found = engine.describe(database, name.name);
  if (found) return std::move(*found);
  if (found.error().code != ErrorCode::kNotFound) return tl::make_unexpected(from_storage(found.error()));
  const std::vector<TableInfo> tables = engine.tables();
  // Exact case in other databases first, then any case in any database.
  for (const bool exact : {true, false}) {
    std::vector<const TableInfo*> candidates;
    for (const TableInfo& table : tables) {
      const bool here = name.database.empty() || equal_ignoring_case(table.database, name.database);
      const bool fits = exact ? table.name == name.name : equal_ignoring_case(table.name, name.name);
      if (here && fits) candidates.push_back(&table);
    }
    if (candidates.size() == 1) return *candidates.front();
    if (candidates.empty()) continue;
    std::string list;
    for (const TableInfo* table : candidates) {
      list += fmt::format("{}{}.{}", list.empty() ? "" : ", ", table->database, table->name);
    }
    return tl::make_unexpected(invalid_query("ambiguous_table",
                                             fmt::format("`{}` could be {}", name.name, list), name.position,
                                             "name the database"));
  }
  return tl::make_unexpected(unknown_table(name, tables));
}

QueryResult<SelectPlan> plan_select(const SelectStatement& select, const TableInfo* table,
                                    const QueryParameters& parameters, int64_t now_ns) {
  VARVE_QUERY_ASSIGN(SelectPlan plan, SelectPlanner(select, table, parameters, now_ns).plan());
  if (!plan.fill || plan.time.min == INT64_MIN || plan.time.empty()) return plan;
  const std::vector<FillItem>& items = plan.fill->items;
  const bool looks_back = std::any_of(items.begin(), items.end(), [](const FillItem& item) {
    return item.kind == FillItem::Kind::kPrevious;
  });
  if (!looks_back || table->time_min >= plan.time.min) return plan;
  VARVE_QUERY_ASSIGN(SelectPlan before, SelectPlanner(select, table, parameters, now_ns).plan());
  plan.fill->look_back = std::make_unique<SelectPlan>(std::move(before));
  plan.fill->oldest = table->time_min;
  return plan;
}

}  // namespace varve
