// The questions in SQL, for the systems that speak it; what differs between dialects is said by a struct.
// Threads: pure functions.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>

#include "bench/peers/query_types.h"

namespace varve::bench {

struct SqlDialect {
  // Buckets of `width_ms` of column `time`.
  std::function<std::string(int64_t width_ms, bool water)> bucket;
  std::function<std::string(int64_t time_ms, bool water)> time_literal;
  // A time as a number of ms, from an expression.
  std::function<std::string(const std::string& expression, bool water)> ms_of;
  // The whole statement for the last row of each host or sensor.
  std::function<std::string(const std::string& table, const std::string& key,
                            const std::vector<std::string>& fields)>
      last_rows;
};

// Columns: the key if the shape has one, the time in ms, the values.
std::string sql_text(const SqlDialect& dialect, const QueryType& type, const QueryArguments& arguments);
Answer answer_of_rows(const QueryType& type, const nlohmann::json& rows);

}  // namespace varve::bench
