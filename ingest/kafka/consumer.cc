#include "ingest/kafka/consumer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <regex.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "storage/base/log.h"

namespace varve {
namespace {

constexpr int kQuestionTimeoutMs = 5'000;  // for committed and looked-up offsets; asked again afterwards
constexpr int kProbeTimeoutMs = 1'000;
constexpr int64_t kProbeIntervalNs = kNsPerSecond;

std::map<std::string, std::string> consumer_defaults(const KafkaConsumer::Options& options) {
  return {
      {"bootstrap.servers", options.brokers},
      {"group.id", options.group},
      {"client.id", "varve"},
      // Exactly once rests on these; see check_properties().
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},  // never skip silently: a lost offset halts its partition
      {"partition.assignment.strategy", "range,roundrobin"},
      {"check.crcs", "true"},
      {"enable.partition.eof", "false"},
      {"allow.auto.create.topics", "false"},  // a misspelt topic must not come to life
      // A topic or partition created later is found within 5 s (5 min by default).
      {"topic.metadata.refresh.interval.ms", "5000"},
      // After a crash the broker keeps the dead member's partitions this long (45 s by default).
      {"session.timeout.ms", "10000"},
      {"reconnect.backoff.max.ms", "2000"},  // a returned broker is noticed within 2 s
      // A fetch that finds nothing is answered after this long: it bounds how old the lag figure is.
      {"fetch.wait.max.ms", "100"},
      // When the local queue is full, look again soon: at the default of 1 s a fast consumer runs dry.
      {"fetch.queue.backoff.ms", "10"},
      // Prefetch: per partition about 0.1 s at full speed; in all at most 32 MiB of payload, which with
      // librdkafka's own bookkeeping (some 400 bytes a message) is about 100 MiB of small messages.
      {"queued.min.messages", "50000"},
      {"queued.max.messages.kbytes", "32768"},
      {"log.connection.close", "false"},
  };
}

// What a user may not change, and why.
Result<void> check_properties(const std::map<std::string, std::string>& properties) {
  struct Fixed {
    const char* key;
    const char* why;
  };
  static constexpr std::array<Fixed, 5> kFixed{{
      {"bootstrap.servers", "set it with the key brokers"},
      {"group.id", "set it with the key group"},
      {"enable.auto.commit", "offsets are committed after the log is synced"},
      {"enable.auto.offset.store", "offsets are committed after the log is synced"},
      {"auto.offset.reset",
       "an offset that is gone must halt its partition, not skip data; see the key start"},
  }};
  for (const auto& [key, why] : kFixed) {
    if (properties.contains(key))
      return invalid_argument(fmt::format("Kafka property {} cannot be set: {}", key, why));
  }
  const auto strategy = properties.find("partition.assignment.strategy");
  if (strategy != properties.end() && strategy->second.find("cooperative") != std::string::npos) {
    return invalid_argument(
        "Kafka property partition.assignment.strategy cannot be cooperative: use range or roundrobin");
  }
  const auto protocol = properties.find("group.protocol");
  if (protocol != properties.end() && protocol->second != "classic") {
    return invalid_argument("Kafka property group.protocol must be classic");
  }
  return {};
}

KafkaPartitionList to_list(const std::vector<TopicPartition>& partitions) {
  KafkaPartitionList list = make_partition_list();
  for (const auto& id : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), id.topic.c_str(), id.partition);
  }
  return list;
}

KafkaPartitionList to_list(const std::vector<PartitionOffset>& offsets) {
  KafkaPartitionList list = make_partition_list();
  for (const auto& entry : offsets) {
    auto* added = rd_kafka_topic_partition_list_add(list.get(), entry.id.topic.c_str(), entry.id.partition);
    added->offset = entry.offset;
    if (entry.metadata.empty()) continue;
    added->metadata = rd_kafka_mem_malloc(nullptr, entry.metadata.size());  // freed with the list
    std::memcpy(added->metadata, entry.metadata.data(), entry.metadata.size());
    added->metadata_size = entry.metadata.size();
  }
  return list;
}

std::span<const rd_kafka_topic_partition_t> elements(const rd_kafka_topic_partition_list_t* list) {
  if (list == nullptr) return {};
  return {list->elems, static_cast<size_t>(list->cnt)};
}

