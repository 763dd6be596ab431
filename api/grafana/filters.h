// Ad hoc filters as SQL conditions. A row without the column counts as an empty value, as in InfluxQL and Prometheus:
// = < > =~ =| leave it out, != !~ !=| let it pass. The same holds for a table that has no such column.
// Values of numbers, bools and time are read as such; =~ and !~ are regular expressions (RE2) of text, with or without
// slashes around them.
// Errors:  bad_request: a value that is not of the column's type.
// Threads: pure functions.
#pragma once

#include <vector>

#include "api/grafana/request.h"
#include "api/grafana/sql_builder.h"
#include "storage/engine.h"

namespace varve::grafana {

// Appends the conditions joined by AND, in parentheses; "true" when there are none. `table` null: columns are not known,
// so all values are text.
QueryResult<void> append_filters(SqlBuilder& sql, const std::vector<Filter>& filters, const TableInfo* table);

// Null when the table has no such column. Names are equal in any case, the exact one first.
const ColumnInfo* find_column(const TableInfo& table, std::string_view name);

}  // namespace varve::grafana
