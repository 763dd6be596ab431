#include "ingest/kafka/assignment.h"

#include <fmt/format.h>

#include <algorithm>

namespace varve {

KafkaPartition& KafkaAssignment::get(const TopicPartition& id) {
  auto& partition = partitions_[id];
  if (partition == nullptr) {
    partition = std::make_shared<KafkaPartition>();
    partition->id = id;
    partition->stream = fmt::format("kafka:{}:{}", group_, id.topic);
    partition->fingerprint_stream = fmt::format("kafka-last:{}:{}", group_, id.topic);
  }
  return *partition;
}

Result<std::vector<KafkaAssignment::Start>> KafkaAssignment::find_starts(
    const std::vector<TopicPartition>& ids, KafkaConsumer& consumer, const Engine& engine) {
  std::vector<Start> starts;
  if (ids.empty()) return starts;
  VARVE_ASSIGN(const auto committed, consumer.committed(ids));
  const std::string store_id = engine.status().store_id;
  const std::vector<StreamPosition> positions = engine.positions();

  std::vector<size_t> open;  // those the start rule decides
  for (size_t i = 0; i < ids.size(); ++i) {
    KafkaPartition& partition = get(ids[i]);
    std::optional<int64_t> own;
    int64_t fingerprint = kNoFingerprint;
    for (const auto& position : positions) {
      if (position.partition != ids[i].partition) continue;
      if (position.stream == partition.stream) own = position.next_offset;
      if (position.stream == partition.fingerprint_stream) fingerprint = position.next_offset;
    }
    if (partition.next_read > own.value_or(0)) fingerprint = kNoFingerprint;
    // Writes of this process that are not durable yet count: they will be, or the source stops.
    if (partition.next_read > 0) own = std::max(own.value_or(0), partition.next_read);
    if (own && partition.fingerprint_next == *own) fingerprint = partition.fingerprint;
    const auto start = choose_start(own, committed[i], store_id);
    starts.push_back({.partition = &partition,
                      .offset = start.value_or(RD_KAFKA_OFFSET_BEGINNING),
                      .committed = committed[i].offset,
                      .skips = start && start != own,
                      .verify = start && start == own && *own > 0 ? fingerprint : kNoFingerprint});
    if (!start) open.push_back(i);
  }
  VARVE_TRY(find_by_rule(starts, open, consumer));
  return starts;
}

Result<void> KafkaAssignment::find_by_rule(std::vector<Start>& starts, const std::vector<size_t>& open,
                                           KafkaConsumer& consumer) {
  if (rule_.kind == StartRule::Kind::kEarliest || open.empty()) return {};
  std::vector<int64_t> found(open.size(), -1);
  if (rule_.kind == StartRule::Kind::kTime) {
    std::vector<TopicPartition> ids;
    for (const size_t i : open) ids.push_back(starts[i].partition->id);
    VARVE_ASSIGN(const auto offsets, consumer.offsets_for_time(ids, rule_.time_ms));
    for (size_t i = 0; i < offsets.size(); ++i) found[i] = offsets[i].offset;
  }
  for (size_t i = 0; i < open.size(); ++i) {
    Start& start = starts[open[i]];
    if (found[i] < 0) {  // latest, or nothing as late as the time
      VARVE_ASSIGN(found[i], consumer.end_offset(start.partition->id));
    }
    start.offset = found[i];
    start.skips = true;
    start.by_rule = true;
  }
  return {};
}

void KafkaAssignment::assign(const std::vector<Start>& starts) {
  unassign();
  for (const Start& start : starts) {
    KafkaPartition& partition = *start.partition;
    partition.assigned = true;
    partition.halted.clear();
    partition.waiting.clear();
    partition.holding = false;
    partition.committed = start.committed;
    partition.verify = start.verify;
    if (start.offset >= 0) {
      // The first time in this process, our own position comes from the store and is durable.
      if (start.skips || partition.next_read == 0) partition.durable_offset.store(start.offset);
      partition.next_read = start.offset;
      partition.fingerprint = start.verify;
      partition.fingerprint_next = start.offset;
    }
    assigned_.push_back(&partition);
  }
}

void KafkaAssignment::unassign() {
  for (KafkaPartition* partition : assigned_) partition->assigned = false;
  assigned_.clear();
  last_topic_ = nullptr;
  last_ = nullptr;
}

std::vector<PartitionOffset> KafkaAssignment::rewind() {
  std::vector<PartitionOffset> from;
  for (auto& [id, partition] : partitions_) {
    const int64_t durable = partition->durable_offset.load();
    partition->next_read = std::min(partition->next_read, durable);
    partition->holding = false;
    partition->verify = kNoFingerprint;  // of a start, which this is not
    if (partition->assigned) from.push_back({id, durable > 0 ? durable : RD_KAFKA_OFFSET_BEGINNING, {}});
  }
  return from;
}

KafkaPartition* KafkaAssignment::find(const rd_kafka_message_t& message) {
  if (message.rkt == nullptr) return nullptr;
  if (message.rkt != last_topic_ || message.partition != last_partition_) {
    last_topic_ = message.rkt;
    last_partition_ = message.partition;
    last_ = find({rd_kafka_topic_name(message.rkt), message.partition});
  }
  return last_ != nullptr && last_->assigned && last_->is_read() ? last_ : nullptr;
}

KafkaPartition* KafkaAssignment::find(const TopicPartition& id) {
  const auto at = partitions_.find(id);
  return at == partitions_.end() ? nullptr : at->second.get();
}

std::vector<TopicPartition> KafkaAssignment::assigned_ids() const {
  std::vector<TopicPartition> ids;
  for (const KafkaPartition* partition : assigned_) ids.push_back(partition->id);
  return ids;
}

}  // namespace varve