// As a subscription takes names.
bool is_topic_like(const std::string& wanted, const char* topic) {
  if (!wanted.starts_with('^')) return wanted == topic;
  regex_t pattern;
  if (regcomp(&pattern, wanted.c_str(), REG_EXTENDED | REG_NOSUB) != 0) return false;
  const bool matches = regexec(&pattern, topic, 0, nullptr, 0) == 0;
  regfree(&pattern);
  return matches;
}

}  // namespace

Result<std::unique_ptr<KafkaConsumer>> KafkaConsumer::open(Options options) {
  std::unique_ptr<KafkaConsumer> consumer(new KafkaConsumer);
  VARVE_TRY(consumer->start(std::move(options)));
  return consumer;
}

Result<void> KafkaConsumer::start(Options options) {
  VARVE_TRY(check_properties(options.properties));
  group_ = options.group;
  if (!options.topics.empty()) probe_topic_ = options.topics.front();
  VARVE_ASSIGN(auto conf, make_kafka_conf(consumer_defaults(options), options.properties));
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_rebalance_cb(conf.get(), on_rebalance);
  rd_kafka_conf_set_offset_commit_cb(conf.get(), on_commit);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  VARVE_ASSIGN(client_, make_kafka_client(RD_KAFKA_CONSUMER, std::move(conf)));
  rd_kafka_poll_set_consumer(client_.get());  // errors and commit answers come out of the same queue
  queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
  probe_queue_.reset(rd_kafka_queue_new(client_.get()));

  if (options.topics.empty()) return {};
  KafkaPartitionList topics = make_partition_list();
  for (const auto& topic : options.topics) {
    rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  }
  const auto code = rd_kafka_subscribe(client_.get(), topics.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return invalid_argument(fmt::format("cannot subscribe to \"{}\": {}", fmt::join(options.topics, "\", \""),
                                        kafka_error_text(code)));
  }
  return {};
}

KafkaConsumer::~KafkaConsumer() {
  if (client_ == nullptr) return;
  closing_ = true;  // on_rebalance answers by itself now: nobody asks take_rebalance() any more
  if (!rebalances_.empty()) rd_kafka_assign(client_.get(), nullptr);
  rd_kafka_consumer_close(client_.get());
}

size_t KafkaConsumer::poll(std::span<rd_kafka_message_t*> messages, int timeout_ms) {
  const ssize_t count =
      rd_kafka_consume_batch_queue(queue_.get(), timeout_ms, messages.data(), messages.size());
  return count > 0 ? static_cast<size_t>(count) : 0;
}

std::optional<Rebalance> KafkaConsumer::take_rebalance() {
  if (rebalances_.empty()) return std::nullopt;
  Rebalance next = std::move(rebalances_.front());
  rebalances_.pop_front();
  return next;
}

Result<void> KafkaConsumer::assign(const std::vector<PartitionOffset>& start) {
  const auto code = rd_kafka_assign(client_.get(), to_list(start).get());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return unavailable("cannot take the assigned partitions: " + kafka_error_text(code));
}

void KafkaConsumer::unassign() {
  rd_kafka_assign(client_.get(), nullptr);
}

void KafkaConsumer::pause(const std::vector<TopicPartition>& partitions) {
  rd_kafka_pause_partitions(client_.get(), to_list(partitions).get());
}

void KafkaConsumer::resume(const std::vector<TopicPartition>& partitions) {
  rd_kafka_resume_partitions(client_.get(), to_list(partitions).get());
}

Result<void> KafkaConsumer::resume_at(const PartitionOffset& place) {
  const KafkaPartitionList list = to_list(std::vector<PartitionOffset>{place});
  // Resuming first, as it goes on behind the last message handed out; the seek makes what it fetches outdated.
  rd_kafka_resume_partitions(client_.get(), list.get());
  const KafkaOwned<rd_kafka_error_t> error(
      rd_kafka_seek_partitions(client_.get(), list.get(), kQuestionTimeoutMs));
  const auto code = error != nullptr ? rd_kafka_error_code(error.get()) : list->elems[0].err;
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  rd_kafka_pause_partitions(client_.get(), list.get());
  return unavailable(fmt::format("going back to offset {} of {}[{}]: {}", place.offset, place.id.topic,
                                 place.id.partition, kafka_error_text(code)));
}

