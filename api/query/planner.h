// SELECT and a table's schema to a plan: binds every clause, splits WHERE into time range, series filter and row
// filter, and decides whether block statistics can answer.
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

}  // namespace varve
