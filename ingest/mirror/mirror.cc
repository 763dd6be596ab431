#include "ingest/mirror/mirror.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "ingest/decode/decoder.h"
#include "ingest/decode/printable.h"
#include "ingest/mirror/influx_client.h"
#include "ingest/mirror/lines.h"
#include "ingest/quarantine.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr size_t kRequestBytesMax = 8 << 20;       // before gzip; InfluxDB 3 takes 10 MiB
constexpr int64_t kIdleWaitNs = 200 * kNsPerMs;    // how long a read of the log may block stopping
constexpr int64_t kBacklogEveryNs = kNsPerSecond;  // how old the backlog told may be while the server is away
constexpr int64_t kLogEveryNs = 60 * kNsPerSecond;  // of a fault that goes on
constexpr size_t kErrorTextBytesMax = 500;  // of the server's words in the log and in varve_quarantine
constexpr std::string_view kRefusedReason = "mirror_refused";

class InfluxMirror : public Mirror {
 public:
  // `abort_at_ns` is what `client` looks at.
  InfluxMirror(MirrorOptions options, Engine& engine, MetricsRegistry& metrics,
               std::unique_ptr<LogCursor> cursor, std::unique_ptr<InfluxClient> client,
               std::shared_ptr<std::atomic<int64_t>> abort_at_ns);
  ~InfluxMirror() override;

