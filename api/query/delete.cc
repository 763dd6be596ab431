#include "api/query/delete.h"

#include <fmt/format.h>

#include "api/query/binder.h"
#include "api/query/conjuncts.h"
#include "api/query/operators.h"
#include "api/query/planner.h"
#include "api/query/tag_chunk.h"

namespace varve {
namespace {

// The first slot in `expr` that is not a tag.
const SlotScalar* find_row_slot(const Scalar& expr, const SelectPlan& plan) {
  const SlotScalar* slot = as_slot(expr);
  if (slot != nullptr) return plan.slots[slot->slot].kind == ColumnKind::kTag ? nullptr : slot;
  for (const ScalarPtr& child : expr.children) {
    if (const SlotScalar* found = find_row_slot(*child, plan)) return found;
  }
  return nullptr;
}

QueryError refused_condition(const SlotScalar& slot, const Scalar& conjunct, const SelectPlan& plan) {
  const SlotSource& source = plan.slots[slot.slot];
  if (source.kind == ColumnKind::kField) {
    return invalid_query("delete_condition",
                         fmt::format("DELETE looks at time and tags only; `{}` is a field", source.name),
                         slot.position, "SELECT the times first, then delete by time and tags");
  }
  return invalid_query("delete_condition",
                       "DELETE takes one range of time: comparisons or BETWEEN, joined by AND",
                       conjunct.position, "write one DELETE for each range");
}

// Splits the condition into plan.time and plan.series_filter.
QueryResult<void> split_condition(ScalarPtr where, SelectPlan& plan) {
  std::vector<ScalarPtr> conjuncts;
  collect_conjuncts(std::move(where), conjuncts);
  std::vector<ScalarPtr> of_series;
  for (ScalarPtr& conjunct : conjuncts) {
    if (const ConstantScalar* constant = as_constant(*conjunct)) {
      const bool is_true = !constant->is_null() && std::get<bool>(constant->value());
      if (!is_true) make_empty(plan.time);
      continue;
    }
    if (take_time_bound(*conjunct, plan.time)) continue;
    if (const SlotScalar* slot = find_row_slot(*conjunct, plan)) {
      return tl::make_unexpected(refused_condition(*slot, *conjunct, plan));
    }
    of_series.push_back(std::move(conjunct));
  }
  plan.series_filter = joined(std::move(of_series));
  return {};
}

}  // namespace

QueryResult<DeletedRows> run_delete(Engine& engine, const DeleteStatement& statement,
                                    const QueryParameters& parameters, int64_t now_ns, QueryBudget& budget) {
  VARVE_QUERY_ASSIGN(const TableInfo table, find_table(engine, statement.table));
  SelectPlan plan;
  Binder binder({&table, {}, &parameters, nullptr, now_ns}, plan);
  VARVE_QUERY_ASSIGN(ScalarPtr where, binder.bind_row(*statement.where, "WHERE", Binder::Aliases::kNo));
  VARVE_QUERY_ASSIGN(where, bind_condition(std::move(where)));
  VARVE_QUERY_TRY(split_condition(std::move(where), plan));

  DeleteRequest request;
  request.database = table.database;
  request.table = table.name;
  request.time = plan.time;
  EvalContext context(budget);
  TagChunk tags_chunk(plan.slots);
  uint64_t looked_at = 0;
  if (plan.series_filter) {
    request.series_filter = [&](const SeriesTags& tags) -> Result<bool> {
      if (++looked_at % kSeriesPerCheck == 0) {
        if (auto checked = budget.check(); !checked) context.fail(checked.error());
      }
      const bool passes = !context.failed() && tags_chunk.passes(tags, *plan.series_filter, context);
      if (context.failed()) return invalid_argument(context.error().message);
      return passes;
    };
  }
  VARVE_QUERY_TRY(budget.check());
  const Result<DeleteOutcome> outcome = engine.erase(std::move(request));
  if (context.failed()) return tl::make_unexpected(context.error());
  if (!outcome) return tl::make_unexpected(from_storage(outcome.error()));
  return DeletedRows{outcome->series, plan.time};
}

}  // namespace varve
