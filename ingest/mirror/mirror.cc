#include "ingest/mirror/mirror.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "ingest/decode/decoder.h"
#include "ingest/mirror/influx_mirror.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr int64_t kIdleWaitNs = 200 * kNsPerMs;    // how long a read of the log may block stopping
constexpr int64_t kBacklogEveryNs = kNsPerSecond;  // how old the backlog told may be while the server is away
constexpr int64_t kLogEveryNs = 60 * kNsPerSecond;  // of a fault that goes on

}  // namespace

InfluxMirror::InfluxMirror(MirrorOptions options, Engine& engine, MetricsRegistry& metrics,
                           std::unique_ptr<LogCursor> cursor, std::unique_ptr<InfluxClient> client,
                           std::shared_ptr<std::atomic<int64_t>> abort_at_ns)
    : options_(std::move(options)),
      rules_{options_.tables, options_.database, options_.integers == "float"},
      engine_(engine),
      cursor_(std::move(cursor)),
      client_(std::move(client)),
      abort_at_ns_(std::move(abort_at_ns)),
      read_lsn_(cursor_->saved()),
      pacer_(options_.catch_up_rows_per_second),
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
      rounded_values_(metrics.counter("varve_mirror_rounded_values_total",
                                      "Integers beyond 2^53 mirrored as the nearest float.",
                                      {{"mirror", options_.name}})),
      lost_records_(metrics.counter(
          "varve_mirror_lost_records_total",
          "Log records that went before they were mirrored; their rows are read from the store.",
          {{"mirror", options_.name}})),
      errors_(metrics.counter("varve_mirror_errors_total", "Requests that failed and were tried again.",
                              {{"mirror", options_.name}})),
      resent_(metrics.counter("varve_mirror_resent_rows_total",
                              "Rows read from the store for a backfill or a catch-up.",
                              {{"mirror", options_.name}})),
      resend_failures_(
          metrics.counter("varve_mirror_resend_failures_total",
                          "Backfills and catch-ups given up because the store could not be read.",
                          {{"mirror", options_.name}})),
      up_(metrics.gauge("varve_mirror_up", "1 when the last request to the mirrored server went well.",
                        {{"mirror", options_.name}})),
      needs_operator_(metrics.gauge(
          "varve_mirror_held", "1 while the mirror waits for somebody to set right what the server refuses.",
          {{"mirror", options_.name}})),
      backlog_records_(metrics.gauge("varve_mirror_backlog_records", "Log records not yet acknowledged.",
                                     {{"mirror", options_.name}})),
      backlog_bytes_(metrics.gauge("varve_mirror_backlog_bytes", "Log bytes not yet acknowledged.",
                                   {{"mirror", options_.name}})),
      backlog_rows_(metrics.gauge("varve_mirror_backlog_rows", "Rows not yet acknowledged, about.",
                                  {{"mirror", options_.name}})),
      backlog_seconds_(metrics.gauge("varve_mirror_backlog_seconds",
                                     "Age of the oldest row not acknowledged.",
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
  // A position that was never saved is forgotten by a restart, and with it what the log no longer has.
  if (const auto saved = cursor_->save(done_lsn_); !saved) {
    log_warn(options_.name, "cannot save the position: " + saved.error().message);
  }
  while (!stop.stop_requested()) {
    begin_backfill();
    if (resend_ != nullptr && resend_slice(stop) == Delivery::kStopped) break;
    MirrorChunk chunk = std::exchange(next_chunk_, {});
    const bool any = read_chunk(chunk, resend_ == nullptr, stop);
    refresh_backlog();
    if (!any) {
      save(true);
      continue;
    }
    note_left_out(chunk);
    if (deliver_and_read_ahead(chunk, stop) == Delivery::kStopped) break;
    done_lsn_ = chunk.last_lsn;
    lines_unsaved_ += chunk.lines;
    meter_.note_sent(chunk.records, chunk.lines);
    // Else while the next one is on its way.
    if (next_chunk_.records == 0) save(false);
  }
  save(true);
  refresh_backlog();
}

InfluxMirror::Delivery InfluxMirror::deliver_and_read_ahead(const MirrorChunk& chunk,
                                                            const std::stop_token& stop) {
  if (held_ || cursor_->backlog_records() <= chunk.records) return deliver(chunk, stop);
  Ahead ahead;
  Delivery outcome;
  const bool save_too = save_due(false);
  Result<void> saved;
  {
    const std::jthread reader([&, done = done_lsn_, lines_max = lines_max_, after = read_lsn_] {
      if (save_too) saved = cursor_->save(done);
      ahead = read_ahead(lines_max, after);
    });
    outcome = deliver(chunk, stop);
  }
  if (save_too) note_saved(saved);
  next_chunk_ = std::move(ahead.chunk);
  if (next_chunk_.records > 0) read_lsn_ = next_chunk_.last_lsn;
  held_ = std::move(ahead.held);
  if (ahead.trouble) note_trouble("held", fmt::format("cannot read the log: {}", ahead.trouble->message));
  return outcome;
}

// As read_chunk(), of what is there now and up to the first gap.
InfluxMirror::Ahead InfluxMirror::read_ahead(size_t lines_max, Lsn after) {
  Ahead ahead;
  while (ahead.chunk.lines < lines_max && ahead.chunk.bytes < kRequestBytesMax) {
    LogRecord record;
    const auto more = cursor_->next(record, 0);
    if (!more) ahead.trouble = more.error();
    if (!more || !*more) break;
    if (record.lsn > after + 1 && record.lost_before != 0) {
      ahead.held = std::move(record);
      break;
    }
    after = record.lsn;
    add_record(record, rules_, ahead.chunk);
  }
  const bool full = ahead.chunk.lines >= lines_max || ahead.chunk.bytes >= kRequestBytesMax;
  if (!full) return ahead;  // it may yet grow
  for (LineList& list : ahead.chunk.databases) {
    list.lines_packed = list.request_end(0, lines_max);
    list.packed = packer_ahead_.pack(list.range(0, list.lines_packed));
  }
  return ahead;
}

// What the log has now, up to one request's worth beside what was read ahead; waits a little for the first record.
bool InfluxMirror::read_chunk(MirrorChunk& chunk, bool may_wait, const std::stop_token& stop) {
  while (chunk.lines < lines_max_ && chunk.bytes < kRequestBytesMax) {
    LogRecord record;
    if (held_) {
      record = std::move(*held_);
      held_.reset();
    } else if (!take_next(record, may_wait && chunk.records == 0, stop)) {
      break;
    }
    if (record.lsn > read_lsn_ + 1 && record.lost_before != 0) {
      const Lsn last = record.lsn - 1;
      held_ = std::move(record);
      if (chunk.records > 0) break;  // what was read before goes first
      if (pass_gap(last, stop) == Delivery::kStopped) break;
      continue;
    }
    read_lsn_ = record.lsn;
    add_record(record, rules_, chunk);
  }
  return chunk.records > 0;
}

// False when there is none now. The end of the log may be gone, too: then no record comes to tell.
bool InfluxMirror::take_next(LogRecord& record, bool may_wait, const std::stop_token& stop) {
  const Lsn durable = may_wait ? engine_.status().durable_lsn : 0;
  const auto more = cursor_->next(record, may_wait ? kIdleWaitNs : 0);
  if (!more) {
    note_trouble("held", fmt::format("cannot read the log: {}", more.error().message));
    if (may_wait) wait(options_.timing.hold_retry_ns, stop);
    return false;
  }
  if (*more) return true;
  if (may_wait && durable > read_lsn_ && done_lsn_ == read_lsn_) pass_gap(durable, stop);
  return false;
}

// Log records from the last one read to `last` are gone: their rows come from the store.
InfluxMirror::Delivery InfluxMirror::pass_gap(Lsn last, const std::stop_token& stop) {
  note_lost(read_lsn_ + 1, last);
  if (catch_up(read_lsn_ + 1, last, stop) == Delivery::kStopped) return Delivery::kStopped;
  read_lsn_ = done_lsn_ = last;
  save(true);
  return Delivery::kDone;
}

bool InfluxMirror::save_due(bool now) const {
  if (done_lsn_ == cursor_->saved()) return false;
  return now || lines_unsaved_ >= options_.batch_lines ||
         real_clock().monotonic_ns() - saved_at_ns_ >= options_.timing.save_every_ns;
}

void InfluxMirror::save(bool now) {
  if (save_due(now)) note_saved(cursor_->save(done_lsn_));
}

// Of done_lsn_.
void InfluxMirror::note_saved(const Result<void>& saved) {
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
  saved_at_ns_ = real_clock().monotonic_ns();
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

void InfluxMirror::note_up() {
  backoff_ns_ = 0;
  up_.set(1);
  const std::lock_guard lock(mutex_);
  if (status_.state != "ok") log_info(options_.name, fmt::format("{} takes rows again", options_.url));
  if (status_.state != "ok") trouble_logged_ns_ = 0;
  needs_operator_.set(0);
  status_.state = "ok";
}

void InfluxMirror::note_trouble(std::string_view state, std::string error) {
  up_.set(0);
  needs_operator_.set(state == "held" ? 1 : 0);
  const std::lock_guard lock(mutex_);
  const bool new_state = status_.state != state;
  if (log_now(trouble_logged_ns_) || new_state) {
    log_warn(options_.name,
             fmt::format("{} ({}); nothing is lost: the log keeps what was not sent", error, state),
             {{"url", options_.url}});
  }
  status_.state = state;
  status_.last_error = std::move(error);
}

void InfluxMirror::note_lost(Lsn first, Lsn last) {
  const uint64_t records = last - first + 1;
  lost_records_.add(records);
  log_error(
      options_.name,
      fmt::format("{} log records ({} to {}) went before they were mirrored to {}: it was away for too long "
                  "(storage.wal_max_bytes), or the log was damaged; their rows are now read from the store",
                  records, first, last, options_.url));
  const std::lock_guard lock(mutex_);
  status_.lost_records_total += records;
}

void InfluxMirror::note_left_out(const MirrorChunk& chunk) {
  skipped_values_.add(chunk.skipped_values);
  rounded_values_.add(chunk.rounded_values);
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
  const EngineStatus store = engine_.status();
  meter_.note(options_.clock->monotonic_ns(), store.durable_lsn, store.rows_written);
  const BacklogMeter::Behind behind = meter_.behind(done_lsn_);
  backlog_rows_.set(static_cast<double>(behind.rows));
  backlog_seconds_.set(behind.seconds);
  const std::lock_guard lock(mutex_);
  status_.backlog_records = records;
  status_.backlog_bytes = bytes;
  status_.backlog_rows = behind.rows;
  status_.backlog_seconds = behind.seconds;
}

// Whether a kind of message logged last at `last_ns` is due again.
bool InfluxMirror::log_now(int64_t& last_ns) {
  const int64_t now_ns = real_clock().monotonic_ns();
  if (last_ns != 0 && now_ns - last_ns < kLogEveryNs) return false;
  last_ns = now_ns;
  return true;
}

namespace {

Result<void> check_options(const MirrorOptions& options) {
  const std::string& version = options.version;
  if (version != "auto" && version != "1" && version != "2" && version != "3") {
    return invalid_argument(fmt::format("mirror version '{}': use auto, 1, 2 or 3", version));
  }
  if (version == "2" && options.org.empty()) return invalid_argument("mirror version 2 needs org");
  if (options.database.empty()) return invalid_argument("mirror database is empty");
  if (options.batch_lines == 0) return invalid_argument("mirror batch_lines is 0; use 1 or more, e.g. 5000");
  if (options.integers != "float" && options.integers != "int") {
    return invalid_argument(fmt::format("mirror integers '{}': use float or int", options.integers));
  }
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
  const auto tick = std::make_shared<std::function<void()>>();  // while a request waits
  VARVE_ASSIGN(auto client, InfluxClient::open(
                                {options.url, options.org, options.token, options.timing.request_timeout_ns},
                                [abort_at_ns, tick] {
                                  if (*tick) (*tick)();
                                  return real_clock().monotonic_ns() >= abort_at_ns->load();
                                }));
  // Last, because a cursor holds the log.
  VARVE_ASSIGN(auto cursor, engine.open_cursor(options.name));
  auto mirror = std::make_unique<InfluxMirror>(std::move(options), engine, metrics, std::move(cursor),
                                               std::move(client), std::move(abort_at_ns));
  *tick = [running = mirror.get()] { running->refresh_backlog(); };
  mirror->refresh_backlog();
  mirror->start();
  return std::unique_ptr<Mirror>(std::move(mirror));
}

}  // namespace varve