  void start() {
    thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  MirrorStatus status() const override;

 private:
  // What became of a run of lines, or of one request: kStopped leaves the position where it is.
  enum class Delivery { kDone, kStopped };

  void run(const std::stop_token& stop);
  bool read_chunk(MirrorChunk& chunk, const std::stop_token& stop);
  Delivery deliver(const MirrorChunk& chunk, const std::stop_token& stop);
  Delivery deliver_lines(const LineList& list, size_t first, size_t last, const std::stop_token& stop);
  Delivery prepare(const std::string& database, const std::stop_token& stop);
  Delivery after_failure(const InfluxAnswer& answer, std::string_view what, const std::stop_token& stop);
  Delivery refuse_lines(const LineList& list, size_t first, size_t last, const InfluxAnswer& answer,
                        const std::stop_token& stop);
  void save(bool now);
  bool wait(int64_t ns, const std::stop_token& stop);
  int64_t next_backoff_ns();
  void note_up();
  void note_trouble(std::string_view state, std::string error);
  void note_lost(uint64_t records);
  void note_left_out(const MirrorChunk& chunk);
  void refresh_backlog();
  bool log_now(int64_t& last_ns);

  const MirrorOptions options_;
  Engine& engine_;
  const std::unique_ptr<LogCursor> cursor_;
  const std::unique_ptr<InfluxClient> client_;
  const std::shared_ptr<std::atomic<int64_t>> abort_at_ns_;  // monotonic; a request running then is cut off

  // Of the sender thread alone.
  int generation_ = 0;  // 0 = not known yet
  std::set<std::string> databases_created_;
  size_t lines_max_;        // per request; halved by 413
  int64_t backoff_ns_ = 0;  // 0 = the last request went well
  std::mt19937_64 random_{std::random_device{}()};
  Lsn done_lsn_ = 0;          // everything up to it is acknowledged
  size_t lines_unsaved_ = 0;  // acknowledged beyond the saved position
  int64_t saved_at_ns_ = 0;
  int64_t trouble_logged_ns_ = 0;  // 0 = never
  int64_t left_out_logged_ns_ = 0;
  int64_t save_logged_ns_ = 0;
  int64_t refused_logged_ns_ = 0;

  Counter& rows_;
  Counter& refused_;
  Counter& skipped_values_;
  Counter& lost_records_;
  Counter& errors_;
  Gauge& up_;
  Gauge& backlog_records_;
  Gauge& backlog_bytes_;

  mutable std::mutex mutex_;  // guards status_
  MirrorStatus status_;

  std::mutex wait_mutex_;
  std::condition_variable_any waits_;
  std::jthread thread_;  // last: joins before the rest goes
};

InfluxMirror::InfluxMirror(MirrorOptions options, Engine& engine, MetricsRegistry& metrics,
                           std::unique_ptr<LogCursor> cursor, std::unique_ptr<InfluxClient> client,
                           std::shared_ptr<std::atomic<int64_t>> abort_at_ns)
    : options_(std::move(options)),
      engine_(engine),
      cursor_(std::move(cursor)),
      client_(std::move(client)),
      abort_at_ns_(std::move(abort_at_ns)),
      lines_max_(options_.batch_lines),
      done_lsn_(cursor_->saved()),
      rows_(metrics.counter("varve_mirror_rows_total", "Rows the mirrored server acknowledged.",
                            {{"mirror", options_.name}})),
      refused_(metrics.counter("varve_mirror_refused_total",
                               "Rows the mirrored server refuses for good, or line protocol cannot say.",
                               {{"mirror", options_.name}})),
      skipped_values_(metrics.counter("varve_mirror_skipped_values_total",
                                      "NaN and infinite values left out of mirrored rows.",
                                      {{"mirror", options_.name}})),
      lost_records_(metrics.counter("varve_mirror_lost_records_total",
                                    "Log records that went before they were mirrored.",
                                    {{"mirror", options_.name}})),
      errors_(metrics.counter("varve_mirror_errors_total", "Requests that failed and were tried again.",
                              {{"mirror", options_.name}})),
      up_(metrics.gauge("varve_mirror_up", "1 when the last request to the mirrored server went well.",
                        {{"mirror", options_.name}})),
      backlog_records_(metrics.gauge("varve_mirror_backlog_records", "Log records not yet acknowledged.",
                                     {{"mirror", options_.name}})),
      backlog_bytes_(metrics.gauge("varve_mirror_backlog_bytes", "Log bytes not yet acknowledged.",
                                   {{"mirror", options_.name}})) {
  status_.name = options_.name;
  status_.url = options_.url;
  status_.state = "ok";
}

InfluxMirror::~InfluxMirror() {
  *abort_at_ns_ = real_clock().monotonic_ns() + options_.timing.stop_grace_ns;
  thread_.request_stop();
}

MirrorStatus InfluxMirror::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

void InfluxMirror::run(const std::stop_token& stop) {
  if (options_.version != "auto") generation_ = options_.version[0] - '0';
  saved_at_ns_ = real_clock().monotonic_ns();
  while (!stop.stop_requested()) {
    MirrorChunk chunk;
    const bool any = read_chunk(chunk, stop);
    refresh_backlog();
    if (!any) {
      save(true);
      continue;
    }
    note_left_out(chunk);
    if (deliver(chunk, stop) == Delivery::kStopped) break;
    done_lsn_ = chunk.last_lsn;
    lines_unsaved_ += chunk.lines;
    save(false);
  }
  save(true);
  refresh_backlog();
}

// What the log has now, up to one request's worth; waits a little for the first record.
bool InfluxMirror::read_chunk(MirrorChunk& chunk, const std::stop_token& stop) {
  while (chunk.lines < lines_max_ && chunk.bytes < kRequestBytesMax) {
    LogRecord record;
    const auto more = cursor_->next(record, chunk.records == 0 ? kIdleWaitNs : 0);
    if (!more) {
      note_trouble("held", fmt::format("cannot read the log: {}", more.error().message));
      if (chunk.records == 0) wait(options_.timing.hold_retry_ns, stop);
      break;
    }
    if (!*more) break;
    if (record.lost_before != 0) note_lost(record.lost_before);
    add_record(record, options_.tables, options_.database, chunk);
  }
  return chunk.records > 0;
}

InfluxMirror::Delivery InfluxMirror::deliver(const MirrorChunk& chunk, const std::stop_token& stop) {
  for (const LineList& list : chunk.databases) {
    for (size_t first = 0; first < list.size();) {
      size_t last = std::min(first + lines_max_, list.size());
      // A record may hold more than a request should; a single line goes whatever its size.
      while (last > first + 1 && list.range(first, last).size() > kRequestBytesMax)
        last = first + (last - first) / 2;
      if (deliver_lines(list, first, last, stop) == Delivery::kStopped) return Delivery::kStopped;
      first = last;
    }
  }
  return Delivery::kDone;
}

// N of "dropped=N", with which InfluxDB 1.x and 2.x end their account of a partial write.
std::optional<size_t> dropped_count(std::string_view text) {
  constexpr std::string_view kMark = "dropped=";
  const size_t at = text.rfind(kMark);
  if (at == std::string_view::npos) return std::nullopt;
  size_t count = 0;
  const std::string_view digits = text.substr(at + kMark.size());
  if (std::from_chars(digits.data(), digits.data() + digits.size(), count).ec != std::errc{})
    return std::nullopt;
  return count;
}

InfluxMirror::Delivery InfluxMirror::deliver_lines(const LineList& list, size_t first, size_t last,
                                                   const std::stop_token& stop) {
  const size_t count = last - first;
  const auto halves = [&] {
    const size_t middle = first + count / 2;
    return deliver_lines(list, first, middle, stop) == Delivery::kDone
               ? deliver_lines(list, middle, last, stop)
               : Delivery::kStopped;
  };
  while (!stop.stop_requested()) {
    if (prepare(list.database, stop) == Delivery::kStopped) return Delivery::kStopped;
    const InfluxAnswer answer = client_->write(generation_, list.database, list.range(first, last));
    if (answer.ok()) {
      note_up();
      rows_.add(count);
      const std::lock_guard lock(mutex_);
      status_.rows_sent_total += count;
      return Delivery::kDone;
    }
    if (answer.status == 400 || answer.status == 422) {
      note_up();
      if (count == 1 || dropped_count(answer.text) == count)
        return refuse_lines(list, first, last, answer, stop);
      return halves();
    }
    if (answer.status == 413) {
      note_up();
      if (count == 1) return refuse_lines(list, first, last, answer, stop);
      lines_max_ = std::max<size_t>(1, std::min(lines_max_, count / 2));
      return halves();
    }
    if (answer.status == 404 && generation_ == 1) databases_created_.erase(list.database);
    const bool other_generation = answer.status == 405 || (answer.status == 404 && generation_ == 3);
    if (other_generation && options_.version == "auto") generation_ = 0;
    const std::string what = fmt::format("write to database '{}'", list.database);
    if (after_failure(answer, what, stop) == Delivery::kStopped) return Delivery::kStopped;
  }
  return Delivery::kStopped;
}

// Finds out what the server is and, for 1.x, makes the database, unless that was done.
InfluxMirror::Delivery InfluxMirror::prepare(const std::string& database, const std::stop_token& stop) {
  while (generation_ == 0) {
    if (stop.stop_requested()) return Delivery::kStopped;
    const InfluxAnswer answer = client_->ping();
    if (answer.generation == 2 && options_.org.empty()) {
      // Without it the server answers 400, which must not be taken for a fault of the lines.
      note_trouble("held", "the server is InfluxDB 2, which needs org; set it for this mirror");
      if (!wait(options_.timing.hold_retry_ns, stop)) return Delivery::kStopped;
    } else if (answer.generation) {
      generation_ = *answer.generation;
    } else if (answer.status == 204) {
      generation_ = 1;  // what speaks the protocol but does not tell its version speaks the oldest
    } else if (after_failure(answer, "ping", stop) == Delivery::kStopped) {
      return Delivery::kStopped;
    }
  }
  if (generation_ != 1 || databases_created_.contains(database)) return Delivery::kDone;
  while (!stop.stop_requested()) {
    const InfluxAnswer answer = client_->create_database(database);
    if (answer.status == 0 || answer.status == 429 || answer.status >= 500) {
      if (after_failure(answer, fmt::format("create database '{}'", database), stop) == Delivery::kStopped) {
        return Delivery::kStopped;
      }
      continue;
    }
    // A user who may write need not be one who may create: the write tells whether it was needed.
    databases_created_.insert(database);
    return Delivery::kDone;
  }
  return Delivery::kStopped;
}

// Says what went wrong and waits as long as the kind of failure asks for.
InfluxMirror::Delivery InfluxMirror::after_failure(const InfluxAnswer& answer, std::string_view what,
                                                   const std::stop_token& stop) {
  errors_.add();
  const bool passing = answer.status == 0 || answer.status == 429 || answer.status >= 500 ||
                       (answer.status == 404 && generation_ == 1) || generation_ == 0;
  std::string text = printable(answer.text, kErrorTextBytesMax);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  std::string error = answer.status == 0 ? fmt::format("{}: {}", what, text)
                                         : fmt::format("{}: HTTP {}: {}", what, answer.status, text);
  if (answer.status == 401 || answer.status == 403) error += "; check the mirror's token_env";
  if (answer.status == 404 && generation_ == 2) error += "; create the bucket, or check org and database";
  note_trouble(passing ? "retrying" : "held", std::move(error));
  int64_t wait_ns = passing ? next_backoff_ns() : options_.timing.hold_retry_ns;
  wait_ns = std::max(wait_ns, answer.retry_after_ns.value_or(0));
  return wait(wait_ns, stop) ? Delivery::kDone : Delivery::kStopped;
}

// Puts lines the server does not take into varve_quarantine, durably, with the server's words.
InfluxMirror::Delivery InfluxMirror::refuse_lines(const LineList& list, size_t first, size_t last,
                                                  const InfluxAnswer& answer, const std::stop_token& stop) {
  const std::string detail =
      fmt::format("HTTP {}: {}", answer.status, printable(answer.text, kErrorTextBytesMax));
  while (!stop.stop_requested()) {
    QuarantineBuilder builder(real_clock());
    for (size_t i = first; i < last; ++i) {
      builder.add({.source = options_.name,
                   .offset = static_cast<int64_t>(list.lsns[i]),
                   .reason = kRefusedReason,
                   .detail = detail,
                   .payload = list.range(i, i + 1)});
    }
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    const auto written = engine_.append_and_wait(engine_.admit(std::move(batches)));
    if (written) {
      refused_.add(last - first);
      if (log_now(refused_logged_ns_)) {
        log_warn(options_.name, fmt::format("the server refuses {} rows for good, now in {}: {}",
                                            last - first, kQuarantineTable, detail));
      }
      const std::lock_guard lock(mutex_);
      status_.rows_refused_total += last - first;
      return Delivery::kDone;
    }
    note_trouble("held", fmt::format("cannot write to {}: {}", kQuarantineTable, written.error().message));
    if (!wait(next_backoff_ns(), stop)) return Delivery::kStopped;
  }
  return Delivery::kStopped;
}

void InfluxMirror::save(bool now) {
  if (done_lsn_ == cursor_->saved()) return;
  const int64_t time_ns = real_clock().monotonic_ns();
  const bool due =
      lines_unsaved_ >= options_.batch_lines || time_ns - saved_at_ns_ >= options_.timing.save_every_ns;
  if (!now && !due) return;
  const auto saved = cursor_->save(done_lsn_);
  if (!saved) {
    // The rows are with the server; not saving only means to send them again after a restart.
    errors_.add();
    std::string error = fmt::format("cannot save the position: {}", saved.error().message);
    if (log_now(save_logged_ns_)) log_warn(options_.name, error);
    const std::lock_guard lock(mutex_);
    status_.last_error = std::move(error);
    return;
  }
  lines_unsaved_ = 0;
  saved_at_ns_ = time_ns;
}

// False when the mirror is to stop.
bool InfluxMirror::wait(int64_t ns, const std::stop_token& stop) {
  const int64_t until_ns = real_clock().monotonic_ns() + ns;
  std::unique_lock lock(wait_mutex_);
  while (!stop.stop_requested()) {
    const int64_t left_ns = until_ns - real_clock().monotonic_ns();
    if (left_ns <= 0) return true;
    waits_.wait_for(lock, stop, std::chrono::nanoseconds(std::min(left_ns, kBacklogEveryNs)),
                    [] { return false; });
    refresh_backlog();
  }
  return false;
}

// Doubles from min to max, each time somewhere in the upper half, so that many mirrors do not come back at
// once.
int64_t InfluxMirror::next_backoff_ns() {
  const MirrorTiming& timing = options_.timing;
  backoff_ns_ = backoff_ns_ == 0 ? timing.backoff_min_ns : std::min(2 * backoff_ns_, timing.backoff_max_ns);
  const int64_t half_ns = backoff_ns_ / 2;
  return backoff_ns_ - static_cast<int64_t>(random_() % static_cast<uint64_t>(half_ns + 1));
}

void InfluxMirror::note_up() {
  backoff_ns_ = 0;
  up_.set(1);
  const std::lock_guard lock(mutex_);
  if (status_.state != "ok") log_info(options_.name, fmt::format("{} takes rows again", options_.url));
  if (status_.state != "ok") trouble_logged_ns_ = 0;
  status_.state = "ok";
}

void InfluxMirror::note_trouble(std::string_view state, std::string error) {
  up_.set(0);
  const std::lock_guard lock(mutex_);
  const bool new_state = status_.state != state;
  if (log_now(trouble_logged_ns_) || new_state) {
    log_warn(options_.name,
             fmt::format("{} ({}); nothing is lost: the log keeps what was not sent", error, state));
  }
  status_.state = state;
  status_.last_error = std::move(error);
}

void InfluxMirror::note_lost(uint64_t records) {
  lost_records_.add(records);
  log_error(options_.name,
            fmt::format("{} log records are gone and will never be mirrored to {}: it was away for too long "
                        "(storage.wal_max_bytes), or the log was damaged",
                        records, options_.url));
  const std::lock_guard lock(mutex_);
  status_.lost_records_total += records;
}

void InfluxMirror::note_left_out(const MirrorChunk& chunk) {
  skipped_values_.add(chunk.skipped_values);
  if (chunk.unwritable_rows == 0) return;
  refused_.add(chunk.unwritable_rows);
  if (log_now(left_out_logged_ns_)) {
    log_warn(
        options_.name,
        fmt::format(
            "{} rows cannot be said in line protocol (no finite field, or a name or tag value with a line "
            "feed or ending in a backslash) and stay in varve only",
            chunk.unwritable_rows));
  }
  const std::lock_guard lock(mutex_);
  status_.rows_refused_total += chunk.unwritable_rows;
}

void InfluxMirror::refresh_backlog() {
  const uint64_t records = cursor_->backlog_records();
  const uint64_t bytes = cursor_->backlog_bytes();
  backlog_records_.set(static_cast<double>(records));
  backlog_bytes_.set(static_cast<double>(bytes));
  const std::lock_guard lock(mutex_);
  status_.backlog_records = records;
  status_.backlog_bytes = bytes;
}

// Whether a kind of message logged last at `last_ns` is due again.
bool InfluxMirror::log_now(int64_t& last_ns) {
  const int64_t now_ns = real_clock().monotonic_ns();
  if (last_ns != 0 && now_ns - last_ns < kLogEveryNs) return false;
  last_ns = now_ns;
  return true;
}

Result<void> check_options(const MirrorOptions& options) {
  const std::string& version = options.version;
  if (version != "auto" && version != "1" && version != "2" && version != "3") {
    return invalid_argument(fmt::format("mirror version '{}': use auto, 1, 2 or 3", version));
  }
  if (version == "2" && options.org.empty()) return invalid_argument("mirror version 2 needs org");
  if (options.database.empty()) return invalid_argument("mirror database is empty");
  if (options.batch_lines == 0) return invalid_argument("mirror batch_lines is 0; use 1 or more, e.g. 5000");
  if (options.tables.empty()) return invalid_argument("mirror tables is empty; use [\"*\"] for all");
  for (const std::string& table : options.tables) {
    if (table.starts_with(kReservedTablePrefix)) {
      return invalid_argument(fmt::format("mirror tables: '{}' is varve's own and is not sent", table));
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Mirror>> Mirror::start(MirrorOptions options, Engine& engine,
                                              MetricsRegistry& metrics) {
  VARVE_TRY(check_options(options));
  auto abort_at_ns = std::make_shared<std::atomic<int64_t>>(INT64_MAX);
  VARVE_ASSIGN(
      auto client,
      InfluxClient::open({options.url, options.org, options.token, options.timing.request_timeout_ns},
                         [abort_at_ns] { return real_clock().monotonic_ns() >= abort_at_ns->load(); }));
  // Last, because a cursor holds the log.
  VARVE_ASSIGN(auto cursor, engine.open_cursor(options.name));
  auto mirror = std::make_unique<InfluxMirror>(std::move(options), engine, metrics, std::move(cursor),
                                               std::move(client), std::move(abort_at_ns));
  mirror->start();
  return std::unique_ptr<Mirror>(std::move(mirror));
}

}  // namespace varve
