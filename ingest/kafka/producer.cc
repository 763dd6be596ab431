#include "ingest/kafka/producer.h"

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <mutex>

#include "ingest/kafka/client.h"

namespace varve {
namespace {

constexpr int kQueueFullPollMs =
    10;  // room appears when deliveries are served; short enough to keep the pace

std::map<std::string, std::string> producer_defaults(const KafkaProducerOptions& options) {
  return {
      {"bootstrap.servers", options.brokers},
      {"client.id", "varve-produce"},
      {"enable.idempotence", "true"},  // a retried batch is stored once; implies acks=all
      {"acks", "all"},
      {"compression.type", "lz4"},        // JSON shrinks 3-5x at hardly any CPU
      {"partitioner", "murmur2_random"},  // the Java client's, so a key lands where other producers put it
      {"linger.ms", "10"},  // batches of thousands at full speed; not felt within "a second later"
      {"batch.num.messages", "10000"},
      {"queue.buffering.max.messages", "500000"},  // about a second at full speed ...
      {"queue.buffering.max.kbytes", "131072"},    // ... and at most 128 MiB
      {"message.timeout.ms", std::to_string(std::max<int64_t>(options.delivery_timeout_ns / kNsPerMs, 1))},
      {"reconnect.backoff.max.ms",
       "1000"},  // 10 s by default: too long for somebody waiting at a progress bar
      {"log.connection.close", "false"},
  };
}

class Producer : public KafkaProducer {
 public:
  // The librdkafka handle calls back into this object, so it is made before the handle and handed it by
  // attach().
  explicit Producer(KafkaProducerOptions options) : options_(std::move(options)) {}

  ~Producer() override {
    if (client_ == nullptr) return;
    // What is still queued was not wanted any more: without the purge, destroy would wait for it.
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client_.get(), 0);
  }

  Result<void> attach() {
    VARVE_ASSIGN(auto conf, make_kafka_conf(producer_defaults(options_), options_.properties));
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
    rd_kafka_conf_set_error_cb(conf.get(), on_error);
    VARVE_ASSIGN(client_, make_kafka_client(RD_KAFKA_PRODUCER, std::move(conf)));
    topic_.reset(rd_kafka_topic_new(client_.get(), options_.topic.c_str(), nullptr));
    if (topic_ == nullptr) {
      return invalid_argument(
          fmt::format("topic \"{}\": {}", options_.topic, kafka_error_text(rd_kafka_last_error())));
    }
    return {};
  }

  Result<void> produce(std::string_view key, std::string_view value, int64_t timestamp_ms) override {
    const int64_t deadline = real_clock().monotonic_ns() + options_.delivery_timeout_ns;
    while (true) {
      const rd_kafka_resp_err_t code = enqueue(key, value, timestamp_ms);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return refused(code, value.size());
      if (real_clock().monotonic_ns() >= deadline) {
        return unavailable(fmt::format("the queue to {} stayed full for {} s{}", options_.brokers,
                                       options_.delivery_timeout_ns / kNsPerSecond, reason_suffix()));
      }
      rd_kafka_poll(client_.get(), kQueueFullPollMs);
    }
  }

  void poll() override { rd_kafka_poll(client_.get(), 0); }

  Result<void> flush(int64_t timeout_ns) override {
    const auto code = rd_kafka_flush(client_.get(), static_cast<int>(timeout_ns / kNsPerMs));
    const int waiting = code == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : rd_kafka_outq_len(client_.get());
    const uint64_t undelivered = failed() + static_cast<uint64_t>(waiting);
    if (undelivered == 0) return {};
    return unavailable(fmt::format("{} messages were not delivered to topic {} on {}{}", undelivered,
                                   options_.topic, options_.brokers, reason_suffix()));
  }

  uint64_t delivered() const override { return delivered_.load(std::memory_order_relaxed); }
  uint64_t failed() const override { return failed_.load(std::memory_order_relaxed); }

 private:
  rd_kafka_resp_err_t enqueue(std::string_view key, std::string_view value, int64_t timestamp_ms) {
    std::array<rd_kafka_vu_t, 5> parts{};
    parts[0].vtype = RD_KAFKA_VTYPE_RKT;
    parts[0].u.rkt = topic_.get();
    parts[1].vtype = RD_KAFKA_VTYPE_KEY;
    parts[1].u.mem = {const_cast<char*>(key.data()), key.size()};  // NOLINT: copied, never written
    parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
    parts[2].u.mem = {const_cast<char*>(value.data()), value.size()};  // NOLINT
    parts[3].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
    parts[3].u.i = RD_KAFKA_MSG_F_COPY;
    parts[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    parts[4].u.i64 = timestamp_ms;
    const KafkaOwned<rd_kafka_error_t> error(rd_kafka_produceva(client_.get(), parts.data(), parts.size()));
    return error == nullptr ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error.get());
  }

  Error refused(rd_kafka_resp_err_t code, size_t bytes) {
    std::string text = kafka_error_text(code);
    if (code == RD_KAFKA_RESP_ERR__FATAL) {
      std::array<char, 512> fatal{};
      rd_kafka_fatal_error(client_.get(), fatal.data(), fatal.size());
      return unavailable(fmt::format("the producer cannot go on: {}", fatal.data()));
    }
    return invalid_argument(fmt::format("message of {} bytes for topic {}: {}", bytes, options_.topic, text));
  }

  // ": reason" of the first failure, else the last thing the network said.
  std::string reason_suffix() {
    const std::lock_guard lock(mutex_);
    const std::string& reason = first_failure_.empty() ? last_error_ : first_failure_;
    return reason.empty() ? "" : ": " + reason;
  }

  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto& self = *static_cast<Producer*>(opaque);
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      self.delivered_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    if (self.failed_.fetch_add(1, std::memory_order_relaxed) != 0) return;
    const std::lock_guard lock(self.mutex_);
    self.first_failure_ = kafka_error_text(message->err);  // rd_kafka_message_errstr would read the payload
    // "Message timed out" alone does not say why; the network's last word does.
    if (message->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT && !self.last_error_.empty()) {
      self.first_failure_ += " (" + self.last_error_ + ")";
    }
  }

  static void on_error(rd_kafka_t*, int code, const char* text, void* opaque) {
    auto& self = *static_cast<Producer*>(opaque);
    const std::lock_guard lock(self.mutex_);
    // "All brokers down" says less than the connection error before it.
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !self.last_error_.empty()) return;
    self.last_error_ = text;
  }

  KafkaProducerOptions options_;
  std::atomic<uint64_t> delivered_{0};
  std::atomic<uint64_t> failed_{0};
  std::mutex mutex_;
  std::string first_failure_;  // guarded by mutex_
  std::string last_error_;     // guarded by mutex_
  KafkaOwned<rd_kafka_t> client_;
  KafkaOwned<rd_kafka_topic_t> topic_;  // goes before the client
};

}  // namespace

Result<std::unique_ptr<KafkaProducer>> KafkaProducer::open(KafkaProducerOptions options) {
  if (options.brokers.empty())
    return invalid_argument("no brokers given; for example --brokers 127.0.0.1:9092");
  if (options.topic.empty()) return invalid_argument("no topic given; for example --topic readings");
  auto producer = std::make_unique<Producer>(std::move(options));
  VARVE_TRY(producer->attach());
  return std::unique_ptr<KafkaProducer>(std::move(producer));
}

}  // namespace varve
