// What a source tells about itself: the rest of ConsumerLoop is in consumer_loop.cc.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "ingest/kafka/consumer_loop.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr int64_t kPublishIntervalNs = 100 * kNsPerMs;

}  // namespace

bool ConsumerLoop::describe(SourceStatus& status) const {
  const std::vector<KafkaPartition*>& assigned = assignment_.assigned();
  const auto say = [&status](const char* state, std::string detail) {
    status.state = state;
    status.detail = std::move(detail);
    return true;
  };
  if (failure_) return say("halted", failure_->message);
  if (paused_) return say("paused", refusal_.empty() ? "the store is slow to finish writes" : refusal_);
  if (!consumer_->unreachable().empty()) {
    status.broker_unreachable = true;
    return say("connecting", fmt::format("cannot reach {}: {}", options_.brokers, consumer_->unreachable()));
  }
  if (!assign_problem_.empty()) return say("connecting", assign_problem_);
  size_t halted = 0;
  for (const KafkaPartition* partition : assigned) {
    if (partition->halted.empty()) continue;
    if (halted++ == 0) status.detail = partition->halted;
  }
  if (halted > 0) return say(halted == assigned.size() ? "halted" : "running", status.detail);
  const auto waits = [](const KafkaPartition* partition) { return !partition->waiting.empty(); };
  if (const auto first = std::find_if(assigned.begin(), assigned.end(), waits); first != assigned.end()) {
    const bool all = std::all_of(first, assigned.end(), waits) && first == assigned.begin();
    return say(all ? "paused" : "running", (*first)->waiting);
  }
  if (!topic_problems_.empty()) {
    return say(assigned.empty() ? "connecting" : "running", topic_problems_.begin()->second);
  }
  if (!joined_) {
    say("connecting", fmt::format("joining group {} on {}", options_.group, options_.brokers));
  } else {
    say("running", assigned.empty() ? "this group has more members than partitions" : "");
  }
  return false;
}

void ConsumerLoop::publish_status() {
  const int64_t now = real_clock().monotonic_ns();
  if (now < next_publish_ns_) return;
  next_publish_ns_ = now + kPublishIntervalNs;

  SourceStatus fresh;
  const bool wrong = describe(fresh);
  for (const KafkaPartition* partition : assignment_.assigned()) {
    PartitionStatus& out = fresh.partitions.emplace_back();
    out.topic = partition->id.topic;
    out.partition = partition->id.partition;
    out.next_offset = partition->durable_offset.load();
    out.high_watermark = consumer_->high_watermark(partition->id);
    if (out.high_watermark) out.lag = std::max<int64_t>(*out.high_watermark - out.next_offset, 0);
    if (out.lag == 0) {
      out.lag_seconds = 0;
    } else if (out.lag && partition->last_message_time_ns) {
      const int64_t behind_ns = real_clock().wall_ns() - *partition->last_message_time_ns;
      out.lag_seconds = static_cast<double>(std::max<int64_t>(behind_ns, 0)) / kNsPerSecond;
    }
    out.last_event_time_ns = partition->last_event_time_ns;
    out.halted = partition->halted;
  }
  const std::string problem = wrong ? fresh.detail : "";
  if (problem != logged_problem_ && (!wrong || problem_log_.allow())) {
    logged_problem_ = problem;
    if (wrong) {
      log_warn(options_.name, fmt::format("{}: {}", fresh.state, problem), {{"brokers", options_.brokers}});
    } else {
      log_info(options_.name, fresh.state);
    }
  }
  const std::lock_guard lock(status_mutex_);
  status_.state = std::move(fresh.state);
  status_.detail = std::move(fresh.detail);
  status_.broker_unreachable = fresh.broker_unreachable;
  status_.partitions = std::move(fresh.partitions);
  status_.messages_per_second = message_rate_.add(now, status_.messages_total);
  status_.rows_per_second = row_rate_.add(now, status_.rows_total);
}

SourceStatus ConsumerLoop::status() const {
  const std::lock_guard lock(status_mutex_);
  return status_;
}

void ConsumerLoop::update_lag_gauges() {
  constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
  struct Figures {
    double lag = kUnknown;
    double lag_seconds = kUnknown;
    double event_time = kUnknown;
    bool halted = false;
  };
  std::map<TopicPartition, Figures> figures;
  for (const TopicPartition& gone : gauged_) figures[gone] = {};  // until it is ours again
  for (const auto& partition : status().partitions) {
    Figures& out = figures[{partition.topic, partition.partition}];
    out.halted = !partition.halted.empty();
    if (partition.lag) out.lag = static_cast<double>(*partition.lag);
    if (partition.lag_seconds) out.lag_seconds = *partition.lag_seconds;
    if (partition.last_event_time_ns) {
      out.event_time = static_cast<double>(*partition.last_event_time_ns) / kNsPerSecond;
    }
  }
  for (const auto& [id, out] : figures) {
    gauged_.insert(id);
    const MetricLabels labels{
        {"source", options_.name}, {"topic", id.topic}, {"partition", std::to_string(id.partition)}};
    metrics_
        .gauge("varve_kafka_lag_messages", "Messages in the partition that are not durable here yet.", labels)
        .set(out.lag);
    metrics_.gauge("varve_kafka_partition_halted", "1: waits for an operator (varve ingest resume).", labels)
        .set(out.halted ? 1 : 0);
    metrics_
        .gauge("varve_kafka_lag_seconds",
               "Age of the last message taken while there is lag, by its Kafka timestamp; 0 without lag.",
               labels)
        .set(out.lag_seconds);
    metrics_
        .gauge("varve_kafka_last_event_timestamp_seconds", "Newest time of a row from the partition.", labels)
        .set(out.event_time);
  }
}

}  // namespace varve
