// librdkafka's group consumer, without its callbacks: what it tells comes out of poll() as plain values.
// A rebalance is not done inside librdkafka's callback but handed out by take_rebalance() after the messages
// polled before it; nothing of the new assignment arrives until assign() or unassign() answers it. Errors:
// kUnavailable when a broker does not answer in time. Threads: one thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ingest/kafka/client.h"
#include "ingest/kafka/partition.h"

namespace varve {

struct Rebalance {
  bool assigned = false;  // false: these partitions are taken away
  std::vector<TopicPartition> partitions;
};

// What the broker has of a partition: the first offset, and the one the next message will get.
struct OffsetRange {
  int64_t low = 0;
  int64_t high = 0;
};

class KafkaConsumer {
 public:
  struct Options {
    std::string brokers;
    std::string group;
    std::vector<std::string> topics;  // none: no group is joined, and assign() is the caller's alone
    std::map<std::string, std::string> properties;
  };
  // kInvalidArgument for a property that librdkafka refuses or that would break exactly-once.
  static Result<std::unique_ptr<KafkaConsumer>> open(Options options);
  ~KafkaConsumer();  // leaves the group

  // Fills `messages` until it is full or the time has passed; errors arrive as messages with `err` set.
  size_t poll(std::span<rd_kafka_message_t*> messages, int timeout_ms);

  std::optional<Rebalance> take_rebalance();
  bool assignment_lost() const { return rd_kafka_assignment_lost(client_.get()) != 0; }
  Result<void> assign(const std::vector<PartitionOffset>& start);
  void unassign();
  void pause(const std::vector<TopicPartition>& partitions);
  void resume(const std::vector<TopicPartition>& partitions);

  // Ends a pause; what comes next is the message at this offset, and nothing polled before.
  Result<void> resume_at(const PartitionOffset& place);

  // Of the topics of these names ("^" begins a regular expression) that there are.
  Result<std::vector<TopicPartition>> partitions_of(const std::vector<std::string>& topics);
  // What the group has committed, in the order asked; offset -1 = nothing.
  Result<std::vector<PartitionOffset>> committed(const std::vector<TopicPartition>& partitions);
  // The first offset at or after a time, -1 = none yet.
  Result<std::vector<PartitionOffset>> offsets_for_time(const std::vector<TopicPartition>& partitions,
                                                        int64_t time_ms);
  Result<OffsetRange> offset_range(const TopicPartition& partition);
  Result<int64_t> end_offset(const TopicPartition& partition);
  std::optional<int64_t> high_watermark(const TopicPartition& partition) const;  // as last fetched

  // One commit at a time: false while the last one is unanswered.
  bool commit(const std::vector<PartitionOffset>& offsets);
  std::vector<PartitionOffset> take_committed();  // confirmed since the last call
  void commit_and_wait(const std::vector<PartitionOffset>& offsets, int timeout_ms);

  // Why no broker can be reached; empty when one can, as far as is known.
  const std::string& unreachable() const { return unreachable_; }
  // After a connection error: asks the brokers for a sign of life; call it now and then.
  void probe();

 private:
  KafkaConsumer() = default;
  Result<void> start(Options options);
  Result<std::vector<PartitionOffset>> answered(rd_kafka_resp_err_t code, KafkaPartitionList list,
                                                const char* question) const;
  void note_commit(rd_kafka_resp_err_t code, const rd_kafka_topic_partition_list_t* offsets);

  static void on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t code,
                           rd_kafka_topic_partition_list_t* list, void* opaque);
  static void on_commit(rd_kafka_t* client, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* list,
                        void* opaque);
  static void on_error(rd_kafka_t* client, int code, const char* text, void* opaque);

  std::string group_;
  std::string probe_topic_;  // any of the topics
  std::deque<Rebalance> rebalances_;
  bool closing_ = false;
  bool commit_outstanding_ = false;
  std::vector<PartitionOffset> committed_;
  bool suspect_ = false;  // a connection failed, and no probe has been answered since
  std::string unreachable_;
  std::string last_network_error_;
  LogLimiter commit_log_;
  bool probe_outstanding_ = false;
  int64_t next_probe_ns_ = 0;
  KafkaOwned<rd_kafka_t> client_;
  KafkaOwned<rd_kafka_queue_t> queue_;  // these go before the client
  KafkaOwned<rd_kafka_queue_t> probe_queue_;
};

}  // namespace varve
