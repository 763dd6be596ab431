#include "ingest/kafka/consumer_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <utility>

#include "ingest/kafka/raw_message.h"
#include "storage/base/log.h"

namespace varve {
namespace {

// A round of polling ends after this long, or when a write is full: the wait a reading spends before it is
// appended.
constexpr int64_t kRoundNs = 20 * kNsPerMs;
constexpr size_t kPollMessages = 2'000;  // per call; a write's limits are checked in between
// 8 writes of 10,000 messages keep the log's sync busy while the next are decoded; at most 32 MiB of payload
// (guessed).
constexpr size_t kAppendsInFlightMax = 8;
constexpr int64_t kRetryNs = 5 * kNsPerMs;  // between tries of a refused write
constexpr int64_t kPauseAfterNs =
    kNsPerSecond;  // a pause throws prefetched data away, so not for every hiccup
constexpr int64_t kDrainNs = 5 * kNsPerSecond;  // for appends in flight, on revoke and on stop
constexpr int kFinalCommitMs = 2'000;           // the store's positions stand in for a commit that fails
constexpr int64_t kCommitIntervalNs = 500 * kNsPerMs;
constexpr int64_t kAssignRetryNs = 500 * kNsPerMs;
constexpr int64_t kHeldRetryNs = kNsPerSecond;  // of a partition that waits for a schema (guessed)

int64_t now_ns() {
  return real_clock().monotonic_ns();
}

// Errors after which reading on would skip data.
bool loses_data(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR__LOG_TRUNCATION:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
    case RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return true;
    default:
      return false;
  }
}

// Of those: the offset is not in the broker's log, rather than the message there unreadable.
bool offset_is_gone(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || code == RD_KAFKA_RESP_ERR__LOG_TRUNCATION ||
         code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE;
}

}  // namespace

Result<std::unique_ptr<ConsumerLoop>> ConsumerLoop::make(KafkaSourceOptions options, Engine& engine,
                                                         MetricsRegistry& metrics,
                                                         std::unique_ptr<Decoder> decoder) {
  VARVE_ASSIGN(const auto rule, with_context(StartRule::parse(options.start), options.name));
  VARVE_ASSIGN(
      auto consumer,
      with_context(KafkaConsumer::open({options.brokers, options.group, options.topics, options.properties}),
                   options.name));
  std::unique_ptr<RowProcessor> processor;
  if (options.make_processor) {
    VARVE_ASSIGN(processor, with_context(options.make_processor(engine), options.name));
  }
  std::unique_ptr<RawArchive> archive;
  if (!options.archive.directory.empty()) {
    VARVE_ASSIGN(archive, with_context(RawArchive::open(options.archive), options.name));
  }
  std::unique_ptr<ConsumerLoop> loop(new ConsumerLoop(std::move(options), engine, metrics, rule,
                                                      std::move(decoder), std::move(consumer),
                                                      std::move(archive)));
  loop->pipeline_.process_with(std::move(processor));
  return loop;
}

ConsumerLoop::ConsumerLoop(KafkaSourceOptions options, Engine& engine, MetricsRegistry& metrics,
                           StartRule rule, std::unique_ptr<Decoder> decoder,
                           std::unique_ptr<KafkaConsumer> consumer, std::unique_ptr<RawArchive> archive)
    : options_(std::move(options)),
      engine_(engine),
      metrics_(metrics),
      commit_metadata_(commit_metadata(engine.status().store_id)),
      rows_counter_(
          metrics.counter("varve_ingest_rows_total", "Rows taken in.", {{"source", options_.name}})),
      messages_counter_(
          metrics.counter("varve_ingest_messages_total", "Messages taken in.", {{"source", options_.name}})),
      bytes_counter_(metrics.counter("varve_ingest_bytes_total", "Payload bytes taken in.",
                                     {{"source", options_.name}})),
      pipeline_(options_.name, engine, std::move(decoder)),
      assignment_(options_.group, rule),
      consumer_(std::move(consumer)),
      archive_(std::move(archive)),
      polled_(kPollMessages) {
  status_.name = options_.name;
  status_.kind = "kafka";
  publish_status();
  collector_ = metrics_.add_collector([this] { update_lag_gauges(); });
}

ConsumerLoop::~ConsumerLoop() {
  metrics_.remove_collector(collector_);
  release_messages();
}

void ConsumerLoop::release_messages() {
  for (rd_kafka_message_t* message : kept_) rd_kafka_message_destroy(message);
  kept_.clear();
  headers_.clear();
}