Result<std::vector<PartitionOffset>> KafkaConsumer::answered(rd_kafka_resp_err_t code,
                                                             KafkaPartitionList list,
                                                             const char* question) const {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return unavailable(fmt::format("{}: {}", question, kafka_error_text(code)));
  std::vector<PartitionOffset> offsets;
  for (const auto& element : elements(list.get())) {
    if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return unavailable(fmt::format("{} of {}[{}]: {}", question, element.topic, element.partition,
                                     kafka_error_text(element.err)));
    }
    PartitionOffset& offset = offsets.emplace_back();
    offset.id = {element.topic, element.partition};
    offset.offset = element.offset >= 0 ? element.offset : -1;
    if (element.metadata != nullptr) {
      offset.metadata.assign(static_cast<const char*>(element.metadata), element.metadata_size);
    }
  }
  return offsets;
}

Result<std::vector<TopicPartition>> KafkaConsumer::partitions_of(const std::vector<std::string>& topics) {
  const struct rd_kafka_metadata* answer = nullptr;
  const auto code = rd_kafka_metadata(client_.get(), 1, nullptr, &answer, kQuestionTimeoutMs);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    std::array<rd_kafka_message_t*, 1> none{};
    while (poll(none, 0) > 0) rd_kafka_message_destroy(none[0]);  // on_error() hears why
    return unavailable(last_network_error_.empty() ? "asking for the topics: " + kafka_error_text(code)
                                                   : last_network_error_);
  }
  const KafkaOwned<const struct rd_kafka_metadata> metadata(answer);
  std::vector<TopicPartition> ids;
  for (const auto& topic : std::span(metadata->topics, static_cast<size_t>(metadata->topic_cnt))) {
    if (std::none_of(topics.begin(), topics.end(),
                     [&](const std::string& name) { return is_topic_like(name, topic.topic); })) {
      continue;
    }
    for (int i = 0; i < topic.partition_cnt; ++i) ids.push_back({topic.topic, topic.partitions[i].id});
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

Result<std::vector<PartitionOffset>> KafkaConsumer::committed(const std::vector<TopicPartition>& partitions) {
  KafkaPartitionList list = to_list(partitions);
  const auto code = rd_kafka_committed(client_.get(), list.get(), kQuestionTimeoutMs);
  return answered(code, std::move(list), "asking for the committed offsets");
}

Result<std::vector<PartitionOffset>> KafkaConsumer::offsets_for_time(
    const std::vector<TopicPartition>& partitions, int64_t time_ms) {
  KafkaPartitionList list = to_list(partitions);
  for (int i = 0; i < list->cnt; ++i) list->elems[i].offset = time_ms;
  const auto code = rd_kafka_offsets_for_times(client_.get(), list.get(), kQuestionTimeoutMs);
  return answered(code, std::move(list), "asking for the offsets of the start time");
}

Result<OffsetRange> KafkaConsumer::offset_range(const TopicPartition& partition) {
  OffsetRange range;
  const auto code =
      rd_kafka_query_watermark_offsets(client_.get(), partition.topic.c_str(), partition.partition,
                                       &range.low, &range.high, kQuestionTimeoutMs);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return range;
  return unavailable(fmt::format("asking for the offsets of {}[{}]: {}", partition.topic, partition.partition,
                                 kafka_error_text(code)));
}

Result<int64_t> KafkaConsumer::end_offset(const TopicPartition& partition) {
  VARVE_ASSIGN(const OffsetRange range, offset_range(partition));
  return range.high;
}

std::optional<int64_t> KafkaConsumer::high_watermark(const TopicPartition& partition) const {
  int64_t low = 0;
  int64_t high = 0;
  const auto code = rd_kafka_get_watermark_offsets(client_.get(), partition.topic.c_str(),
                                                   partition.partition, &low, &high);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0) return std::nullopt;
  return high;
}

bool KafkaConsumer::commit(const std::vector<PartitionOffset>& offsets) {
  if (commit_outstanding_) return false;
  const auto code = rd_kafka_commit(client_.get(), to_list(offsets).get(), 1);
  commit_outstanding_ = code == RD_KAFKA_RESP_ERR_NO_ERROR;
  return commit_outstanding_;
}

std::vector<PartitionOffset> KafkaConsumer::take_committed() {
  return std::exchange(committed_, {});
}

