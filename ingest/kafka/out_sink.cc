#include "ingest/kafka/out_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "ingest/decode/decoder.h"
#include "ingest/kafka/client.h"
#include "ingest/kafka/out_avro.h"
#include "ingest/kafka/out_json.h"
#include "ingest/quarantine.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr int64_t kIdleWaitNs = 50 * kNsPerMs;  // for a record; how late delivery reports may be served
constexpr int kQueueFullPollMs = 50;
constexpr int kStopFlushMs = 2'000;  // for what the brokers have nearly confirmed
constexpr int64_t kSaveEveryNs = kNsPerSecond;
constexpr size_t kRecordsInFlightMax = 100'000;  // of the log, also those without rows to send (guessed)
constexpr std::string_view kRefusedReason = "kafka_out_refused";

std::map<std::string, std::string> out_defaults(const KafkaOutOptions& options) {
  return {
      {"bootstrap.servers", options.brokers},
      {"client.id", "varve-out"},
      {"enable.idempotence", "true"},  // a retried batch is stored once, in order
      {"acks", "all"},
      {"compression.type", "lz4"},
      {"partitioner", "murmur2_random"},  // the Java client's
      {"linger.ms", "20"},
      {"message.timeout.ms", "0"},  // a broker that is away is waited for: the log keeps the rest
      {"queue.buffering.max.messages", "500000"},
      {"queue.buffering.max.kbytes", std::to_string(KafkaOut::kQueueKbytes)},
      {"log.connection.close", "false"},
  };
}

bool selected(const std::vector<std::string>& tables, std::string_view table) {
  if (table.starts_with(kReservedTablePrefix)) return false;
  return std::any_of(tables.begin(), tables.end(),
                     [&](const std::string& name) { return name == "*" || name == table; });
}

class KafkaOutSink : public KafkaOut {
 public:
  KafkaOutSink(KafkaOutOptions options, Engine& engine, MetricsRegistry& metrics)
      : options_(std::move(options)),
        engine_(engine),
        store_id_(engine.status().store_id),
        rows_(metrics.counter("varve_kafka_out_rows_total", "Rows the brokers confirmed.",
                              {{"sink", options_.name}})),
        refused_(metrics.counter("varve_kafka_out_refused_total", "Rows too large for the topic.",
                                 {{"sink", options_.name}})),
        lost_(metrics.counter("varve_kafka_out_lost_records_total",
                              "Log records that went before they were sent.", {{"sink", options_.name}})),
        backlog_records_(metrics.gauge("varve_kafka_out_backlog_records", "Log records not yet confirmed.",
                                       {{"sink", options_.name}})),
        backlog_bytes_(metrics.gauge("varve_kafka_out_backlog_bytes", "Log bytes not yet confirmed.",
                                     {{"sink", options_.name}})) {
    status_.name = options_.name;
    status_.url = fmt::format("kafka://{}/{}", options_.brokers, options_.topic);
    status_.state = "ok";
  }

  Result<void> open() {
    VARVE_TRY(open_producer());
    if (options_.format == OutFormat::kAvro) {
      const bool by_table = options_.topic.find("{table}") != std::string::npos;
      VARVE_ASSIGN(
          avro_, OutAvro::open({options_.schema_registry, options_.schema_registry_auth, by_table}, engine_));
    }
    VARVE_ASSIGN(cursor_, engine_.open_cursor(options_.name));
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    return {};
  }

