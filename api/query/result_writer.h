// Writes a query's result as json, csv, ndjson or table text, streaming through `out`.
//   json:   {"columns":[...],"rows":[...],"row_count":n,"stats":{...}} (see the HTTP contract)
//   csv:    RFC 4180 with a header line; NULL is empty
//   ndjson: one {"column":value} object a line
//   table:  aligned columns for a terminal, numbers to the right, a row count below (buffers at most
//           kTableRowsMax rows, then says how many were cut)
// Doubles print shortest-round-trip; NaN and infinities are null in JSON, NaN/Inf text elsewhere.
// Threads: one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "api/query/query.h"

namespace varve {

enum class ResultFormat { kJson, kCsv, kNdjson, kTable };
enum class TimeFormat { kRfc3339, kNs, kUs, kMs, kS };

std::optional<ResultFormat> parse_result_format(std::string_view name);
std::optional<TimeFormat> parse_time_format(std::string_view name);
std::string_view content_type(ResultFormat format);

class ResultWriter : public ResultSink {
 public:
  using Output = std::function<bool(std::string_view)>;  // false = the reader is gone
  static std::unique_ptr<ResultWriter> make(ResultFormat format, TimeFormat time_format, Output out);
  virtual bool finish(const QueryStats& stats) = 0;  // after run() succeeded
};

}  // namespace varve
