// The table of refused input: varve_quarantine (time, source, topic, partition, offset, reason, detail, payload).
// time is when it was refused (made unique by adding ns so that no row overwrites another); tags: source, topic,
// reason; fields: partition int64, offset int64, detail string, payload string (first 64 KiB; invalid UTF-8 escaped as
// \xNN).
// Threads: one builder per thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/clock.h"
#include "storage/model/row_batch.h"

namespace varve {

constexpr std::string_view kQuarantineTable = "varve_quarantine";
// Not a message, but a hole: an operator let a halted partition go on elsewhere. offset: where it had stopped; detail:
// what was left out, and why; payload: empty.
constexpr std::string_view kGapReason = "gap";
constexpr size_t kQuarantinePayloadBytesMax = 64 << 10;

struct RefusedInput {
  std::string_view source = {};  // "kafka.0", "http"
  std::string_view topic = {};
  int32_t partition = 0;
  int64_t offset = 0;
  std::string_view reason = {};
  std::string_view detail = {};
  std::string_view payload = {};
};

class QuarantineBuilder {
 public:
  explicit QuarantineBuilder(const Clock& clock);
  void add(const RefusedInput& input);
  size_t rows() const;
  RowBatch finish();

 private:
  const Clock& clock_;
  RowBatchBuilder builder_;
  int64_t last_time_ns_ = 0;
};

}  // namespace varve
