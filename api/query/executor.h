// Runs a plan: rows from the store through filter, grouping and output into the sink.
//   LIMIT with an order by time:   windows from the end the order begins at (time_windows.h)
//   last values of series:         each series from its newest block on, until they are found
//   anything else:                 in parts, by several threads when there is more than one (ordered_parts.h)
// Errors:  as QueryService::run.
// Threads: the caller's, which hands out the rows; helpers of the pool read, filter, group and sort.
#pragma once

#include <functional>

#include "api/query/budget.h"
#include "api/query/plan.h"
#include "api/query/worker_pool.h"

namespace varve {

struct Execution {
  WorkerPool* pool = nullptr;  // null: no help
  // The same plan once more, for a helper: the expressions of a plan serve one thread. Called on the helper's. Empty: no
  // help.
  std::function<QueryResult<SelectPlan>()> plan_again;
  uint64_t part_rows =
      64 << 10;  // a part is over in a millisecond or so, and much longer than handing it over takes
  std::shared_ptr<const TablePin> pin =
      nullptr;  // the state to read; null = as the table is when the scan begins
};

// False: the table's types changed between planning and scanning; nothing was handed out, plan again.
QueryResult<bool> execute_plan(const Engine& engine, const SelectPlan& plan, QueryBudget& budget,
                               ResultSink& sink, QueryStats& stats, const Execution& execution = {});

}  // namespace varve