void KafkaConsumer::commit_and_wait(const std::vector<PartitionOffset>& offsets, int timeout_ms) {
  // rd_kafka_commit(..., sync) waits without limit while the coordinator is away; a queue of our own does
  // not.
  const KafkaOwned<rd_kafka_queue_t> answers(rd_kafka_queue_new(client_.get()));
  const auto code =
      rd_kafka_commit_queue(client_.get(), to_list(offsets).get(), answers.get(), nullptr, nullptr);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return note_commit(code, nullptr);
  const KafkaOwned<rd_kafka_event_t> event(rd_kafka_queue_poll(answers.get(), timeout_ms));
  if (event == nullptr) return note_commit(RD_KAFKA_RESP_ERR__TIMED_OUT, nullptr);
  note_commit(rd_kafka_event_error(event.get()), rd_kafka_event_topic_partition_list(event.get()));
}

void KafkaConsumer::note_commit(rd_kafka_resp_err_t code, const rd_kafka_topic_partition_list_t* offsets) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // Harmless: our own positions rule, and the next commit repeats it.
    if (commit_log_.allow()) {
      log_info("kafka", "an offset commit was not taken and will be repeated: " + kafka_error_text(code));
    }
    return;
  }
  for (const auto& element : elements(offsets)) {
    if (element.err != RD_KAFKA_RESP_ERR_NO_ERROR) continue;
    committed_.push_back({{element.topic, element.partition}, element.offset, {}});
  }
}

void KafkaConsumer::probe() {
  if (probe_outstanding_) {
    const KafkaOwned<rd_kafka_event_t> answer(rd_kafka_queue_poll(probe_queue_.get(), 0));
    if (answer == nullptr) return;
    probe_outstanding_ = false;
    // An error a broker sent is a sign of life too; librdkafka's own are below RD_KAFKA_RESP_ERR__END.
    if (rd_kafka_event_error(answer.get()) > RD_KAFKA_RESP_ERR__END) {
      suspect_ = false;
      unreachable_.clear();
    } else {
      unreachable_ = last_network_error_;
    }
  }
  const int64_t now = real_clock().monotonic_ns();
  if (!suspect_ || now < next_probe_ns_) return;
  next_probe_ns_ = now + kProbeIntervalNs;
  // The group's coordinator is asked, because it is the one a member cannot do without.
  const KafkaOwned<rd_kafka_AdminOptions_t> options(
      rd_kafka_AdminOptions_new(client_.get(), RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS));
  std::array<char, 256> text{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kProbeTimeoutMs, text.data(), text.size());
  const KafkaOwned<rd_kafka_ListConsumerGroupOffsets_t> question(rd_kafka_ListConsumerGroupOffsets_new(
      group_.c_str(), to_list(std::vector<TopicPartition>{{probe_topic_, 0}}).get()));
  rd_kafka_ListConsumerGroupOffsets_t* questions = question.get();
  rd_kafka_ListConsumerGroupOffsets(client_.get(), &questions, 1, options.get(), probe_queue_.get());
  probe_outstanding_ = true;
}

void KafkaConsumer::on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t code,
                                 rd_kafka_topic_partition_list_t* list, void* opaque) {
  auto& self = *static_cast<KafkaConsumer*>(opaque);
  if (self.closing_) {
    rd_kafka_assign(client, nullptr);
    return;
  }
  Rebalance& rebalance = self.rebalances_.emplace_back();
  rebalance.assigned = code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  for (const auto& element : elements(list))
    rebalance.partitions.push_back({element.topic, element.partition});
}

void KafkaConsumer::on_commit(rd_kafka_t*, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t* list,
                              void* opaque) {
  auto& self = *static_cast<KafkaConsumer*>(opaque);
  self.commit_outstanding_ = false;
  self.note_commit(code, list);
}

void KafkaConsumer::on_error(rd_kafka_t*, int code, const char* text, void* opaque) {
  auto& self = *static_cast<KafkaConsumer*>(opaque);
  // One connection of many, perhaps: whether any broker answers is for the probe to find out.
  self.suspect_ = true;
  // "All brokers down" says how many; the connection error before it says why.
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !self.last_network_error_.empty()) return;
  self.last_network_error_ = text;
  // "... failed: Connection refused (after 0ms in state CONNECT, 3 identical error(s) suppressed)"
  self.last_network_error_.resize(
      std::min(self.last_network_error_.find(" (after "), self.last_network_error_.size()));
}

}  // namespace varve