void ConsumerLoop::step() {
  if (!failure_) failure_ = window_->failure();
  if (failure_ && !paused_) set_paused(true);
  if (failure_ && failure_->code == ErrorCode::kUnavailable && window_->in_flight() == 0) start_over();
  append_held();
  if (held_ && !paused_ && !failure_) {
    wait_out_pressure();
  } else {
    retry_held_partitions();
    poll_round();
    seal_polled();
    append_held();
  }
  handle_rebalances();
  commit_now_and_then();
  consumer_->probe();
  roll_archive();
  publish_status();
}

void ConsumerLoop::poll_round() {
  const int64_t deadline = now_ns() + kRoundNs;
  do {
    const int64_t left_ms = std::max<int64_t>((deadline - now_ns()) / kNsPerMs, 0);
    const size_t count = consumer_->poll(polled_, static_cast<int>(left_ms));
    for (size_t i = 0; i < count; ++i) take_message(*polled_[i]);
    kept_.insert(kept_.end(), polled_.begin(), polled_.begin() + static_cast<std::ptrdiff_t>(count));
    if (count < polled_.size()) return;  // the time has passed, or the queue was interrupted
  } while (!pipeline_.full());
}

void ConsumerLoop::take_message(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) return take_error(message);
  KafkaPartition* partition = assignment_.find(message);
  if (partition == nullptr || failure_) return;
  if (partition->verify != kNoFingerprint) {
    verify(*partition, message);
    if (!partition->is_read()) return;
  }
  headers_.emplace_back(message);
  const PolledMessage polled = polled_message(message, *partition, headers_.back());
  if (const auto ready = pipeline_.prepare(polled); !ready) {
    return hold(*partition, message.offset, ready.error().message);
  }
  if (!partition->waiting.empty()) partition->waiting.clear();
  if (pipeline_.add(polled) && archive_ != nullptr) archive_->add(raw_message(message));
}

void ConsumerLoop::take_error(const rd_kafka_message_t& message) {
  const std::string text = rd_kafka_message_errstr(&message);
  const std::string topic = message.rkt == nullptr ? "" : rd_kafka_topic_name(message.rkt);
  if (loses_data(message.err)) {
    KafkaPartition* partition = assignment_.find(message);
    if (partition == nullptr) return;
    if (std::exchange(partition->verify, kNoFingerprint) != kNoFingerprint) {
      // The message before ours is gone, which may be retention's work: ours decides.
      const auto skipped = consumer_->resume_at({partition->id, partition->next_read, {}});
      if (skipped) return;
    }
    const int64_t next = partition->next_read;
    return halt(*partition, offset_is_gone(message.err) ? next : std::max(next, message.offset) + 1, text);
  }
  switch (message.err) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      topic_problems_[topic] = fmt::format("topic {} does not exist on {}; it is read once it is created",
                                           topic, options_.brokers);
      return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
      topic_problems_[topic] = fmt::format("topic {} on {}: {}", topic, options_.brokers, text);
      return;
    case RD_KAFKA_RESP_ERR__FATAL:
      failure_ = unavailable("the Kafka client cannot go on: " + text);
      return;
    default:
      if (oddity_log_.allow()) log_warn(options_.name, text);
      return;
  }
}

void ConsumerLoop::hold(KafkaPartition& partition, int64_t offset, std::string why) {
  const bool is_news = partition.waiting.empty();
  partition.waiting =
      fmt::format("{}[{}] waits at offset {}: {}", partition.id.topic, partition.id.partition, offset, why);
  partition.holding = true;
  partition.wait_offset = offset;
  partition.retry_ns = now_ns() + kHeldRetryNs;
  if (is_news) log_warn(options_.name, partition.waiting);
  consumer_->pause({partition.id});
}

void ConsumerLoop::retry_held_partitions() {
  if (paused_ || failure_) return;
  for (KafkaPartition* partition : assignment_.assigned()) {
    if (!partition->holding || !partition->halted.empty() || now_ns() < partition->retry_ns) continue;
    if (const auto resumed = consumer_->resume_at({partition->id, partition->wait_offset, {}}); !resumed) {
      partition->retry_ns = now_ns() + kHeldRetryNs;
      if (oddity_log_.allow()) log_warn(options_.name, resumed.error().message);
      continue;
    }
    partition->holding = false;
  }
}

void ConsumerLoop::seal_polled() {
  if (!pipeline_.empty() && !held_) {
    held_ = pipeline_.seal();
    held_since_ns_ = now_ns();
  }
  if (pipeline_.empty()) release_messages();  // else its payloads point into them
}