  MirrorStatus status() const override {
    const std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  // A record of the log on its way; its address goes with each of its messages.
  struct InFlight {
    Lsn lsn = 0;
    size_t waiting = 0;  // messages without a report
    bool sent = false;   // all of its messages were handed over
  };
  struct TooLarge {
    Lsn lsn = 0;
    std::string detail;
    std::string payload;
  };

  Result<void> open_producer();
  void run(const std::stop_token& stop);
  bool send_record(const LogRecord& record, const std::stop_token& stop);
  bool send_row(InFlight& flight, const std::string& topic, const RowBatch& batch, const std::string& id,
                const std::stop_token& stop);
  rd_kafka_resp_err_t enqueue(const std::string& topic, const RowBatch& batch, const std::string& id,
                              InFlight& flight);
  void move_on();
  bool keep_refused();
  void save(bool now);
  void begin_again(const std::stop_token& stop);
  void note_trouble(const std::string& error);
  void refresh_backlog();
  static void on_delivery(rd_kafka_t* client, const rd_kafka_message_t* message, void* opaque);
  static void on_error(rd_kafka_t* client, int code, const char* text, void* opaque);

  const KafkaOutOptions options_;
  Engine& engine_;
  const std::string store_id_;
  std::unique_ptr<LogCursor> cursor_;
  std::unique_ptr<OutAvro> avro_;  // null = JSON

  // Of the sender thread alone (librdkafka calls back from poll()).
  std::deque<InFlight> in_flight_;  // in order of the log; a deque's elements stay where they are
  Lsn done_lsn_ = 0;                // everything up to it is confirmed
  std::optional<std::string> failure_;
  std::vector<TooLarge> too_large_;
  std::string key_, value_;   // of the row being sent
  int64_t timestamp_ms_ = 0;  // the same
  int64_t saved_at_ns_ = 0;
  LogLimiter trouble_log_;
  LogLimiter refused_log_;

  Counter& rows_;
  Counter& refused_;
  Counter& lost_;
  Gauge& backlog_records_;
  Gauge& backlog_bytes_;
  mutable std::mutex mutex_;
  MirrorStatus status_;  // guarded by mutex_
  std::mutex wait_mutex_;
  std::condition_variable_any waits_;
  KafkaOwned<rd_kafka_t> client_;
  std::jthread thread_;  // last: joins before the rest goes
};

Result<void> KafkaOutSink::open_producer() {
  VARVE_ASSIGN(auto conf, make_kafka_conf(out_defaults(options_), options_.properties));
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_dr_msg_cb(conf.get(), on_delivery);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  VARVE_ASSIGN(client_, make_kafka_client(RD_KAFKA_PRODUCER, std::move(conf)));
  return {};
}

void KafkaOutSink::run(const std::stop_token& stop) {
  done_lsn_ = cursor_->saved();
  while (!stop.stop_requested()) {
    LogRecord record;
    const bool room = in_flight_.size() < kRecordsInFlightMax;
    const auto more = room ? cursor_->next(record, kIdleWaitNs) : Result<bool>(false);
    if (!more) failure_ = "cannot read the log: " + more.error().message;
    if (more && *more) send_record(record, stop);
    rd_kafka_poll(client_.get(), room ? 0 : kQueueFullPollMs);
    move_on();
    if (failure_) begin_again(stop);
    save(false);
    refresh_backlog();
  }
  rd_kafka_flush(client_.get(), kStopFlushMs);
  move_on();
  save(true);
  // What is left is sent at the next start; without the purge, librdkafka would wait for it.
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client_.get(), 0);
}

// False when it was given up: the stop or a failure leaves the position before it.
bool KafkaOutSink::send_record(const LogRecord& record, const std::stop_token& stop) {
  if (record.lost_before > 0) {
    lost_.add(record.lost_before);
    log_error(
        options_.name,
        fmt::format("{} log records are gone and will never be sent: the brokers were away for too long "
                    "(storage.wal_max_bytes), or the log was damaged",
                    record.lost_before));
    const std::lock_guard lock(mutex_);
    status_.lost_records_total += record.lost_before;
  }
  InFlight& flight = in_flight_.emplace_back();
  flight.lsn = record.lsn;
  size_t row_in_record = 0;
  for (const RowBatch& batch : record.batches) {
    const size_t first = row_in_record;
    row_in_record += batch.rows();
    if (!selected(options_.tables, batch.table)) continue;
    const OutRows rows(batch);
    const std::string topic = out_topic(options_.topic, batch.table);
    if (avro_ != nullptr) {
      if (const auto begun = avro_->begin(topic, batch); !begun) {
        failure_ = begun.error().message;
        return false;
      }
    }
    for (size_t row = 0; row < batch.rows(); ++row) {
      rows.write_key(row, key_);
      avro_ != nullptr ? avro_->write(row, value_) : rows.write_value(row, value_);
      const std::string id = fmt::format("{}:{}:{}", store_id_, record.lsn, first + row);
      timestamp_ms_ = std::max<int64_t>(batch.times[row] / kNsPerMs, 0);
      if (!send_row(flight, topic, batch, id, stop)) return false;
    }
  }
  flight.sent = true;
  return true;
}

