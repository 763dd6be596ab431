// What happens to rows between decoding and storing: filtered, computed on, enriched, deduplicated. A source without a
// processor pays nothing. Implemented by api/process (in SQL); a pipeline is handed one.
// A row goes one of three ways: it stays, it is dropped (and counted), or it is refused (to the quarantine, with the
// message it came from). Its offset advances in each case.
// Errors:  making one: what its files or tables lack. Processing: never; a row that cannot be processed is refused.
// Threads: a processor belongs to one pipeline; one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "ingest/decode/decoder.h"
#include "ingest/decode/row_set.h"
#include "storage/engine.h"

namespace varve {

struct ProcessCounts {
  uint64_t filtered = 0;       // rows `where` did not let pass
  uint64_t deduped = 0;        // rows seen before
  uint64_t enrich_misses = 0;  // lookups without an answer; their columns are NULL
  void add(const ProcessCounts& other) {
    filtered += other.filtered;
    deduped += other.deduped;
    enrich_misses += other.enrich_misses;
  }
};

// Where a message stands, so that one read again is not taken for a duplicate of itself.
struct MessageOrigin {
  uint64_t partition = 0;  // a hash of topic and partition
  int64_t offset = 0;
  int64_t timestamp_ns = 0;  // Kafka's
};

struct RefusedRow {
  uint32_t message;
  DecodeReject reject;
};

class RowProcessor {
 public:
  virtual ~RowProcessor() = default;
  // Works on the rows of one write in place; `taken.messages` index `origins`.
  virtual void process(RowSet::Taken& taken, std::span<const MessageOrigin> origins,
                       std::vector<RefusedRow>& refused, ProcessCounts& counts) = 0;
};

using RowProcessorFactory = std::function<Result<std::unique_ptr<RowProcessor>>(const Engine&)>;

}  // namespace varve
