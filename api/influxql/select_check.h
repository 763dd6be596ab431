// What InfluxDB 1.x refuses in a SELECT before it looks at any data: which functions go together, their arguments,
// what may stand beside them; sub-queries too.
// Errors:  influxql, in its words.
// Threads: pure functions.
#pragma once

#include "api/influxql/ast.h"
#include "api/query/query_error.h"

namespace varve::influxql {

QueryResult<void> check_select(const SelectStatement& select);

bool is_selector(const Expr& call);
bool is_transformation(std::string_view name);  // derivative, difference ...: of points in their order

}  // namespace varve::influxql