bool KafkaOutSink::send_row(InFlight& flight, const std::string& topic, const RowBatch& batch,
                            const std::string& id, const std::stop_token& stop) {
  while (!stop.stop_requested() && !failure_) {
    const auto code = enqueue(topic, batch, id, flight);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++flight.waiting;
      return true;
    }
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
      too_large_.push_back({flight.lsn, id + ": " + kafka_error_text(code), value_});
      return true;
    }
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      failure_ = fmt::format("topic {}: {}", topic, kafka_error_text(code));
      return false;
    }
    rd_kafka_poll(client_.get(), kQueueFullPollMs);
    move_on();
    save(false);
    refresh_backlog();
  }
  return false;
}

rd_kafka_resp_err_t KafkaOutSink::enqueue(const std::string& topic, const RowBatch& batch,
                                          const std::string& id, InFlight& flight) {
  std::array<rd_kafka_vu_t, 10> parts{};
  size_t count = 9;
  const auto header = [](rd_kafka_vu_t& part, const char* name, const std::string& value) {
    part.vtype = RD_KAFKA_VTYPE_HEADER;
    part.u.header = {name, value.data(), static_cast<ssize_t>(value.size())};
  };
  parts[0].vtype = RD_KAFKA_VTYPE_TOPIC;
  parts[0].u.cstr = topic.c_str();
  parts[1].vtype = RD_KAFKA_VTYPE_KEY;
  parts[1].u.mem = {key_.data(), key_.size()};
  parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[2].u.mem = {value_.data(), value_.size()};
  parts[3].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[3].u.i = RD_KAFKA_MSG_F_COPY;
  parts[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  parts[4].u.i64 = timestamp_ms_;
  parts[5].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[5].u.ptr = &flight;
  header(parts[6], "varve.id", id);
  header(parts[7], "varve.table", batch.table);
  header(parts[8], "varve.database", batch.database);
  if (avro_ != nullptr && !avro_->schema().empty()) header(parts[count++], "avro.schema", avro_->schema());
  const KafkaOwned<rd_kafka_error_t> error(rd_kafka_produceva(client_.get(), parts.data(), count));
  return error == nullptr ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_error_code(error.get());
}

void KafkaOutSink::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& self = *static_cast<KafkaOutSink*>(opaque);
  auto& flight = *static_cast<InFlight*>(message->_private);
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    --flight.waiting;
    self.rows_.add();
    const std::lock_guard lock(self.mutex_);
    ++self.status_.rows_sent_total;
    if (self.status_.state != "ok") log_info(self.options_.name, "the brokers take rows again");
    self.status_.state = "ok";
    return;
  }
  if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    --flight.waiting;
    self.too_large_.push_back({flight.lsn, kafka_error_text(message->err),
                               std::string(static_cast<const char*>(message->payload), message->len)});
    return;
  }
  if (message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
    return;
  if (!self.failure_) {
    self.failure_ =
        fmt::format("topic {}: {}", rd_kafka_topic_name(message->rkt), kafka_error_text(message->err));
  }
}

void KafkaOutSink::on_error(rd_kafka_t* client, int code, const char* text, void* opaque) {
  auto& self = *static_cast<KafkaOutSink*>(opaque);
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> fatal{};
    rd_kafka_fatal_error(client, fatal.data(), fatal.size());
    self.failure_ = fatal.data();
    return;
  }
  self.note_trouble(text);
}

