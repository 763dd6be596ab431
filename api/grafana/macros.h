// Grafana's macros in SQL that people write. Those that Grafana's page has replaced already ($__interval, $__from, $__to
// of a dashboard) are gone when the text comes here; elsewhere (alerting, variables, curl) they are still there.
//   $__timeFilter(column)        column >= $from AND column <= $to; without (column): time
//   $from $to, $__timeFrom() $__timeTo()   the panel's range as times
//   $__from $__to                the same in ms, as Grafana has them
//   $__interval $__interval_ms   the automatic bucket: '30s', 30000; also as the whole of a string
//   $__timeGroup(column, width)  time_bucket(width, column)
//   $__adhocFilters              the ad hoc filters as a condition; true when there are none
// Errors:  bad_request: a macro about time in a request without a range; a macro without its parentheses.
// Threads: pure functions.
#pragma once

#include "api/grafana/request.h"
#include "api/grafana/sql_builder.h"
#include "storage/engine.h"

namespace varve::grafana {

QueryResult<Statement> expand_macros(const Engine& engine, std::string_view sql, const QueryBody& context);

}  // namespace varve::grafana
