// The parts of a running mirror: mirror.cc reads the log, delivery.cc sends and sorts out answers, resends.cc reads
// from the store. Threads: all on the sender's, but for status(), backfill() and read_ahead().
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "ingest/mirror/backlog.h"
#include "ingest/mirror/influx_client.h"
#include "ingest/mirror/line_packer.h"
#include "ingest/mirror/lines.h"
#include "ingest/mirror/mirror.h"
#include "ingest/mirror/resend.h"
#include "storage/base/metrics.h"

namespace varve {

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
  void refresh_backlog();  // on the sender's thread
  Result<uint64_t> backfill(const BackfillRequest& request) override;

 private:
  // What became of a run of lines, or of one request: kStopped leaves the position where it is.
  enum class Delivery { kDone, kStopped };

  void run(const std::stop_token& stop);
  // While a chunk is on its way, a thread of its own saves the position behind the last one, reads the log, and writes and
  // packs the lines of the next one.
  struct Ahead {
    MirrorChunk chunk;
    std::optional<LogRecord> held;  // as held_
    std::optional<Error> trouble;
  };
  Ahead read_ahead(size_t lines_max, Lsn after);
  Delivery deliver_and_read_ahead(const MirrorChunk& chunk, const std::stop_token& stop);
  bool read_chunk(MirrorChunk& chunk, bool may_wait, const std::stop_token& stop);
  bool take_next(LogRecord& record, bool may_wait, const std::stop_token& stop);
  Delivery pass_gap(Lsn last, const std::stop_token& stop);
  // resends.cc
  void begin_backfill();
  Delivery resend_slice(const std::stop_token& stop);
  Delivery catch_up(Lsn first, Lsn last, const std::stop_token& stop);
  ResendStatus* resend_status(uint64_t id);  // under mutex_
  void end_resend(std::string error);
  // delivery.cc
  Delivery deliver(const MirrorChunk& chunk, const std::stop_token& stop);
  Delivery deliver_lines(const LineList& list, size_t first, size_t last, const std::stop_token& stop);
  Delivery prepare(const std::string& database, const std::stop_token& stop);
  Delivery after_failure(const InfluxAnswer& answer, std::string_view what, const std::stop_token& stop);
  Delivery refuse_lines(const LineList& list, size_t first, size_t last, const InfluxAnswer& answer,
                        const std::stop_token& stop);
  bool save_due(bool now) const;
  void save(bool now);
  void note_saved(const Result<void>& saved);
  Delivery pace(size_t rows, const std::stop_token& stop);
  bool wait(int64_t ns, const std::stop_token& stop);
  int64_t next_backoff_ns();
  void note_up();
  void note_trouble(std::string_view state, std::string error);
  void note_lost(Lsn first, Lsn last);
  void note_left_out(const MirrorChunk& chunk);
  bool log_now(int64_t& last_ns);

  const MirrorOptions options_;
  const LineRules rules_;
  Engine& engine_;
  const std::unique_ptr<LogCursor> cursor_;
  const std::unique_ptr<InfluxClient> client_;
  const std::shared_ptr<std::atomic<int64_t>> abort_at_ns_;  // monotonic; a request running then is cut off

  // Of the sender thread alone. It alone uses the cursor, too, but that save() and next() are the reader's
  // while there is one.
  MirrorChunk next_chunk_;  // what was read ahead
  LinePacker packer_;
  LinePacker packer_ahead_;  // the reader's while there is one
  int generation_ = 0;       // 0 = not known yet
  std::set<std::string> databases_created_;
  std::optional<LogRecord> held_;  // read, but what is before it must go first
  Lsn read_lsn_ = 0;               // of the last record read
  BacklogMeter meter_;
  Pacer pacer_;
  std::unique_ptr<Resend> resend_;  // being sent
  uint64_t resend_id_ = 0;
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
  Counter& rounded_values_;
  Counter& lost_records_;
  Counter& errors_;
  Counter& resent_;
  Counter& resend_failures_;
  Gauge& up_;
  Gauge& needs_operator_;
  Gauge& backlog_records_;
  Gauge& backlog_bytes_;
  Gauge& backlog_rows_;
  Gauge& backlog_seconds_;

  mutable std::mutex mutex_;  // guards what follows
  MirrorStatus status_;
  std::deque<std::pair<uint64_t, BackfillRequest>> waiting_;
  uint64_t last_resend_id_ = 0;

  std::mutex wait_mutex_;
  std::condition_variable_any waits_;
  std::jthread thread_;  // last: joins before the rest goes
};

}  // namespace varve
