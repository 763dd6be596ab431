#include "ingest/kafka/dead_letter.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "ingest/kafka/client.h"
#include "ingest/quarantine.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr size_t kChunkMessagesMax =
    500;  // between two saves of the position; at most 500 payloads of 64 KiB
constexpr int64_t kIdleWaitNs = 200 * kNsPerMs;
constexpr int64_t kRetryNs = 2 * kNsPerSecond;  // after a chunk that was not taken (guessed)
constexpr int kFlushStepMs = 200;               // how long stopping may have to wait
constexpr int64_t kDeliveryTimeoutNs = 30 * kNsPerSecond;

class Sink : public DeadLetterSink {
 public:
  Sink(const KafkaSourceOptions& options, MetricsRegistry& metrics, std::unique_ptr<LogCursor> cursor)
      : source_(options.name),
        topic_(options.dead_letter_topic),
        brokers_(options.brokers),
        properties_(options.properties),
        cursor_(std::move(cursor)),
        sent_(metrics.counter("varve_dead_letter_messages_total", "Refused messages the broker has taken.",
                              {{"source", options.name}})),
        errors_(metrics.counter("varve_dead_letter_errors_total", "Tries to send that failed.",
                                {{"source", options.name}})),
        lost_(metrics.counter("varve_dead_letter_lost_records_total",
                              "Log records gone before they were read.", {{"source", options.name}})),
        backlog_(metrics.gauge("varve_dead_letter_backlog_records", "Log records not looked at yet.",
                               {{"source", options.name}})) {}

  ~Sink() override {
    thread_ = {};  // before the client goes
    close_client();
  }

