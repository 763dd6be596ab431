// DELETE FROM t WHERE: conditions joined by AND, each either a bound on time (as far as the range is exact) or any
// expression over tags, which is evaluated once a series. Nothing else may appear: fields have no index, and a range of
// time with holes is several deletes.
// Errors:  delete_condition with position and hint; see binder.h and planner.h; the store's (engine.h).
// Threads: pure function.
#pragma once

#include "api/query/budget.h"
#include "api/sql/ast.h"
#include "storage/engine.h"

namespace varve {

struct DeletedRows {
  uint64_t series = 0;  // that matched
  TimeRange time;
};

// Returns when the delete is durable and visible.
QueryResult<DeletedRows> run_delete(Engine& engine, const DeleteStatement& statement,
                                    const QueryParameters& parameters, int64_t now_ns, QueryBudget& budget);

}  // namespace varve
