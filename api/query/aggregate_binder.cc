// The aggregates' part of the binder: calls to aggregates of the plan.
#include <fmt/format.h>

#include "api/query/binder.h"
#include "api/query/operators.h"
#include "api/sql/print.h"

namespace varve {

bool Binder::contains_aggregate(const AstExpr& expr) const {
  if (expr.kind == AstKind::kCall && find_aggregate(expr.name) != nullptr) return true;
  return std::any_of(expr.children.begin(), expr.children.end(),
                     [&](const AstPtr& child) { return contains_aggregate(*child); });
}

QueryResult<ScalarPtr> Binder::bind_aggregate(const AstExpr& expr) {
  const AggregateName& aggregate = *find_aggregate(expr.name);
  const auto slot_of = [&](size_t index) -> ScalarPtr {
    return std::make_unique<SlotScalar>(aggregate_result_type(plan_.aggregates[index].spec), expr.position,
                                        plan_.keys.size() + index);
  };
  VARVE_QUERY_ASSIGN(const size_t index, add_aggregate(expr, aggregate.kind));
  if (expr.name != "spread") return slot_of(index);
  VARVE_QUERY_ASSIGN(const size_t low, add_aggregate(expr, AggregateKind::kMin));
  return bind_arithmetic("-", slot_of(index), slot_of(low), expr.position);
}

QueryResult<size_t> Binder::add_aggregate(const AstExpr& expr, AggregateKind kind) {
  for (size_t i = 0; i < seen_aggregates_.size(); ++i) {
    if (seen_aggregates_[i].kind == kind && same_expression(*seen_aggregates_[i].expr, expr)) return i;
  }
  PlannedAggregate planned;
  AggregateSpec& spec = planned.spec;
  spec.kind = kind;
  spec.position = expr.position;
  const size_t arguments_max = find_aggregate(expr.name)->arguments_max;
  const size_t arguments_min = kind == AggregateKind::kPercentile ? arguments_max : 1;
  const bool count_rows =
      kind == AggregateKind::kCount && (expr.star || expr.children.empty()) && !expr.distinct;
  if (count_rows) {
    spec.kind = AggregateKind::kCountRows;
  } else if (expr.star || expr.children.size() < arguments_min || expr.children.size() > arguments_max) {
    return tl::make_unexpected(wrong_count(expr, arguments_max));
  } else {
    if (expr.distinct && kind != AggregateKind::kCount) {
      return tl::make_unexpected(invalid_query(
          "unsupported", fmt::format("{}(DISTINCT ...) is not available in this version", expr.name),
          expr.position));
    }
    if (expr.distinct) spec.kind = AggregateKind::kCountDistinct;
    VARVE_QUERY_ASSIGN(planned.argument,
                       bind_row(*expr.children[0], "the argument of an aggregate", Aliases::kNo));
    const bool needs_number = kind == AggregateKind::kSum || kind == AggregateKind::kAvg ||
                              kind == AggregateKind::kVariance || kind == AggregateKind::kStddev ||
                              kind == AggregateKind::kPercentile || expr.name == "spread" ||
                              is_step_aggregate(kind);
    SqlType type = planned.argument->type;
    const bool time_spread = expr.name == "spread" && type == SqlType::kTimestamp;
    if (needs_number && !time_spread) {
      if (type == SqlType::kBool || type == SqlType::kNull) type = SqlType::kInt64;
      if (!is_number(type)) {
        return tl::make_unexpected(invalid_query(
            "type_mismatch", fmt::format("{}() needs numbers, found a {}", expr.name, sql_type_name(type)),
            planned.argument->position));
      }
      VARVE_QUERY_ASSIGN(planned.argument, bind_cast(std::move(planned.argument), type));
    }
    spec.argument = planned.argument->type;
    if (kind == AggregateKind::kPercentile) {
      VARVE_QUERY_TRY(add_percentile(expr, spec));
    }
    if (is_step_aggregate(kind) && expr.children.size() > 1) VARVE_QUERY_TRY(add_unit(expr, spec));
  }
  constexpr size_t kShownBytesMax = 80;
  planned.text = sql_text(expr, kShownBytesMax);
  plan_.aggregates.push_back(std::move(planned));
  seen_aggregates_.push_back({&expr, kind});
  return plan_.aggregates.size() - 1;
}

QueryResult<void> Binder::add_percentile(const AstExpr& expr, AggregateSpec& spec) {
  spec.percentile = 50;
  if (expr.name == "median") return {};
  VARVE_QUERY_ASSIGN(ScalarPtr rank, bind_row(*expr.children[1], "the rank of percentile", Aliases::kNo));
  const size_t position = rank->position;
  if (is_number(rank->type)) {
    VARVE_QUERY_ASSIGN(rank, bind_cast(std::move(rank), SqlType::kDouble));
    VARVE_QUERY_ASSIGN(rank, fold(std::move(rank)));
  }
  const ConstantScalar* constant = as_constant(*rank);
  const bool is_rank = constant != nullptr && constant->type == SqlType::kDouble && !constant->is_null();
  spec.percentile = is_rank ? std::get<double>(constant->value()) : -1;
  if (!(spec.percentile >= 0 && spec.percentile <= 100)) {
    return tl::make_unexpected(
        invalid_query("type_mismatch", "the rank of percentile is a constant from 0 to 100", position));
  }
  return {};
}

// rate(x, '1m'): per minute.
QueryResult<void> Binder::add_unit(const AstExpr& expr, AggregateSpec& spec) {
  VARVE_QUERY_ASSIGN(ScalarPtr unit, bind_row(*expr.children[1], "the unit of an aggregate", Aliases::kNo));
  VARVE_QUERY_ASSIGN(unit, literal_as(std::move(unit), SqlType::kInterval));
  const ConstantScalar* constant = as_constant(*unit);
  const bool is_unit = constant != nullptr && constant->type == SqlType::kInterval && !constant->is_null();
  spec.unit_ns = is_unit ? std::get<int64_t>(constant->value()) : 0;
  if (spec.unit_ns > 0) return {};
  return tl::make_unexpected(invalid_query(
      "type_mismatch", fmt::format("the unit of {} is a constant duration such as '1m'", expr.name),
      unit->position));
}

QueryError Binder::wrong_count(const AstExpr& expr, size_t arguments_max) const {
  const bool optional = is_step_aggregate(find_aggregate(expr.name)->kind) && arguments_max > 1;
  const std::string wanted = optional             ? "1 or 2 arguments"
                             : arguments_max == 1 ? "1 argument"
                                                  : "2 arguments";
  return invalid_query("wrong_arguments", fmt::format("{}() takes {}", expr.name, wanted), expr.position,
                       expr.name == "percentile" ? "percentile(x, 95)" : "");
}

}  // namespace varve