  Result<void> open_client() {
    delivered_ = 0;
    failure_.clear();
    std::map<std::string, std::string> properties = properties_;
    // Of a consumer alone; librdkafka would warn about them.
    for (const char* key : {"session.timeout.ms", "fetch.wait.max.ms", "partition.assignment.strategy"}) {
      properties.erase(key);
    }
    VARVE_ASSIGN(auto conf,
                 make_kafka_conf({{"bootstrap.servers", brokers_},
                                  {"client.id", "varve-dead-letter"},
                                  {"enable.idempotence", "true"},
                                  {"acks", "all"},
                                  {"partitioner", "murmur2_random"},
                                  {"linger.ms", "5"},
                                  {"message.timeout.ms", std::to_string(kDeliveryTimeoutNs / kNsPerMs)},
                                  {"reconnect.backoff.max.ms", "2000"},
                                  {"log.connection.close", "false"}},
                                 properties));
    rd_kafka_conf_set_opaque(conf.get(), this);
    rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
    VARVE_ASSIGN(client_, make_kafka_client(RD_KAFKA_PRODUCER, std::move(conf)));
    return {};
  }
  void start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }

 private:
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::vector<KeptInput> chunk;
      Lsn last = 0;
      while (chunk.size() < kChunkMessagesMax && !stop.stop_requested()) {
        LogRecord record;
        const auto more = cursor_->next(record, last == 0 ? kIdleWaitNs : 0);
        if (!more) {
          note_failure("cannot read the log: " + more.error().message);
          if (last == 0) wait(stop);
          break;
        }
        if (!*more) break;
        lost_.add(record.lost_before);
        pick(record, chunk);
        last = record.lsn;
      }
      backlog_.set(static_cast<double>(cursor_->backlog_records()));
      if (last == 0) continue;
      while (!chunk.empty() && !send(chunk, stop)) {
        if (stop.stop_requested()) return;  // not saved: it goes out again
        errors_.add();
        close_client();
        wait(stop);
        if (stop.stop_requested()) return;
      }
      sent_.add(chunk.size());
      if (const auto saved = cursor_->save(last); !saved) {
        note_failure("cannot save the position, so some go out again after a restart: " +
                     saved.error().message);
      }
    }
  }

  void pick(const LogRecord& record, std::vector<KeptInput>& chunk) const {
    for (const RowBatch& batch : record.batches) {
      if (batch.table != kQuarantineTable || batch.database != kDefaultDatabase) continue;
      for (size_t row = 0; row < batch.rows(); ++row) {
        auto input = read_kept_input(batch, row);
        if (input && input->source == source_) chunk.push_back(std::move(*input));
      }
    }
  }

  // True when the broker has all of them.
  bool send(const std::vector<KeptInput>& chunk, const std::stop_token& stop) {
    if (client_ == nullptr) {
      if (const auto opened = open_client(); !opened) {
        note_failure(opened.error().message);
        return false;
      }
    }
    delivered_ = 0;
    failure_.clear();
    for (const KeptInput& input : chunk) {
      if (const auto code = produce(input); code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        note_failure(kafka_error_text(code));
        return false;
      }
    }
    while (rd_kafka_outq_len(client_.get()) > 0 && !stop.stop_requested()) {
      rd_kafka_flush(client_.get(), kFlushStepMs);
    }
    if (delivered_ == chunk.size()) return true;
    if (!failure_.empty()) note_failure(failure_);
    return false;
  }

  rd_kafka_resp_err_t produce(const KeptInput& input) {
    std::vector<std::pair<std::string, std::string>> ours{
        {"varve.source", input.source},
        {"varve.topic", input.topic},
        {"varve.partition", std::to_string(input.partition)},
        {"varve.offset", std::to_string(input.offset)},
        {"varve.reason", input.reason},
        {"varve.detail", input.detail}};
    if (input.truncated) ours.emplace_back("varve.truncated", std::to_string(input.payload_bytes));
    std::vector<rd_kafka_vu_t> parts;
    const auto add = [&parts](rd_kafka_vtype_t type) -> rd_kafka_vu_t& {
      rd_kafka_vu_t& part = parts.emplace_back();
      part.vtype = type;
      return part;
    };
    const auto set = [&add](rd_kafka_vtype_t type, const std::string& bytes) {
      add(type).u.mem = {const_cast<char*>(bytes.data()), bytes.size()};  // NOLINT: copied, never written
    };
    add(RD_KAFKA_VTYPE_TOPIC).u.cstr = topic_.c_str();
    if (input.key) set(RD_KAFKA_VTYPE_KEY, *input.key);
    set(RD_KAFKA_VTYPE_VALUE, input.payload);
    add(RD_KAFKA_VTYPE_MSGFLAGS).u.i = RD_KAFKA_MSG_F_COPY;
    add(RD_KAFKA_VTYPE_TIMESTAMP).u.i64 = input.timestamp_ns / kNsPerMs;
    const auto header = [&add](const std::string& name, const std::string* value) {
      auto& out = add(RD_KAFKA_VTYPE_HEADER).u.header;
      out.name = name.c_str();
      out.val = value == nullptr ? nullptr : value->data();
      out.size = value == nullptr ? 0 : static_cast<ssize_t>(value->size());
    };
    for (const auto& [name, value] : input.headers) header(name, value ? &*value : nullptr);
    for (const auto& [name, value] : ours) header(name, &value);
    const KafkaOwned<rd_kafka_error_t> error(rd_kafka_produceva(client_.get(), parts.data(), parts.size()));
    return error == nullptr ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error.get());
  }

  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto& self = *static_cast<Sink*>(opaque);  // on the sink's thread, inside flush
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++self.delivered_;
    } else if (self.failure_.empty()) {
      self.failure_ = kafka_error_text(message->err);
    }
  }

  void close_client() {
    if (client_ == nullptr) return;
    // Without the purge, destroy would wait for what is queued; it goes out again from the log.
    rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(client_.get(), 0);
    client_.reset();
  }

  void wait(const std::stop_token& stop) {
    std::unique_lock lock(wait_mutex_);
    waits_.wait_for(lock, stop, std::chrono::nanoseconds(kRetryNs), [] { return false; });
  }

  void note_failure(const std::string& why) {
    if (!log_.allow()) return;
    log_warn(
        source_,
        fmt::format("dead letters for topic {} on {}: {}; nothing is lost: they are in {} and in the log",
                    topic_, brokers_, why, kQuarantineTable));
  }

  const std::string source_;
  const std::string topic_;
  const std::string brokers_;
  const std::map<std::string, std::string> properties_;
  const std::unique_ptr<LogCursor> cursor_;
  Counter& sent_;
  Counter& errors_;
  Counter& lost_;
  Gauge& backlog_;
  LogLimiter log_;
  KafkaOwned<rd_kafka_t> client_;
  size_t delivered_ = 0;  // of the chunk being sent
  std::string failure_;   // the first of it
  std::mutex wait_mutex_;
  std::condition_variable_any waits_;
  std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<DeadLetterSink>> DeadLetterSink::start(const KafkaSourceOptions& options,
                                                              Engine& engine, MetricsRegistry& metrics) {
  VARVE_ASSIGN(auto cursor, engine.open_cursor("dead_letter." + options.name));
  auto sink = std::make_unique<Sink>(options, metrics, std::move(cursor));
  VARVE_TRY(sink->open_client());
  sink->start();
  return std::unique_ptr<DeadLetterSink>(std::move(sink));
}

}  // namespace varve
