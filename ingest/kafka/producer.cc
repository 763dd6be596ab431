#include "ingest/kafka/producer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>

#include "ingest/kafka/client.h"

namespace varve {
namespace {

constexpr int kQueueFullPollMs =
    10;  // room appears when deliveries are served; short enough to keep the pace

// A broker that never answered is given up after this long: a wrong address or a stopped broker, rather than one that
// restarts (guessed; a few tries at librdkafka's backoff).
constexpr int64_t kFlushSliceNs = 100 * kNsPerMs;  // between looks whether anybody answers
constexpr int64_t kFirstAnswerNs = 4 * kNsPerSecond;

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
      if (given_up_) return unavailable(fmt::format("cannot reach {}{}", options_.brokers, reason_suffix()));
      const rd_kafka_resp_err_t code = enqueue(key, value, timestamp_ms);
      if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
      if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) return refused(code, value.size());
      if (nobody_answers()) give_up();
      if (real_clock().monotonic_ns() >= deadline) {
        return unavailable(fmt::format("the queue to {} stayed full for {} s{}", options_.brokers,
                                       options_.delivery_timeout_ns / kNsPerSecond, reason_suffix()));
      }
      rd_kafka_poll(client_.get(), kQueueFullPollMs);
    }
  }

  void poll() override {
    rd_kafka_poll(client_.get(), 0);
    if (nobody_answers()) give_up();
  }

  Result<void> flush(int64_t timeout_ns) override {
    const int64_t deadline = real_clock().monotonic_ns() + timeout_ns;
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int64_t left = timeout_ns; left >= 0 && code != RD_KAFKA_RESP_ERR_NO_ERROR;
         left = deadline - real_clock().monotonic_ns()) {
      code = rd_kafka_flush(client_.get(), static_cast<int>(std::min(left, kFlushSliceNs) / kNsPerMs));
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR && nobody_answers()) give_up();
    }
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

  bool nobody_answers() {
    if (given_up_ || delivered() > 0) return false;
    const std::lock_guard lock(mutex_);
    return down_since_ns_ != 0 && real_clock().monotonic_ns() - down_since_ns_ >= kFirstAnswerNs;
  }

  // What is queued is reported as failed at the next poll or flush.
  void give_up() {
    given_up_ = true;
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
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
    const bool silent =
        message->err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE;
    if (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE) self.first_failure_ = "no broker answers";
    if (silent && !self.last_error_.empty()) {
      self.first_failure_ += " (" + self.last_error_ + ")";
    }
  }

  static void on_error(rd_kafka_t*, int code, const char* text, void* opaque) {
    auto& self = *static_cast<Producer*>(opaque);
    const std::lock_guard lock(self.mutex_);
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && self.down_since_ns_ == 0) {
      self.down_since_ns_ = real_clock().monotonic_ns();
    }
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
  int64_t down_since_ns_ = 0;  // guarded by mutex_; when every broker was first found away
  bool given_up_ = false;      // the producing thread's
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
