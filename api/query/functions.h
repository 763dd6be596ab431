// Scalar functions by name: argument counts, types, result type and kernel.
//   abs round floor ceil ceiling sqrt ln exp pow power coalesce lower upper length concat now time_bucket date_bin
// `||` is concat_strict: NULL when an operand is NULL, where concat() skips NULLs.
// Errors:  unknown_function with the nearest name, wrong_arguments, type_mismatch, unsupported; with position.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/query/scalar.h"

namespace varve {

struct FunctionCall {
  std::string_view name;  // lower case
  std::vector<ScalarPtr> arguments;
  size_t position = 0;
  int64_t now_ns = 0;  // one moment for the whole statement
};

QueryResult<ScalarPtr> bind_function(FunctionCall call);
std::vector<std::string> function_names();

// time_bucket(width, time [, origin]) and date_bin with its parts visible, for run-wise grouping and statistics.
class BucketScalar : public KernelScalar {
 public:
  BucketScalar(size_t text_position, ScalarPtr time, int64_t width, int64_t origin);
  const int64_t width_ns;
  const int64_t origin_ns;
};

}  // namespace varve
