// The second query engine: SELECTs the native one does not do (joins, CTEs, sub-queries, windows, UNION, VALUES, every
// function of SQLite that only computes) run in a private SQLite in memory, over virtual tables that scan the store.
//   time:    inside, a time is an INTEGER of ns and a bool 0 or 1; see translator.h for how they go in and come out
//   reading: the statement is parsed here first and only SELECT passes; SQLite's authorizer refuses all but reading
//   budget:  deadline and cancel every few thousand steps of SQLite and every block scanned; result rows as natively;
//            memory: all SQLite allocates, temporary files among it, and the copies of rows for joins, up to
//            query.max_memory (memory_count.h)
//   state:   all scans of a table see it as it was when the statement began; system tables, as when it first read them
// Errors:  as the native engine's; ambiguous_column, misplaced_aggregate, sql_error for what SQLite alone can tell.
// Threads: any; one connection for each statement.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "api/query/budget.h"
#include "api/query/system_table.h"

namespace varve {

struct SqliteSelect {
  const std::string& sql;
  const QueryParameters& parameters;
  int64_t now_ns = 0;
  std::span<const SystemTable> system_tables;
  uint64_t rows_max = UINT64_MAX;  // the first ones are enough
};

QueryResult<void> run_in_sqlite(const Engine& engine, const SqliteSelect& select, QueryBudget& budget,
                                ResultSink& sink, QueryStats& stats);
// SQLite's plan of a SELECT, a line for each step, indented by its depth.
QueryResult<std::vector<std::string>> explain_in_sqlite(const Engine& engine, const SqliteSelect& select,
                                                        QueryBudget& budget);

}  // namespace varve
