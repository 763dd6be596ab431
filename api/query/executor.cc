#include "api/query/executor.h"

#include <algorithm>

#include "api/query/fill.h"
#include "api/query/grouping.h"
#include "api/query/latest.h"
#include "api/query/row_output.h"
#include "api/query/table_source.h"

namespace varve {
namespace {

enum class GroupedScan { kDone, kTypesChanged, kStatisticsFellShort };

void add_counters(const TableSource& source, QueryStats& stats) {
  stats.rows_scanned += source.counters().rows;
  stats.blocks_decoded += source.counters().blocks_decoded;
  stats.blocks_from_statistics += source.counters().blocks_from_statistics;
  stats.segments += source.counters().segments;
  stats.segments_pruned += source.counters().segments_pruned;
}

// Names and times what has been done since the last step.
class Steps {
 public:
  Steps(const QueryBudget& budget, QueryStats& stats)
      : budget_(budget), stats_(stats), since_(budget.now_ns()) {}
  void done(std::string name, uint64_t rows) {
    const int64_t now = budget_.now_ns();
    stats_.steps.push_back(
        {std::move(name), static_cast<double>(now - since_) / static_cast<double>(kNsPerMs), rows});
    since_ = now;
  }

 private:
  const QueryBudget& budget_;
  QueryStats& stats_;
  int64_t since_;
};

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

// Scans and groups with statistics where they suffice, else without. False: the table's types have changed.
QueryResult<bool> run_groups(const Engine& engine, const SelectPlan& plan, QueryBudget& budget,
                             EvalContext& context, std::optional<Grouping>& grouping, QueryStats& stats) {
  for (bool use_statistics = plan.may_use_statistics;; use_statistics = false) {
    grouping.emplace(plan, budget, context);
    VARVE_QUERY_ASSIGN(const GroupedScan outcome,
                       scan_groups(engine, plan, use_statistics, budget, context, *grouping, stats));
    if (outcome != GroupedScan::kStatisticsFellShort) return outcome == GroupedScan::kDone;
  }
}

QueryResult<bool> execute_grouped(const Engine& engine, const SelectPlan& plan, QueryBudget& budget,
                                  ResultSink& sink, QueryStats& stats) {
  Steps steps(budget, stats);
  EvalContext context(budget);
  std::optional<Grouping> grouping;
  VARVE_QUERY_ASSIGN(const bool types_agree, run_groups(engine, plan, budget, context, grouping, stats));
  if (!types_agree) return false;
  steps.done("scan and group", grouping->groups());
  RowOutput output(plan, budget, sink, context);
  if (plan.fill) {
    Fill fill(plan, budget, context);
    VARVE_QUERY_TRY(grouping->finish([&](const Chunk& groups) { return fill.collect(groups); }));
    stats.approximate = grouping->approximate();
    grouping.reset();
    VARVE_QUERY_ASSIGN(
        const bool still_agree,
        fill.look_back([&](const SelectPlan& before, const Fill::GroupSink& groups) -> QueryResult<bool> {
          std::optional<Grouping> slice;
          VARVE_QUERY_ASSIGN(const bool agree, run_groups(engine, before, budget, context, slice, stats));
          if (agree) VARVE_QUERY_TRY(slice->finish(groups));
          return agree;
        }));
    if (!still_agree) return false;
    if (plan.fill->look_back) steps.done("look back", 0);
    VARVE_QUERY_TRY(output.begin());
    VARVE_QUERY_TRY(fill.finish(output));
  } else {
    VARVE_QUERY_TRY(output.begin());
    VARVE_QUERY_TRY(grouping->finish([&](const Chunk& groups) { return output.push(groups); }));
    stats.approximate = grouping->approximate();
  }
  VARVE_QUERY_TRY(output.finish());
  stats.row_count = output.rows();
  steps.done(plan.fill ? "fill and output" : "output", output.rows());
  return true;
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
  Steps steps(budget, stats);
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
  steps.done("scan", source.counters().rows);
  VARVE_QUERY_TRY(output.finish());
  stats.row_count = output.rows();
  add_counters(source, stats);
  steps.done("output", output.rows());
  return true;
}

QueryResult<bool> execute_latest(const Engine& engine, const SelectPlan& plan, QueryBudget& budget,
                                 ResultSink& sink, QueryStats& stats) {
  Steps steps(budget, stats);
  EvalContext context(budget);
  TableSource source(plan, budget, context);
  LatestRows latest(plan, output_slots(plan), budget);
  VARVE_QUERY_ASSIGN(const bool types_agree, source.open(engine, latest.slots(), false));
  if (!types_agree) return false;
  while (true) {
    VARVE_QUERY_ASSIGN(const TableSource::Step step, source.next());
    if (step == TableSource::Step::kEnd) break;
    VARVE_QUERY_TRY(latest.add(source.rows(), source.series()));
  }
  steps.done("scan", source.counters().rows);
  RowOutput output(plan, budget, sink, context);
  VARVE_QUERY_TRY(output.begin());
  VARVE_QUERY_TRY(latest.finish(output));
  VARVE_QUERY_TRY(output.finish());
  stats.row_count = output.rows();
  add_counters(source, stats);
  steps.done("output", output.rows());
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
    VARVE_QUERY_TRY(grouping.finish([&](const Chunk& groups) { return output.push(groups); }));
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
  if (!plan.latest_by.empty()) return execute_latest(engine, plan, budget, sink, stats);
  return plan.grouped ? execute_grouped(engine, plan, budget, sink, stats)
                      : execute_rows(engine, plan, budget, sink, stats);
}

}  // namespace varve
