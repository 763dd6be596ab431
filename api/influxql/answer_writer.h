// An answer of /query on its way out, byte for byte as InfluxDB 1.x writes it:
//   {"results":[{"statement_id":0,"series":[{"name":..,"tags":{..},"columns":[..],"values":[[..],..]}],"error":".."}]}
// or, chunked, one such document a line for each series and every `chunk_rows` rows of it ("partial":true = more comes),
// or CSV. Text leaves piece by piece; what a statement wrote is taken back when it fails before the first piece of it
// left, else its error follows its rows.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/influxql/result.h"

namespace varve::influxql {

// How times are shown: RFC 3339, or a count of this many ns.
struct TimeText {
  int64_t unit_ns = 0;                             // 0 = RFC 3339; ns in CSV
  std::function<int64_t(int64_t ns)> zone_offset;  // of RFC 3339, by tz(); empty = UTC
};

struct AnswerOptions {
  enum class Format { kJson, kPrettyJson, kCsv };
  Format format = Format::kJson;
  uint64_t chunk_rows = 0;  // 0 = one document
};

constexpr uint64_t kChunkRows = 10'000;  // of `chunked` without a chunk_size, as in InfluxDB

class AnswerWriter : public ResultSink {
 public:
  using Put = std::function<bool(std::string_view)>;  // false = stop, the reader is gone
  static std::unique_ptr<AnswerWriter> make(const AnswerOptions& options, Put put);

  // A statement's series come between these two. `error` and `warning` are empty when there are none.
  virtual void begin_statement(size_t id, TimeText times) = 0;
  virtual bool end_statement(std::string_view error, std::string_view warning) = 0;
  virtual bool finish() = 0;  // after the last statement
};

}  // namespace varve::influxql
