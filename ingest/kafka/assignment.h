// The partitions this source has, and where reading each begins (start_rule.h).
// Threads: the consumer thread; KafkaPartition says what others may touch.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ingest/kafka/consumer.h"
#include "ingest/kafka/partition.h"
#include "ingest/kafka/start_rule.h"
#include "storage/engine.h"

namespace varve {

class KafkaAssignment {
 public:
  KafkaAssignment(std::string group, StartRule rule) : group_(std::move(group)), rule_(rule) {}

  struct Start {
    KafkaPartition* partition = nullptr;
    int64_t offset = 0;               // may be librdkafka's logical beginning
    int64_t committed = -1;           // the broker's, whoever wrote it
    bool skips = false;               // nothing below `offset` is ours to read
    int64_t verify = kNoFingerprint;  // of the message before `offset`, which is then read first
    bool by_rule = false;             // found by asking the broker for `start`: must be made durable
  };
  // Asks the broker what must be asked. kUnavailable: ask again.
  Result<std::vector<Start>> find_starts(const std::vector<TopicPartition>& ids, KafkaConsumer& consumer,
                                         const Engine& engine);
  void assign(const std::vector<Start>& starts);
  void unassign();
  // What was read and is not durable counts as not read. The assigned partitions, and where to read on.
  std::vector<PartitionOffset> rewind();

  // The partition a message belongs to; nullptr when it is not ours (any more), halted or held.
  KafkaPartition* find(const rd_kafka_message_t& message);
  KafkaPartition* find(const TopicPartition& id);
  const std::vector<KafkaPartition*>& assigned() const { return assigned_; }
  std::vector<TopicPartition> assigned_ids() const;

 private:
  KafkaPartition& get(const TopicPartition& id);
  Result<void> find_by_rule(std::vector<Start>& starts, const std::vector<size_t>& open,
                            KafkaConsumer& consumer);

  std::string group_;
  StartRule rule_;
  std::map<TopicPartition, std::shared_ptr<KafkaPartition>> partitions_;
  std::vector<KafkaPartition*> assigned_;
  // Messages come in runs of one partition: the one found last.
  const rd_kafka_topic_t* last_topic_ = nullptr;
  int32_t last_partition_ = -1;
  KafkaPartition* last_ = nullptr;
};

}  // namespace varve
