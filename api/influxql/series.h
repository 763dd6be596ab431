// Which tables and series a statement means: those with rows.
// Errors:  the store's; limits of the budget.
// Threads: pure functions.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "api/influxql/ast.h"
#include "api/influxql/condition.h"
#include "api/query/budget.h"
#include "storage/engine.h"

namespace varve::influxql {

// The tables of a database that one of `sources` names (none = all), by name. Databases of sources are not looked at.
QueryResult<std::vector<TableInfo>> find_tables(const Engine& engine, std::string_view database,
                                                const std::vector<Source>& sources);

// Calls `each` once for every series with rows that the condition holds for.
QueryResult<void> for_each_series(const Engine& engine, const TableInfo& table, const Condition& condition,
                                  QueryBudget& budget,
                                  const std::function<QueryResult<void>(const SeriesTags&)>& each);

std::vector<std::string> tag_names(const TableInfo& table);  // sorted
std::vector<ColumnInfo> fields(const TableInfo& table);      // the same

}  // namespace varve::influxql