void ConsumerLoop::append_held() {
  if (!held_ || failure_) return;
  // After held_ was admitted: the engine takes nothing admitted before a failure we have not seen (engine.h).
  if ((failure_ = window_->failure())) return;
  refusal_.clear();
  if (window_->in_flight() >= kAppendsInFlightMax) return;
  if (!archive_held()) return;
  window_->started();
  const auto taken = engine_.append(
      std::move(held_->write), [window = window_, progress = held_->next_offsets](const Result<Lsn>& lsn) {
        if (!lsn) return window->finished(lsn.error());
        for (const auto& [partition, next_offset] : progress) {
          // In order of the log, so it only grows; a partition that came back further on must not go back.
          if (partition->durable_offset.load() < next_offset) partition->durable_offset.store(next_offset);
        }
        window->finished({});
      });
  if (taken) {
    count(*held_);
    held_.reset();
    if (paused_) set_paused(false);
    return;
  }
  window_->finished({});
  if (taken.error().code == ErrorCode::kUnavailable) {
    refusal_ = taken.error().message;
  } else {
    failure_ = taken.error();
  }
}

void ConsumerLoop::count_processed(const ProcessCounts& counts) {
  const auto add = [&](const char* name, const char* help, uint64_t n) {
    if (n > 0) metrics_.counter(name, help, {{"source", options_.name}}).add(n);
  };
  add("varve_ingest_filtered_total", "Rows that `where` did not let pass.", counts.filtered);
  add("varve_ingest_deduped_total", "Rows dropped as seen before.", counts.deduped);
  add("varve_ingest_enrich_misses_total", "Lookups of enrich without an answer.", counts.enrich_misses);
}

// Before the log has their positions: a restart never comes back to them. Nothing to do when it was synced before.
bool ConsumerLoop::archive_held() {
  if (archive_ == nullptr) return true;
  const auto synced = archive_->sync();
  if (!synced) refusal_ = "the archive cannot be written: " + synced.error().message;
  return synced.has_value();
}

void ConsumerLoop::roll_archive() {
  if (archive_ == nullptr || now_ns() < next_archive_roll_ns_) return;
  next_archive_roll_ns_ = now_ns() + kNsPerSecond;
  const auto rolled = archive_->roll_aged();
  if (!rolled && oddity_log_.allow()) log_warn(options_.name, "archive: " + rolled.error().message);
}

void ConsumerLoop::count(const SealedWrite& sealed) {
  rows_counter_.add(sealed.rows);
  messages_counter_.add(sealed.messages);
  bytes_counter_.add(sealed.bytes);
  for (const auto& [reason, n] : sealed.rejected) {
    metrics_
        .counter("varve_ingest_rejected_total", "Messages or rows sent to the quarantine.",
                 {{"source", options_.name}, {"reason", reason}})
        .add(n);
  }
  if (sealed.tombstones > 0) {
    metrics_
        .counter("varve_ingest_tombstones_total", "Messages with a null value: no rows, not refused.",
                 {{"source", options_.name}})
        .add(sealed.tombstones);
  }
  count_processed(sealed.processed);
  const std::lock_guard lock(status_mutex_);
  status_.filtered_total += sealed.processed.filtered;
  status_.deduped_total += sealed.processed.deduped;
  status_.enrich_misses_total += sealed.processed.enrich_misses;
  status_.messages_total += sealed.messages;
  status_.rows_total += sealed.rows;
  for (const auto& [reason, n] : sealed.rejected) {
    status_.rejected_total += n;
    status_.rejected_by_reason[reason] += n;
  }
}

void ConsumerLoop::wait_out_pressure() {
  if (now_ns() - held_since_ns_ >= kPauseAfterNs) return set_paused(true);
  if (refusal_.empty()) {
    window_->wait_until_at_most(kAppendsInFlightMax - 1, kRetryNs);
  } else {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kRetryNs));
  }
}

void ConsumerLoop::set_paused(bool paused) {
  paused_ = paused;
  if (paused) {
    consumer_->pause(assignment_.assigned_ids());
    return;
  }
  std::vector<TopicPartition> readable;
  for (const KafkaPartition* partition : assignment_.assigned()) {
    if (partition->is_read()) readable.push_back(partition->id);
  }
  consumer_->resume(readable);
}

void ConsumerLoop::start_over() {
  const std::string why = failure_->message;
  if (read_from_durable()) {
    log_warn(options_.name, fmt::format("reading again what the store could not keep: {}", why));
  }
}

