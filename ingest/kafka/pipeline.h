// Turns polled messages into one write: decoded rows, the refused ones as rows of varve_quarantine, and the
// positions of all of them, so that a message's outcome and its offset become durable together. A null value (a
// tombstone: "this key is gone", for compacted topics) is counted: readings that were made stay made, so it is neither
// a row nor refused. A processor, if there is one, works on the rows of a write before the store sees them.
// Threads: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ingest/decode/decoder.h"
#include "ingest/decode/row_set.h"
#include "ingest/kafka/partition.h"
#include "ingest/process/row_processor.h"
#include "ingest/quarantine.h"
#include "storage/base/clock.h"
#include "storage/base/metrics.h"
#include "storage/engine.h"

namespace varve {

struct PolledMessage {
  KafkaPartition* partition = nullptr;  // owned by a shared_ptr
  int64_t offset = 0;
  bool has_payload = true;  // false: a null value (tombstone), which is not an empty one
  std::string_view payload;
  int64_t timestamp_ns = 0;
  std::optional<std::string_view> key = {};
  const MessageHeaders* headers = nullptr;  // valid as long as the payload
};

// One write, ready to append, and what becomes true with it.
struct SealedWrite {
  AdmittedWrite write;
  std::vector<std::pair<std::shared_ptr<KafkaPartition>, int64_t>> next_offsets;
  uint64_t messages = 0;
  uint64_t bytes = 0;                        // of payloads
  uint64_t rows = 0;                         // without those of the quarantine
  uint64_t tombstones = 0;                   // messages with a null value
  std::map<std::string, uint64_t> rejected;  // by reason
  ProcessCounts processed;
};

class KafkaPipeline {
 public:
  // A write is sealed at the first of these; they bound memory and the size of a log record.
  static constexpr size_t kWriteMessagesMax = 10'000;
  static constexpr size_t kWriteBytesMax = 4 << 20;  // of payloads
  static constexpr size_t kWriteRowsMax = 100'000;   // a line-protocol message may carry thousands

  KafkaPipeline(std::string source, Engine& engine, std::unique_ptr<Decoder> decoder,
                const Clock& clock = real_clock());

  // Rows go through it from now on; null = none.
  void process_with(std::unique_ptr<RowProcessor> processor) { processor_ = std::move(processor); }

  // Whether it can be decoded now; kUnavailable: nothing is taken, ask again later (see Decoder::prepare).
  Result<void> prepare(const PolledMessage& message);
  // Decodes it now; false when the message was seen before (its offset is below the partition's next_read).
  // The payload must stay valid until seal().
  bool add(const PolledMessage& message);
  // Makes an offset durable where no message does it, so that "latest" means the same after a restart.
  void add_position(KafkaPartition& partition, int64_t next_offset);

  bool empty() const { return messages_.empty() && next_offsets_.empty(); }
  bool full() const;
  SealedWrite seal();  // leaves the pipeline empty
  // The same, with what is refused handed out instead of put into quarantine.
  SealedWrite seal(std::vector<RefusedRow>& refused);

 private:
  SealedWrite admit_rows();
  void finish(SealedWrite& sealed);
  void process(RowSet::Taken& taken, ProcessCounts& counts);
  void note_event_times(const RowSet::Taken& taken);
  void note_fingerprint(KafkaPartition& partition, int64_t next_offset) const;
  // Puts `refused` into the write as rows of the quarantine.
  void add_quarantine(SealedWrite& sealed, const std::vector<RefusedRow>& refused);

  std::string source_;
  Engine& engine_;
  std::unique_ptr<Decoder> decoder_;
  std::unique_ptr<RowProcessor> processor_;
  QuarantineBuilder quarantine_;

  RowSet rows_;
  std::vector<PolledMessage> messages_;
  std::vector<RefusedRow> refused_;
  std::vector<DecodeReject> rejects_;  // scratch of add()
  std::vector<std::pair<std::shared_ptr<KafkaPartition>, int64_t>> next_offsets_;
  uint64_t bytes_ = 0;
  uint64_t tombstones_ = 0;
};

}  // namespace varve
