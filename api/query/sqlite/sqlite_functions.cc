#include "api/query/sqlite/sqlite_functions.h"

#include <algorithm>

namespace varve {
namespace {

using R = FunctionResult;
using A = FunctionArguments;

constexpr SqliteFunction kFunctions[] = {
    // numbers
    {"abs", R::kWhole},
    {"acos", R::kDouble},
    {"acosh", R::kDouble},
    {"asin", R::kDouble},
    {"asinh", R::kDouble},
    {"atan", R::kDouble},
    {"atan2", R::kDouble},
    {"atanh", R::kDouble},
    {"ceil", R::kWhole},
    {"ceiling", R::kWhole},
    {"cos", R::kDouble},
    {"cosh", R::kDouble},
    {"degrees", R::kDouble},
    {"exp", R::kDouble},
    {"floor", R::kWhole},
    {"ln", R::kDouble},
    {"log", R::kDouble},
    {"log10", R::kDouble},
    {"log2", R::kDouble},
    {"mod", R::kDouble},
    {"pi", R::kDouble},
    {"pow", R::kDouble},
    {"power", R::kDouble},
    {"radians", R::kDouble},
    {"random", R::kInt},
    {"round", R::kDouble},
    {"sign", R::kInt},
    {"sin", R::kDouble},
    {"sinh", R::kDouble},
    {"sqrt", R::kDouble},
    {"tan", R::kDouble},
    {"tanh", R::kDouble},
    {"trunc", R::kWhole},
    // text
    {"char", R::kString},
    {"concat", R::kString, A::kText},
    {"format", R::kString, A::kDate},
    {"glob", R::kBool, A::kText},
    {"hex", R::kString, A::kText},
    {"instr", R::kInt, A::kText},
    {"length", R::kInt, A::kText},
    {"like", R::kBool, A::kText},
    {"lower", R::kString, A::kText},
    {"ltrim", R::kString, A::kText},
    {"printf", R::kString, A::kDate},
    {"quote", R::kString, A::kText},
    {"regexp", R::kBool, A::kText},
    {"replace", R::kString, A::kText},
    {"rtrim", R::kString, A::kText},
    {"soundex", R::kString, A::kText},
    {"substr", R::kString, A::kText},
    {"substring", R::kString, A::kText},
    {"trim", R::kString, A::kText},
    {"typeof", R::kString},
    {"unicode", R::kInt, A::kText},
    {"upper", R::kString, A::kText},
    // choice
    {"coalesce", R::kCommon},
    {"ifnull", R::kCommon},
    {"iif", R::kRest},
    {"likelihood", R::kFirst},
    {"likely", R::kFirst},
    {"nullif", R::kCommon},
    {"unlikely", R::kFirst},
    // time
    {"date", R::kString, A::kDate},
    {"date_bin", R::kBucket},
    {"date_trunc", R::kBucket},
    {"datetime", R::kString, A::kDate},
    {"julianday", R::kDouble, A::kDate},
    {"now", R::kNow},
    {"strftime", R::kString, A::kDate},
    {"time", R::kString, A::kDate},
    {"time_bucket", R::kBucket},
    {"unixepoch", R::kInt, A::kDate},
    // json
    {"json", R::kString},
    {"json_array", R::kString, A::kDate},
    {"json_array_length", R::kInt},
    {"json_extract", R::kUnknown},
    {"json_group_array", R::kString, A::kDate},
    {"json_group_object", R::kString, A::kDate},
    {"json_insert", R::kString, A::kDate},
    {"json_object", R::kString, A::kDate},
    {"json_patch", R::kString},
    {"json_quote", R::kString, A::kDate},
    {"json_remove", R::kString},
    {"json_replace", R::kString, A::kDate},
    {"json_set", R::kString, A::kDate},
    {"json_type", R::kString},
    {"json_valid", R::kBool},
    // aggregates
    {"avg", R::kAverage},
    {"count", R::kInt},
    {"first", R::kEdge},
    {"group_concat", R::kString, A::kText},
    {"last", R::kEdge},
    {"max", R::kCommon},
    {"mean", R::kAverage},
    {"median", R::kAverage},
    {"min", R::kCommon},
    {"percentile", R::kAverage},
    {"spread", R::kSpread},
    {"stddev", R::kAverage},
    {"sum", R::kSum},
    {"total", R::kAverage},
    {"variance", R::kAverage},
    {"rate", R::kOfOneTable},
    {"increase", R::kOfOneTable},
    {"delta", R::kOfOneTable},
    {"derivative", R::kOfOneTable},
    {"integral", R::kOfOneTable},
    // windows
    {"cume_dist", R::kDouble},
    {"dense_rank", R::kInt},
    {"first_value", R::kFirst},
    {"lag", R::kThird},
    {"last_value", R::kFirst},
    {"lead", R::kThird},
    {"nth_value", R::kFirst},
    {"ntile", R::kInt},
    {"percent_rank", R::kDouble},
    {"rank", R::kInt},
    {"row_number", R::kInt},
};

}  // namespace

const SqliteFunction* find_sqlite_function(std::string_view lower_case_name) {
  const auto* found = std::find_if(std::begin(kFunctions), std::end(kFunctions), [&](const SqliteFunction& function) {
    return function.name == lower_case_name;
  });
  return found == std::end(kFunctions) ? nullptr : found;
}

std::vector<std::string> sqlite_function_names() {
  std::vector<std::string> names;
  for (const SqliteFunction& function : kFunctions) names.emplace_back(function.name);
  return names;
}

}  // namespace varve