bool ConsumerLoop::read_from_durable() {
  const std::vector<PartitionOffset> from = assignment_.rewind();
  if (const auto assigned = consumer_->assign(from); !assigned) return false;
  held_.reset();
  (void)pipeline_.seal();
  release_messages();
  window_ = std::make_shared<AppendWindow>();
  failure_.reset();
  for (KafkaPartition* partition : assignment_.assigned()) {
    // A start that was looked up must become durable before anything is read behind it.
    if (partition->next_read > 0) pipeline_.add_position(*partition, partition->next_read);
    if (!partition->halted.empty()) consumer_->pause({partition->id});
  }
  set_paused(false);
  return true;
}

bool ConsumerLoop::drain(int64_t timeout_ns) {
  const int64_t deadline = now_ns() + timeout_ns;
  while (!failure_ && now_ns() < deadline) {
    seal_polled();
    append_held();
    if (!held_ && pipeline_.empty()) {
      if (window_->wait_until_at_most(0, deadline - now_ns())) break;
    } else {
      std::this_thread::sleep_for(std::chrono::nanoseconds(kRetryNs));
    }
    failure_ = window_->failure();
  }
  return !held_ && pipeline_.empty() && window_->in_flight() == 0;
}

void ConsumerLoop::handle_rebalances() {
  if (pending_assign_ && now_ns() >= next_assign_try_ns_ && handle_assigned(*pending_assign_)) {
    pending_assign_.reset();
  }
  while (auto rebalance = consumer_->take_rebalance()) {
    pending_assign_.reset();
    if (!rebalance->assigned) {
      handle_revoked();
    } else if (!handle_assigned(*rebalance)) {
      pending_assign_ = std::move(rebalance);
    }
  }
}

bool ConsumerLoop::handle_assigned(const Rebalance& rebalance) {
  auto starts = assignment_.find_starts(rebalance.partitions, *consumer_, engine_);
  Result<void> assigned;
  std::vector<PartitionOffset> offsets;
  if (starts) {
    for (const auto& start : *starts) {
      offsets.push_back({start.partition->id, start.offset - (start.verify != kNoFingerprint ? 1 : 0), {}});
    }
    assigned = consumer_->assign(offsets);
  } else {
    assigned = starts.error();
  }
  if (!assigned) {
    assign_problem_ = assigned.error().message;
    next_assign_try_ns_ = now_ns() + kAssignRetryNs;
    return false;
  }
  assignment_.assign(*starts);
  assign_problem_.clear();
  joined_ = true;
  for (const auto& start : *starts) {
    topic_problems_.erase(start.partition->id.topic);
    if (start.by_rule) pipeline_.add_position(*start.partition, start.offset);
  }
  if (paused_) set_paused(true);  // a new assignment starts unpaused
  log_info(options_.name,
           fmt::format("group {} gave this member {} partitions", options_.group, starts->size()));
  return true;
}

void ConsumerLoop::handle_revoked() {
  const bool lost = consumer_->assignment_lost();
  const bool drained = drain(kDrainNs);
  if (!drained) {
    log_warn(options_.name,
             "partitions are given back while writes are still waiting; the store's own positions "
             "settle where reading resumes");
  }
  const auto offsets = offsets_to_commit();
  if (!lost && !offsets.empty()) consumer_->commit_and_wait(offsets, kFinalCommitMs);
  assignment_.unassign();
  consumer_->unassign();
  joined_ = false;
}

std::vector<PartitionOffset> ConsumerLoop::offsets_to_commit() const {
  std::vector<PartitionOffset> offsets;
  for (const KafkaPartition* partition : assignment_.assigned()) {
    const int64_t durable = partition->durable_offset.load();
    if (durable > partition->committed && (durable > 0 || partition->moved))
      offsets.push_back({partition->id, durable, commit_metadata_});
  }
  return offsets;
}

void ConsumerLoop::commit_now_and_then() {
  for (const auto& done : consumer_->take_committed()) {
    KafkaPartition* partition = assignment_.find(done.id);
    if (partition != nullptr) partition->committed = done.offset;
  }
  if (now_ns() < next_commit_ns_) return;
  const auto offsets = offsets_to_commit();
  if (offsets.empty() || !consumer_->commit(offsets)) return;
  next_commit_ns_ = now_ns() + kCommitIntervalNs;
}

void ConsumerLoop::shut_down() {
  if (!drain(kDrainNs) && !failure_) {
    log_warn(options_.name, "stopped while writes were still waiting; they will be read from Kafka again");
  }
  const auto offsets = offsets_to_commit();
  if (!offsets.empty()) consumer_->commit_and_wait(offsets, kFinalCommitMs);
  release_messages();  // librdkafka waits for every message it handed out
  consumer_.reset();   // leaves the group
  const std::lock_guard lock(status_mutex_);
  status_.state = "stopped";
  status_.detail.clear();
}

}  // namespace varve
