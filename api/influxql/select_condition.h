// WHERE split in two: the range of time its comparisons with `time` leave, and the rest.
// Ranges are intersected whatever AND or OR stands between them, as InfluxDB does.
// A time is a number of ns, a duration since 1970, 'YYYY-MM-DD[ HH:MM:SS[.fraction]]' on the clock of `zone`, RFC 3339,
// now(), and sums and differences of those with durations.
// Errors:  influxql: invalid operation: time and *influxql.BooleanLiteral are not compatible, and such.
// Threads: pure functions.
#pragma once

#include <optional>

#include "api/influxql/ast.h"
#include "api/query/query_error.h"
#include "api/query/time_zone.h"

namespace varve::influxql {

struct TimeBounds {  // inclusive
  std::optional<int64_t> min;
  std::optional<int64_t> max;
  void narrow(const TimeBounds& other);
};

struct SplitCondition {
  ExprPtr rest;  // null = every row
  TimeBounds time;
};

// What `comparison` leaves of time when one of its sides is `time`; nullopt = neither is.
QueryResult<std::optional<TimeBounds>> time_comparison(const Expr& comparison, int64_t now_ns,
                                                       const TimeZone& zone);
QueryResult<SplitCondition> split_condition(const Expr* condition, int64_t now_ns, const TimeZone& zone);

}  // namespace varve::influxql
