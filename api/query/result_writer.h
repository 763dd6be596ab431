// Writes a query's result as json, csv, ndjson, objects or table text, streaming through `out`.
//   json:   {"columns":[...],"rows":[...],"row_count":n,"stats":{...}} (see the HTTP contract)
//   csv:    RFC 4180 with a header line; NULL is empty, an empty string is ""
//   ndjson: one {"column":value} object a line
//   objects: the same as one JSON array, [] when there are no rows: what tools that read any JSON want
//   table:  aligned columns for a terminal, numbers to the right, a row count below. The first rows (kTableSampleRows,
//           or fewer of many bytes) decide the widths; every later row goes out at once, out of line where it is wider.
// A writer holds some 64 KiB (table: some MiB at most), however big the answer, a row or a cell.
// Doubles print shortest-round-trip, whole ones as 7.0; NaN and infinities are null in JSON, NaN/Inf text elsewhere.
// Times: rfc3339, or integers of the unit, rounded down. JSON is always valid: bytes that are not UTF-8 become U+FFFD.
// Threads: one thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "api/query/query.h"

namespace varve {

constexpr size_t kTableSampleRows = 1000;  // more than anyone reads in a terminal
constexpr size_t kTableSampleBytesMax = 1 << 20;
constexpr size_t kTableCellWidthMax = 200;  // longer text is cut and ends in an ellipsis

enum class ResultFormat { kJson, kCsv, kNdjson, kObjects, kTable };
enum class TimeFormat { kRfc3339, kNs, kUs, kMs, kS };

std::optional<ResultFormat> parse_result_format(std::string_view name);
std::optional<TimeFormat> parse_time_format(std::string_view name);
std::string_view content_type(ResultFormat format);

class ResultWriter : public ResultSink {
 public:
  using Output = std::function<bool(std::string_view)>;  // false = the reader is gone
  static std::unique_ptr<ResultWriter> make(ResultFormat format, TimeFormat time_format, Output out);
  virtual bool finish(const QueryStats& stats) = 0;  // after run() succeeded
  // After run() failed with rows handed out already: says so at the end of the text, for people. Programs must learn it
  // from the transport, which has to end the answer short.
  virtual void fail(const QueryError& error) = 0;
};

}  // namespace varve
