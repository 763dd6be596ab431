#include "storage/log_cursor.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "storage/base/kill_point.h"
#include "storage/base/log.h"
#include "storage/base/units.h"

namespace varve {
namespace {

// How long after a start the log waits for cursors it knows from before: sinks open theirs within seconds (guessed).
constexpr int64_t kCursorGraceNs = 60 * kNsPerSecond;

}  // namespace

WalCursor::WalCursor(EngineImpl& engine, std::string name, Lsn saved, std::unique_ptr<WalReader> reader)
    : engine_(engine), name_(std::move(name)), saved_(saved), reader_(std::move(reader)) {}

Result<bool> WalCursor::next(LogRecord& record, int64_t timeout_ns) {
  if (!engine_.wal_->wait_durable(reader_->position(), timeout_ns)) return false;
  WalRecordView view;
  VARVE_ASSIGN(const bool found, reader_->next(view, engine_.wal_->durable_lsn()));
  for (; damage_reported_ < reader_->damage().size(); ++damage_reported_) {
    const WalDamage& lost = reader_->damage()[damage_reported_];
    lost_ += lost.last_lost - lost.first_lost + 1;
    log_error("store",
              fmt::format("cursor {}: log records {} to {} are gone ({} at {}); rows in them were not read",
                          name_, lost.first_lost, lost.last_lost, lost.file, lost.offset));
  }
  if (!found) return false;
  auto entry = decode_wal_entry(view.payload);
  if (!entry) return with_context(std::move(entry.error()), fmt::format("log record {}", view.lsn));
  record.lsn = view.lsn;
  record.lost_before = std::exchange(lost_, 0);
  record.batches = std::move(entry->batches);
  return true;
}

Result<void> WalCursor::save(Lsn lsn) {
  kill_point("cursor.before_save");
  VARVE_TRY(engine_.catalog_->save_cursor(name_, lsn));
  kill_point("cursor.after_save");
  saved_ = lsn;
  const std::lock_guard lock(engine_.state_mutex_);
  engine_.cursors_[name_].saved = lsn;
  return {};
}

uint64_t WalCursor::backlog_records() const {
  const Lsn durable = engine_.wal_->durable_lsn();
  const Lsn saved = saved_;
  return durable > saved ? durable - saved : 0;
}

uint64_t WalCursor::backlog_bytes() const {
  return engine_.wal_->bytes_after(saved_);
}

Result<std::unique_ptr<LogCursor>> EngineImpl::open_cursor(std::string_view name) {
  Lsn saved = 0;
  {
    const std::lock_guard lock(state_mutex_);
    const auto known = cursors_.find(name);
    if (known != cursors_.end()) {
      known->second.opened = true;
      saved = known->second.saved;
    } else {
      const Lsn oldest = wal_->stats().oldest_lsn;
      saved = oldest == 0 ? Lsn{applied_lsn_} : oldest - 1;
      cursors_.emplace(name, Cursor{saved, true, saved + 1});
    }
  }
  // What is missing after `saved` is told by next().
  VARVE_ASSIGN(auto reader, WalReader::open(fs_, join_path(options_.data_directory, "wal"), saved + 1));
  return std::unique_ptr<LogCursor>(
      std::make_unique<WalCursor>(*this, std::string(name), saved, std::move(reader)));
}

// ---- how much of the log is kept ----

Lsn EngineImpl::needed_by_cursors() const {
  const bool all_are_open = clock_.monotonic_ns() - opened_ns_ > kCursorGraceNs;
  Lsn needed = UINT64_MAX;
  for (const auto& [name, cursor] : cursors_) {
    if (cursor.opened || !all_are_open) needed = std::min(needed, cursor.saved + 1);
  }
  return needed;
}

void EngineImpl::trim_log() {
  const Lsn within_limit = wal_->first_lsn_within(options_.wal_bytes_max);
  Lsn before = 0;
  {
    const std::lock_guard lock(state_mutex_);
    note_absent_cursors();
    const Lsn needed = needed_by_cursors();
    // Never what a restart would replay, whatever its size: the memtables' limit bounds that.
    const Lsn limit = std::min(within_limit, published_replay_from_);
    if (needed < limit) note_dropped(limit);
    before = std::min(published_replay_from_, std::max(needed, limit));
    if (before <= trimmed_to_) return;
  }
  const auto hold = hold_files();
  if (hold == nullptr) return;  // the flush thread comes again
  kill_point("trim.before_remove");
  if (const auto removed = wal_->remove_before(before); !removed) {
    log_warn("store", "old log files stay: " + removed.error().message);
    return;
  }
  kill_point("trim.after_remove");
  const std::lock_guard lock(state_mutex_);
  trimmed_to_ = std::max(trimmed_to_, before);
}

void EngineImpl::note_absent_cursors() {
  if (clock_.monotonic_ns() - opened_ns_ <= kCursorGraceNs) return;
  for (auto& [name, cursor] : cursors_) {
    if (cursor.opened || std::exchange(cursor.told_absent, true)) continue;
    log_warn(
        "store",
        fmt::format(
            "cursor {}: nothing has read on since the start, so it holds the log no longer; if its sink is "
            "configured again, it goes on behind record {} and is told what is gone",
            name, cursor.saved));
  }
}

void EngineImpl::note_dropped(Lsn limit) {
  for (auto& [name, cursor] : cursors_) {
    if (cursor.told_absent) continue;
    const Lsn from = std::max(cursor.saved + 1, cursor.told_to);
    if (from >= limit) continue;
    cursor.told_to = limit;
    const uint64_t bytes = wal_->bytes_after(from - 1) - wal_->bytes_after(limit - 1);
    const MetricLabels labels{{"cursor", name}};
    options_.metrics
        ->counter("varve_log_dropped_records_total", "Log records removed before a cursor had passed them.",
                  labels)
        .add(limit - from);
    options_.metrics
        ->counter("varve_log_dropped_bytes_total", "Log files removed before a cursor had passed them.",
                  labels)
        .add(bytes);
    log_error("store",
              fmt::format(
                  "cursor {}: log records {} to {} ({}) go before it has passed them, because the "
                  "log is over storage.wal_max_bytes ({}); what it has not read it must read from the store",
                  name, from, limit - 1, format_bytes(bytes), format_bytes(options_.wal_bytes_max)));
  }
}

}  // namespace varve
