// Runs a plan: rows from the store through filter, grouping and output into the sink.
// Errors:  as QueryService::run.
// Threads: the caller's.
#pragma once

#include "api/query/budget.h"
#include "api/query/plan.h"

namespace varve {

// False: the table's types changed between planning and scanning; nothing was handed out, plan again.
QueryResult<bool> execute_plan(const Engine& engine, const SelectPlan& plan, QueryBudget& budget,
                               ResultSink& sink, QueryStats& stats);

}  // namespace varve
