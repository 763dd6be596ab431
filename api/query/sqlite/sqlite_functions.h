// The functions a statement for SQLite may call, and what type each gives: SQLite's own that only compute, and ours.
// What is not in the list cannot be called.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/query/scalar.h"

namespace varve {

enum class FunctionResult {
  kInt,
  kDouble,
  kString,
  kBool,
  kTimestamp,
  kFirst,    // as the first argument
  kThird,    // as the first and third: lag, lead
  kCommon,   // what all arguments have in common
  kRest,     // the same, without the first: iif
  kWhole,    // int of an int, else double
  kSum,      // the same, of numbers only
  kAverage,  // double, of numbers only
  kSpread,   // as the argument; of times a duration
  kUnknown,  // only the values tell
  kNow,
  kBucket,
  kEdge,         // first, last: as the first argument; the time is the second
  kOfOneTable,   // rate and its kin: only natively
};

enum class FunctionArguments { kAny, kText, kDate };  // kText: times and bools are given as text; kDate: times are

struct SqliteFunction {
  std::string_view name;
  FunctionResult result;
  FunctionArguments arguments = FunctionArguments::kAny;
};

const SqliteFunction* find_sqlite_function(std::string_view lower_case_name);
std::vector<std::string> sqlite_function_names();

}  // namespace varve
