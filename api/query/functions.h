// Scalar functions by name: argument counts, types, result type and kernel.
//   abs round floor ceil ceiling sqrt ln exp pow power coalesce lower upper length concat now time_bucket date_bin
//   date_trunc
// `||` is concat_strict: NULL when an operand is NULL, where concat() skips NULLs.
// Errors:  unknown_function with the nearest name, wrong_arguments, type_mismatch, unsupported; with position.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/query/scalar.h"
#include "api/query/time_buckets.h"

namespace varve {

struct FunctionCall {
  std::string_view name;  // lower case
  std::vector<ScalarPtr> arguments;
  size_t position = 0;
  int64_t now_ns = 0;  // one moment for the whole statement
};

QueryResult<ScalarPtr> bind_function(FunctionCall call);
std::vector<std::string> function_names();

// time_bucket(width, time [, origin] [, zone]), date_bin and date_trunc with their rule visible, for run-wise grouping
// and statistics. Widths, zones and origins: time_buckets.h.
class BucketScalar : public KernelScalar {
 public:
  BucketScalar(size_t text_position, ScalarPtr time, const BucketRule& bucket_rule);
  const BucketRule rule;
};
QueryResult<ScalarPtr> bind_time_bucket(FunctionCall& call);
QueryResult<ScalarPtr> bind_date_trunc(FunctionCall& call);  // ('day', time [, zone])

}  // namespace varve
