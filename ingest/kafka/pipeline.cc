#include "ingest/kafka/pipeline.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/checksum.h"
#include "storage/base/log.h"

namespace varve {

KafkaPipeline::KafkaPipeline(std::string source, Engine& engine, std::unique_ptr<Decoder> decoder,
                             const Clock& clock)
    : source_(std::move(source)), engine_(engine), decoder_(std::move(decoder)), quarantine_(clock) {
  messages_.reserve(kWriteMessagesMax);
}

bool KafkaPipeline::full() const {
  return messages_.size() >= kWriteMessagesMax || bytes_ >= kWriteBytesMax || rows_.rows() >= kWriteRowsMax;
}

namespace {

MessageContext context_of(const PolledMessage& message) {
  const TopicPartition& id = message.partition->id;
  return {.topic = id.topic,
          .timestamp_ns = message.timestamp_ns,
          .partition = id.partition,
          .offset = message.offset,
          .key = message.key,
          .headers = message.headers};
}

}  // namespace

Result<void> KafkaPipeline::prepare(const PolledMessage& message) {
  if (!message.has_payload) return {};
  return decoder_->prepare(message.payload, context_of(message));
}

bool KafkaPipeline::add(const PolledMessage& message) {
  KafkaPartition& partition = *message.partition;
  if (message.offset < partition.next_read) return false;
  partition.next_read = message.offset + 1;
  partition.last_message_time_ns = message.timestamp_ns;
  add_position(partition, partition.next_read);

  const auto index = static_cast<uint32_t>(messages_.size());
  messages_.push_back(message);
  partition.last_message = index;
  bytes_ += message.payload.size();
  if (!message.has_payload) {
    ++tombstones_;
    return true;
  }
  rows_.set_message(index);
  decoder_->decode(message.payload, context_of(message), rows_, rejects_);
  if (!rejects_.empty()) {
    for (auto& reject : rejects_) refused_.push_back({index, std::move(reject)});
    rejects_.clear();
  }
  return true;
}

void KafkaPipeline::add_position(KafkaPartition& partition, int64_t next_offset) {
  // Messages come in runs of one partition.
  for (auto at = next_offsets_.rbegin(); at != next_offsets_.rend(); ++at) {
    if (at->first.get() != &partition) continue;
    at->second = next_offset;
    std::swap(*at, next_offsets_.back());
    return;
  }
  next_offsets_.emplace_back(partition.shared_from_this(), next_offset);
}

void KafkaPipeline::note_event_times(const RowSet::Taken& taken) {
  for (size_t b = 0; b < taken.batches.size(); ++b) {
    const std::vector<int64_t>& times = taken.batches[b].times;
    for (size_t row = 0; row < times.size(); ++row) {
      std::optional<int64_t>& last = messages_[taken.messages[b][row]].partition->last_event_time_ns;
      if (!last || times[row] > *last) last = times[row];
    }
  }
}

void KafkaPipeline::process(RowSet::Taken& taken, ProcessCounts& counts) {
  std::vector<MessageOrigin> origins(messages_.size());
  const KafkaPartition* last = nullptr;
  uint64_t hash = 0;
  for (size_t i = 0; i < messages_.size(); ++i) {
    if (messages_[i].partition != last) {  // messages come in runs of one partition
      last = messages_[i].partition;
      hash = checksum64(last->id.topic, static_cast<uint64_t>(last->id.partition));
    }
    origins[i] = {hash, messages_[i].offset, messages_[i].timestamp_ns};
  }
  processor_->process(taken, origins, refused_, counts);
}

void KafkaPipeline::note_fingerprint(KafkaPartition& partition, int64_t next_offset) const {
  if (partition.last_message < messages_.size()) {
    const PolledMessage& last = messages_[partition.last_message];
    if (last.partition == &partition && last.offset + 1 == next_offset) {
      partition.fingerprint = message_fingerprint(last.offset, last.key.value_or(""), last.payload);
      partition.fingerprint_next = next_offset;
    }
  }
  if (partition.fingerprint_next == next_offset) return;  // of this message, or of the position's last one
  partition.fingerprint = kNoFingerprint;
  partition.fingerprint_next = next_offset;
}

SealedWrite KafkaPipeline::seal() {
  SealedWrite sealed = admit_rows();
  if (!refused_.empty()) add_quarantine(sealed, refused_);
  finish(sealed);
  return sealed;
}

SealedWrite KafkaPipeline::seal(std::vector<RefusedRow>& refused) {
  SealedWrite sealed = admit_rows();
  refused = std::move(refused_);
  finish(sealed);
  return sealed;
}

SealedWrite KafkaPipeline::admit_rows() {
  SealedWrite sealed;
  RowSet::Taken taken = rows_.take();
  note_event_times(taken);
  if (processor_) process(taken, sealed.processed);
  sealed.write = engine_.admit(std::move(taken.batches));
  sealed.rows = sealed.write.rows();
  for (const RejectedRow& row : sealed.write.rejected()) {
    refused_.push_back({taken.messages[row.batch][row.row], {row.reason, row.detail, 0}});
  }
  return sealed;
}

void KafkaPipeline::finish(SealedWrite& sealed) {
  sealed.messages = messages_.size();
  sealed.bytes = bytes_;
  sealed.tombstones = tombstones_;
  for (const auto& [partition, next_offset] : next_offsets_) {
    note_fingerprint(*partition, next_offset);
    sealed.write.positions.push_back({partition->stream, partition->id.partition, next_offset});
    sealed.write.positions.push_back(
        {partition->fingerprint_stream, partition->id.partition, partition->fingerprint});
  }
  sealed.next_offsets = std::move(next_offsets_);
  next_offsets_.clear();
  messages_.clear();
  refused_.clear();
  bytes_ = 0;
  tombstones_ = 0;
}

void KafkaPipeline::add_quarantine(SealedWrite& sealed, const std::vector<RefusedRow>& refused) {
  for (const RefusedRow& entry : refused) {
    const PolledMessage& message = messages_[entry.message];
    const TopicPartition& id = message.partition->id;
    const std::string detail = entry.reject.line == 0
                                   ? entry.reject.detail
                                   : fmt::format("line {}: {}", entry.reject.line, entry.reject.detail);
    quarantine_.add({.source = source_,
                     .topic = id.topic,
                     .partition = id.partition,
                     .offset = message.offset,
                     .reason = entry.reject.reason,
                     .detail = detail,
                     .payload = message.payload,
                     .key = message.key,
                     .headers = message.headers,
                     .timestamp_ns = message.timestamp_ns});
    ++sealed.rejected[entry.reject.reason];
  }
  std::vector<RowBatch> batches;
  batches.push_back(quarantine_.finish());
  AdmittedWrite admitted = engine_.admit(std::move(batches));
  // The store's limits do not count for this table, so nothing should do this. If something does, the input is neither
  // stored nor kept, so the log must say where it can be found: it is still in Kafka.
  for (const RejectedRow& row : admitted.rejected()) {
    const PolledMessage& message = messages_[refused[row.row].message];
    log_error(source_,
              fmt::format("message {}[{}] offset {} was refused ({}) and the quarantine refused it too: {}",
                          message.partition->id.topic, message.partition->id.partition, message.offset,
                          refused[row.row].reject.reason, row.detail));
    ++sealed.rejected["quarantine_refused"];
  }
  sealed.write.merge(std::move(admitted));
}

}  // namespace varve
