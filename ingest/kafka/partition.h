// What a source knows about one partition of one topic, for as long as the process lives: a partition that
// goes to another member and comes back continues where it was. Threads: the consumer thread, except
// durable_offset, which the engine's thread raises.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "ingest/kafka/fingerprint.h"

namespace varve {

struct TopicPartition {
  std::string topic;
  int32_t partition = 0;
  auto operator<=>(const TopicPartition&) const = default;
};

struct PartitionOffset {
  TopicPartition id;
  int64_t offset = -1;   // negative: none, or one of librdkafka's logical offsets
  std::string metadata;  // of a committed offset: who wrote it
};

struct KafkaPartition : std::enable_shared_from_this<KafkaPartition> {
  TopicPartition id;
  std::string stream;  // its name among the engine's positions: "kafka:GROUP:TOPIC"
  bool assigned = false;
  std::string halted;   // why nothing more is read; empty = reading
  int64_t skip_to = 0;  // while halted: where an operator's "skip" goes on, if the broker has that offset
  bool moved = false;   // by an operator; then even offset 0 is worth a commit
  // The last message taken, so that other bytes at its offset are noticed (fingerprint.h); it is the one before
  // fingerprint_next. Kept by the store as the position of a stream of its own.
  std::string fingerprint_stream;
  int64_t fingerprint = kNoFingerprint;
  int64_t fingerprint_next = -1;
  int64_t verify = kNoFingerprint;  // what the message before next_read must have; it is read again for that
  size_t last_message = 0;          // the pipeline's: index of the newest one in the write it gathers
  // Why it cannot be decoded at the moment (a schema registry is away); empty = it can, as far as is known. While
  // `holding`, it is paused and what still arrives is dropped: at retry_ns it is read again from wait_offset.
  std::string waiting;
  bool holding = false;
  int64_t wait_offset = 0;
  int64_t retry_ns = 0;
  int64_t next_read = 0;   // everything below was taken: a message below is a duplicate
  int64_t committed = -1;  // next offset the broker has confirmed; -1 = none yet
  std::optional<int64_t> last_event_time_ns;
  std::optional<int64_t> last_message_time_ns;  // Kafka's timestamp of the message taken last
  std::atomic<int64_t> durable_offset{0};       // the first offset not durable here
  bool is_read() const { return halted.empty() && !holding; }
};

}  // namespace varve
