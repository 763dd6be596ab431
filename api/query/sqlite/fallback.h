// When the native engine refuses a statement: whether SQLite may know it, and whose error the user sees if not.
// Threads: any.
#pragma once

#include "api/query/sqlite/sqlite_engine.h"

namespace varve {

// Runs the statement in SQLite when `refusal` is of the kind that means "not mine": syntax, a function, a clause the
// native engine lacks. Else, and when SQLite refuses it too, fails with the error of the engine that understood more.
QueryResult<void> run_after_refusal(QueryError refusal, const Engine& engine, const SqliteSelect& select,
                                    QueryBudget& budget, ResultSink& sink, QueryStats& stats);

}  // namespace varve
