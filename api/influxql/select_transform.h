// Functions of points in their order: derivative difference moving_average cumulative_sum elapsed integral, and
// holt_winters. Nulls are stepped over. Of points at one time derivative and difference take the first.
// Threads: pure functions.
#pragma once

#include "api/influxql/select_points.h"

namespace varve::influxql {

// `input` as it is; the type of the values is that of the answer afterwards. Units come from the call, else the window.
Points transform(const Expr& call, const Points& input, const CallOptions& options);

// Area under the points (trapezes), cut at the bounds of buckets.
Points integrate(const Expr& call, const Points& input, const CallOptions& options);

}  // namespace varve::influxql
