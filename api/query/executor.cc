#include "api/query/executor.h"

#include <algorithm>

#include "api/query/grouping.h"
#include "api/query/row_output.h"
#include "api/query/table_source.h"

namespace varve {
namespace {

enum class GroupedScan { kDone, kTypesChanged, kStatisticsFellShort };

void add_counters(const TableSource& source, QueryStats& stats) {
  stats.rows_scanned += source.counters().rows;
  stats.blocks_decoded += source.counters().blocks_decoded;
  stats.blocks_from_statistics += source.counters().blocks_from_statistics;
}

QueryResult<GroupedScan> scan_groups(const Engine& engine, const SelectPlan& plan, bool use_statistics,
                                     QueryBudget& budget, EvalContext& context, Grouping& grouping,
                                     QueryStats& stats) {
  TableSource source(plan, budget, context);
  VARVE_QUERY_ASSIGN(const bool types_agree, source.open(engine, grouping.slots(), use_statistics));
  if (!types_agree) return GroupedScan::kTypesChanged;
  while (true) {
    VARVE_QUERY_ASSIGN(const TableSource::Step step, source.next());
    if (step == TableSource::Step::kEnd) break;
    if (step == TableSource::Step::kRows) {
      VARVE_QUERY_TRY(grouping.add(source.rows(), source.series()));
      continue;
    }
    VARVE_QUERY_ASSIGN(const bool sufficed, grouping.add_block(source.block(), source.series_tags()));
    if (!sufficed) return GroupedScan::kStatisticsFellShort;
  }
  add_counters(source, stats);
  return GroupedScan::kDone;
}

QueryResult<bool> execute_grouped(const Engine& engine, const SelectPlan& plan, QueryBudget& budget,
                                  ResultSink& sink, QueryStats& stats) {
  EvalContext context(budget);
  for (bool use_statistics = plan.may_use_statistics;; use_statistics = false) {
    Grouping grouping(plan, budget, context);
    VARVE_QUERY_ASSIGN(const GroupedScan outcome,
                       scan_groups(engine, plan, use_statistics, budget, context, grouping, stats));
    if (outcome == GroupedScan::kTypesChanged) return false;
    if (outcome == GroupedScan::kStatisticsFellShort) continue;
    RowOutput output(plan, budget, sink, context);
    VARVE_QUERY_TRY(output.begin());
    VARVE_QUERY_TRY(grouping.finish(output));
    VARVE_QUERY_TRY(output.finish());
    stats.row_count = output.rows();
    return true;
  }
}

std::vector<size_t> output_slots(const SelectPlan& plan) {
  std::vector<size_t> slots;
  for (const OutputColumn& output : plan.outputs) output.expr->collect_slots(slots);
  for (const OrderKey& key : plan.order) {
    if (key.expr) key.expr->collect_slots(slots);
  }
  std::sort(slots.begin(), slots.end());
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  return slots;
}

QueryResult<bool> execute_rows(const Engine& engine, const SelectPlan& plan, QueryBudget& budget,
                               ResultSink& sink, QueryStats& stats) {
  EvalContext context(budget);
  TableSource source(plan, budget, context);
  VARVE_QUERY_ASSIGN(const bool types_agree, source.open(engine, output_slots(plan), false));
  if (!types_agree) return false;
  RowOutput output(plan, budget, sink, context);
  VARVE_QUERY_TRY(output.begin());
  bool more = plan.limit != 0U;
  while (more) {
    VARVE_QUERY_ASSIGN(const TableSource::Step step, source.next());
    if (step == TableSource::Step::kEnd) break;
    VARVE_QUERY_ASSIGN(more, output.push(source.rows()));
  }
  VARVE_QUERY_TRY(output.finish());
  stats.row_count = output.rows();
  add_counters(source, stats);
  return true;
}

// SELECT without FROM: one row without columns.
QueryResult<bool> execute_single_row(const SelectPlan& plan, QueryBudget& budget, ResultSink& sink,
                                     QueryStats& stats) {
  EvalContext context(budget);
  RowOutput output(plan, budget, sink, context);
  VARVE_QUERY_TRY(output.begin());
  Chunk chunk{plan.time.empty() ? size_t{0} : size_t{1}, {}};  // WHERE false
  if (plan.grouped) {
    Grouping grouping(plan, budget, context);
    VARVE_QUERY_TRY(grouping.add(chunk, 0));
    VARVE_QUERY_TRY(grouping.finish(output));
  } else {
    VARVE_QUERY_TRY(output.push(chunk));
  }
  VARVE_QUERY_TRY(output.finish());
  stats.row_count = output.rows();
  return true;
}

}  // namespace

QueryResult<bool> execute_plan(const Engine& engine, const SelectPlan& plan, QueryBudget& budget,
                               ResultSink& sink, QueryStats& stats) {
  if (!plan.has_table) return execute_single_row(plan, budget, sink, stats);
  return plan.grouped ? execute_grouped(engine, plan, budget, sink, stats)
                      : execute_rows(engine, plan, budget, sink, stats);
}

}  // namespace varve
