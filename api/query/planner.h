// SELECT and a table's schema to a plan: binds every clause, splits WHERE into time range, series filter and row
// filter, and decides whether block statistics can answer.
//   SAMPLE BY w: the bucket of time is the first key, and the SELECT columns without aggregates are the others. `time`
//     outside aggregates is the bucket's start.
//   FILL(x, ...): one term for all SELECT columns with an aggregate, or one for each in their order. A value is missing
//     where its bucket has no rows and where it is NULL. HAVING is asked before: a group it refuses is a gap, too.
//   LATEST BY tags: of the rows that pass WHERE the last one per combination of the tags' values.
// Errors:  see binder.h; unknown_table (with the nearest name), ambiguous_table.
// Threads: pure functions; the plan borrows nothing from the statement or the table.
#pragma once

#include "api/query/plan.h"
#include "api/sql/ast.h"

namespace varve {

// A bare name means the default database's table, else the only database that has it.
QueryResult<TableInfo> find_table(const Engine& engine, const TableName& name);

// `table` is null for a SELECT without FROM.
QueryResult<SelectPlan> plan_select(const SelectStatement& select, const TableInfo* table,
                                    const QueryParameters& parameters, int64_t now_ns);

// A condition over rows, put into the plan's time range, series filter and row filter.
void split_where(ScalarPtr where, SelectPlan& plan);

}  // namespace varve