// Moves the position over the records whose messages are all confirmed.
void KafkaOutSink::move_on() {
  if (!too_large_.empty() && !keep_refused()) return;
  while (!in_flight_.empty() && in_flight_.front().sent && in_flight_.front().waiting == 0) {
    done_lsn_ = in_flight_.front().lsn;
    in_flight_.pop_front();
  }
}

bool KafkaOutSink::keep_refused() {
  QuarantineBuilder builder(real_clock());
  for (const TooLarge& row : too_large_) {
    builder.add({.source = options_.name,
                 .offset = static_cast<int64_t>(row.lsn),
                 .reason = std::string(kRefusedReason),
                 .detail = row.detail,
                 .payload = row.payload});
  }
  std::vector<RowBatch> batches;
  batches.push_back(builder.finish());
  const auto written = engine_.append_and_wait(engine_.admit(std::move(batches)));
  if (!written) {
    note_trouble(fmt::format("cannot write to {}: {}", kQuarantineTable, written.error().message));
    return false;
  }
  refused_.add(too_large_.size());
  if (refused_log_.allow()) {
    log_warn(options_.name, fmt::format("{} rows are too large for the topic, now in {}", too_large_.size(),
                                        kQuarantineTable));
  }
  {
    const std::lock_guard lock(mutex_);
    status_.rows_refused_total += too_large_.size();
  }
  too_large_.clear();
  return true;
}

void KafkaOutSink::save(bool now) {
  const int64_t time_ns = real_clock().monotonic_ns();
  if (done_lsn_ == cursor_->saved() || (!now && time_ns - saved_at_ns_ < kSaveEveryNs)) return;
  saved_at_ns_ = time_ns;
  if (const auto saved = cursor_->save(done_lsn_); !saved) {
    // Not saving only means to send again after a restart.
    note_trouble("cannot save the position: " + saved.error().message);
  }
}

// A new producer, reading the log from the last confirmed record on.
void KafkaOutSink::begin_again(const std::stop_token& stop) {
  note_trouble(*failure_);
  save(true);
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client_.get(), kStopFlushMs);
  while (!stop.stop_requested()) {
    std::unique_lock lock(wait_mutex_);
    waits_.wait_for(lock, stop, std::chrono::nanoseconds(options_.retry_ns), [] { return false; });
    if (stop.stop_requested()) return;
    // The old ones stay until there are new ones: the records on their way are theirs.
    auto cursor = engine_.open_cursor(options_.name);
    const auto opened = cursor ? open_producer() : Result<void>(cursor.error());
    if (opened) {
      cursor_ = std::move(*cursor);
      in_flight_.clear();
      too_large_.clear();
      done_lsn_ = cursor_->saved();
      failure_.reset();
      return;
    }
    note_trouble(opened.error().message);
  }
}

void KafkaOutSink::note_trouble(const std::string& error) {
  if (trouble_log_.allow()) {
    log_warn(options_.name, fmt::format("{}; nothing is lost: the log keeps what was not sent", error));
  }
  const std::lock_guard lock(mutex_);
  status_.state = "retrying";
  status_.last_error = error;
}

void KafkaOutSink::refresh_backlog() {
  const uint64_t records = cursor_->backlog_records();
  const uint64_t bytes = cursor_->backlog_bytes();
  backlog_records_.set(static_cast<double>(records));
  backlog_bytes_.set(static_cast<double>(bytes));
  const std::lock_guard lock(mutex_);
  status_.backlog_records = records;
  status_.backlog_bytes = bytes;
}

}  // namespace

Result<std::unique_ptr<KafkaOut>> KafkaOut::start(KafkaOutOptions options, Engine& engine,
                                                  MetricsRegistry& metrics) {
  auto sink = std::make_unique<KafkaOutSink>(std::move(options), engine, metrics);
  VARVE_TRY(sink->open());
  return std::unique_ptr<KafkaOut>(std::move(sink));
}

}  // namespace varve
