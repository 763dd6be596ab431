// The table of refused input: varve_quarantine. time is when it was refused, made unique in the process by adding ns,
// so that no row overwrites another; tags: source, topic, reason. Fields:
//   partition, offset  int64   of HTTP the offset is the line in its request
//   detail, payload    string  invalid UTF-8 as \xNN; the payload's first 64 KiB
//   payload_base64     string  instead of the payload's text where that is not exact: the same 64 KiB, as they came
//   payload_bytes      int64   as they came
//   truncated          bool    payload, key or headers did not fit: it cannot be decoded again, nor sent on whole
//   key, key_base64    string  of the message; neither: it had none
//   headers            string  JSON [{"name":N,"value":V}]; "base64" instead of "value" when that is not text
//   timestamp          int64   of the message, or when it came; ns
//   database, precision string of HTTP: what the request said; precision in ns, 0 = by size
//   retried            bool    true: decoded again since, and its rows are stored
// Threads: one builder per thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ingest/decode/message_part.h"
#include "storage/base/clock.h"
#include "storage/model/row_batch.h"

namespace varve {

constexpr std::string_view kQuarantineTable = "varve_quarantine";
// Not a message, but a hole: an operator let a halted partition go on elsewhere. offset: where it had stopped; detail:
// what was left out, and why; payload: empty.
constexpr std::string_view kGapReason = "gap";
constexpr size_t kQuarantinePayloadBytesMax = 64 << 10;
constexpr std::string_view kHttpSource = "http";
// Of a table without the column `retried`.
constexpr std::string_view kQuarantineTooOld =
    "the rows of varve_quarantine were written before refused input could be decoded again; "
    "read them with SELECT * FROM varve_quarantine";

struct RefusedInput {
  std::string_view source = {};  // "kafka.0", "http"
  std::string_view topic = {};
  int32_t partition = 0;
  int64_t offset = 0;
  std::string_view reason = {};
  std::string_view detail = {};
  std::string_view payload = {};
  std::optional<std::string_view> key = {};
  const MessageHeaders* headers = nullptr;  // null = none
  int64_t timestamp_ns = 0;
  std::string_view database = {};
  std::string_view precision = {};
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
};

// A row of the table, read again: the bytes are those that came, as far as they were kept.
struct KeptInput {
  int64_t time_ns = 0;
  std::string source, topic, reason, detail;
  int32_t partition = 0;
  int64_t offset = 0;
  std::string payload;
  uint64_t payload_bytes = 0;
  bool truncated = false;
  std::optional<std::string> key;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  int64_t timestamp_ns = 0;
  std::string database, precision;
};

// The columns by name, without time. Nothing for a row without a payload (a mark, see below).
using QuarantineColumns = std::function<Value(std::string_view name)>;
std::optional<KeptInput> read_kept_input(int64_t time_ns, const QuarantineColumns& column);
// The same of row `row` of a batch of this table.
std::optional<KeptInput> read_kept_input(const RowBatch& batch, size_t row);

// Rows that, written over those of `inputs`, say retried = true.
RowBatch mark_retried(const std::vector<const KeptInput*>& inputs);

}  // namespace varve
