// Halting and what an operator does about it: the rest of ConsumerLoop is in consumer_loop.cc.
#include <fmt/format.h>

#include <algorithm>

#include "ingest/kafka/consumer_loop.h"
#include "ingest/quarantine.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr int64_t kDrainNs = 5 * kNsPerSecond;  // for appends in flight, before a position is moved
constexpr int kCommitMs = 2'000;                // the store's positions stand in for a commit that fails

std::string name_of(const TopicPartition& id) {
  return fmt::format("{}[{}]", id.topic, id.partition);
}

}  // namespace

void ConsumerLoop::halt(KafkaPartition& partition, int64_t skip_to, std::string why) {
  const auto range = consumer_->offset_range(partition.id);
  const std::string kept =
      range ? fmt::format("; the broker has offsets {} to {} (exclusive)", range->low, range->high) : "";
  partition.skip_to = skip_to;
  partition.halted =
      fmt::format("{} is halted at offset {}, because messages may be lost: {}{}; see varve ingest resume",
                  name_of(partition.id), partition.next_read, why, kept);
  log_error(options_.name, partition.halted,
            {{"topic", partition.id.topic}, {"partition", std::to_string(partition.id.partition)}});
  consumer_->pause({partition.id});
}

void ConsumerLoop::verify(KafkaPartition& partition, const rd_kafka_message_t& message) {
  if (message.offset < partition.next_read - 1) return;  // still on its way there
  const int64_t expected = std::exchange(partition.verify, kNoFingerprint);
  if (message.offset >= partition.next_read) return;  // it is gone from the log: nothing to compare
  // The fingerprint is kept, so that the next start finds the same.
  const std::string_view key(static_cast<const char*>(message.key), message.key_len);
  const std::string_view value(static_cast<const char*>(message.payload), message.len);
  if (message_fingerprint(message.offset, key, value) == expected) return;
  halt(partition, partition.next_read,
       fmt::format(
           "the message at offset {} has other bytes than when it was read: the topic was created again, or "
           "its log was truncated",
           message.offset));
}

Result<void> ConsumerLoop::ready_to_move() {
  if (!drain(kDrainNs)) {
    return unavailable(
        fmt::format("writes are still waiting for the store ({}); nothing was changed, try again",
                    failure_           ? failure_->message
                    : refusal_.empty() ? "it is slow"
                                       : refusal_));
  }
  return {};
}

Result<std::vector<MovedPartition>> ConsumerLoop::resume(const ResumeRequest& request) {
  const TopicPartition id{request.topic, request.partition};
  KafkaPartition* partition = assignment_.find(id);
  if (partition == nullptr || !partition->assigned) {
    return Error{ErrorCode::kNotFound, fmt::format("{} does not read {} now", options_.name, name_of(id))};
  }
  if (partition->halted.empty()) {
    return invalid_argument(
        fmt::format("{} is not halted; varve ingest rewind goes back in a running one", name_of(id)));
  }
  VARVE_ASSIGN(const OffsetRange range, consumer_->offset_range(id));
  int64_t to = request.offset;
  switch (request.from) {
    case ResumeRequest::From::kSkip:
      to = std::clamp(partition->skip_to, range.low, range.high);
      break;
    case ResumeRequest::From::kEarliest:
      to = range.low;
      break;
    case ResumeRequest::From::kLatest:
      to = range.high;
      break;
    case ResumeRequest::From::kOffset:
      if (to < range.low || to > range.high) {
        return invalid_argument(
            fmt::format("offset {} is not in {}: it has {} to {}", to, name_of(id), range.low, range.high));
      }
  }
  VARVE_TRY(ready_to_move());
  const int64_t from = partition->next_read;
  const std::string gap = to > from ? fmt::format("offsets {} to {} were not read", from, to - 1)
                                    : fmt::format("went on at offset {} instead of {}", to, from);
  return move({{partition, to, fmt::format("{}, by an operator's word: {}", gap, partition->halted)}});
}

Result<std::vector<MovedPartition>> ConsumerLoop::rewind(const RewindRequest& request) {
  std::vector<KafkaPartition*> chosen;
  std::vector<TopicPartition> ids;
  for (KafkaPartition* partition : assignment_.assigned()) {
    if (!partition->halted.empty() || (!request.topic.empty() && partition->id.topic != request.topic))
      continue;
    chosen.push_back(partition);
    ids.push_back(partition->id);
  }
  if (chosen.empty()) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("{} reads no partition{} now", options_.name,
                             request.topic.empty() ? "" : " of topic " + request.topic)};
  }
  const int64_t time_ms = std::max<int64_t>(request.time_ns / kNsPerMs, 0);
  VARVE_ASSIGN(const auto found, consumer_->offsets_for_time(ids, time_ms));
  VARVE_TRY(ready_to_move());
  std::vector<Move> moves;
  for (size_t i = 0; i < chosen.size(); ++i) {
    const int64_t now = chosen[i]->next_read;
    moves.push_back({chosen[i], found[i].offset < 0 ? now : std::min(found[i].offset, now), {}});
  }
  return move(moves);
}

Result<std::vector<MovedPartition>> ConsumerLoop::move(const std::vector<Move>& moves) {
  QuarantineBuilder gaps(real_clock());
  std::vector<StreamPosition> positions;
  for (const Move& move : moves) {
    const KafkaPartition& partition = *move.partition;
    if (move.to == partition.next_read && move.gap.empty()) continue;
    positions.push_back({partition.stream, partition.id.partition, move.to});
    positions.push_back({partition.fingerprint_stream, partition.id.partition, kNoFingerprint});
    if (move.gap.empty()) continue;
    gaps.add({.source = options_.name,
              .topic = partition.id.topic,
              .partition = partition.id.partition,
              .offset = partition.next_read,
              .reason = kGapReason,
              .detail = move.gap});
  }
  if (!positions.empty()) {
    std::vector<RowBatch> batches;
    if (gaps.rows() > 0) batches.push_back(gaps.finish());
    AdmittedWrite write = engine_.admit(std::move(batches));
    for (const RejectedRow& row : write.rejected()) log_error(options_.name, "no gap record: " + row.detail);
    write.positions = std::move(positions);
    VARVE_TRY(engine_.append_and_wait(std::move(write)));
  }

  std::vector<MovedPartition> outcome;
  bool any = false;
  for (const Move& move : moves) {
    KafkaPartition& partition = *move.partition;
    outcome.push_back({partition.id.topic, partition.id.partition, partition.next_read, move.to});
    if (move.to == partition.next_read && move.gap.empty()) continue;
    any = true;
    log_warn(options_.name,
             fmt::format("{} goes on at offset {} instead of {}{}", name_of(partition.id), move.to,
                         partition.next_read, move.gap.empty() ? "" : ": " + move.gap));
    partition.next_read = move.to;
    partition.durable_offset.store(move.to);
    partition.fingerprint = kNoFingerprint;
    partition.fingerprint_next = move.to;
    partition.halted.clear();
    partition.committed = -1;
    partition.moved = true;
  }
  if (!any) return outcome;
  // Until librdkafka reads from there, nothing it hands out may be taken: step() tries again while this stands.
  if (!read_from_durable()) failure_ = unavailable("reading could not be moved yet");
  consumer_->commit_and_wait(offsets_to_commit(), kCommitMs);
  next_publish_ns_ = 0;
  return outcome;
}

}  // namespace varve
