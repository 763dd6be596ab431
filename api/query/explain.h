// EXPLAIN [ANALYZE] of a SELECT: the plan as lines of text, the last stage first and each stage's input indented below
// it; with ANALYZE the statement runs (its rows are dropped) and what it cost follows.
// Errors:  as QueryService::run of the SELECT.
// Threads: the caller's.
#pragma once

#include <string>
#include <vector>

#include "api/query/budget.h"
#include "api/query/executor.h"
#include "api/query/plan.h"
#include "api/sql/ast.h"

namespace varve {

// Hands out rows of one column, `plan`.
QueryResult<void> run_explain(const Engine& engine, const ExplainStatement& statement,
                              const QueryParameters& parameters, int64_t now_ns, Execution execution,
                              QueryBudget& budget, ResultSink& sink, QueryStats& stats);

// The lines of a plan, and of what a run of it cost.
std::vector<std::string> plan_lines(const SelectStatement& select, const SelectPlan& plan,
                                    const TableInfo* table, const QueryParameters& parameters,
                                    int64_t now_ns);
std::vector<std::string> cost_lines(const QueryStats& stats);
// Hands them out as the answer.
QueryResult<void> give_plan(const std::vector<std::string>& lines, QueryBudget& budget, ResultSink& sink,
                            QueryStats& stats);

// Where the rows of a statement that is only measured go.
class NoRows : public ResultSink {
 public:
  bool begin(const std::vector<ResultColumn>&) override { return true; }
  bool rows(const ResultBatch&) override { return true; }
};

}  // namespace varve
