// Functions that make one point, or a few, of each bucket's values: aggregates, selectors, top and bottom.
//   count distinct first integral last max mean median min mode percentile sample spread stddev sum top bottom
// Nulls take part in nothing. Of equal values the earliest row is chosen, of equal times the largest value.
// Threads: pure functions but for sample(), which draws from a generator of the thread.
#pragma once

#include "api/influxql/select_points.h"

namespace varve::influxql {

// `values` is the argument's column; `dimensions` are those of the names between the first and the last argument of top
// and bottom.
Points reduce(const Expr& call, const RowSpan& rows, const ColumnVector& values,
              const std::vector<const ColumnVector*>& dimensions, const CallOptions& options);

// The time that stands for a bucket, or for the whole range.
int64_t bucket_time(const Bucket& bucket, const CallOptions& options);

}  // namespace varve::influxql
