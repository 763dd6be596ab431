// The engine's flush thread: flushes, retention, and removal of log files that nobody needs any more.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/base/kill_point.h"
#include "storage/base/log.h"
#include "storage/engine_impl.h"
#include "storage/hold.h"

namespace varve {
namespace {

constexpr std::string_view kComponent = "store";
constexpr int64_t kFlushCheckNs = 100 * kNsPerMs;  // how late an age or size flush may start
constexpr int64_t kUpkeepNs = 5 * kNsPerSecond;    // retention and log removal
constexpr int64_t kCloseFlushNs =
    10 * kNsPerSecond;  // no table is begun later (guessed: a stop has 30 s to 90 s)
constexpr int64_t kFlushRetryNs =
    1 * kNsPerSecond;  // after a failed flush: a full disk does not clear in a hurry

}  // namespace

void EngineImpl::run_flush() {
  int64_t next_upkeep = 0;
  while (true) {
    {
      std::unique_lock lock(state_mutex_);
      flush_work_.wait_for(lock, std::chrono::nanoseconds(kFlushCheckNs),
                           [&] { return closing_ || flush_wanted_; });
      flush_wanted_ = false;
      if (closing_) return;
    }
    disk_guard_.check_when_due();
    if (deletes_applied_.exchange(false)) {
      for (const auto& table : all_tables()) settle_deletes(*table);
    }
    flush_due_tables();
    if (clock_.monotonic_ns() < next_upkeep) continue;
    next_upkeep = clock_.monotonic_ns() + kUpkeepNs;
    if (const auto wall_ns = clock_guard_.trusted_wall_ns()) {
      for (const auto& table : all_tables()) drop_expired(*table, *wall_ns);
    }
    for (const auto& table : all_tables()) settle_deletes(*table);
    remove_postponed_files();
    trim_log();
  }
}

bool EngineImpl::closing() const {
  const std::lock_guard lock(state_mutex_);
  return closing_;
}

void EngineImpl::flush_due_tables() {
  const int64_t now = clock_.monotonic_ns();
  // The sizes change while writes go on, so they are looked at once: a sort by moving values runs out of its bounds.
  std::vector<std::pair<uint64_t, std::shared_ptr<Table>>> tables;
  uint64_t total = 0;
  for (auto& table : all_tables()) {
    const uint64_t bytes = table->memtable_bytes();
    total += bytes;
    tables.emplace_back(bytes, std::move(table));
  }
  memtable_bytes_ = total;
  // Half the limit, so that writes go on while the other half is being written out; the largest tables first.
  std::sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [bytes, table] : tables) {
    const bool due = table->memtable_rows() >= options_.flush_rows ||
                     table->oldest_row_age_ns(now) >= options_.flush_age_ns ||
                     (bytes != 0 && total > options_.memtable_bytes_max / 2);
    if (!due) continue;
    if (closing()) return;
    if (const auto done = flush_table(*table); !done) {
      const std::string what = fmt::format("flush of table `{}` failed, will be tried again: {}",
                                           table->options().name, done.error().message);
      if (done.error().code == ErrorCode::kExhausted) {
        disk_guard_.note_full(what);  // logs it once
      } else {
        log_error(kComponent, what);
      }
      std::unique_lock lock(state_mutex_);
      flush_work_.wait_for(lock, std::chrono::nanoseconds(kFlushRetryNs), [&] { return closing_; });
      return;
    }
    total -= std::min(total, bytes);
    memtable_bytes_ = total;
  }
}

Result<void> EngineImpl::flush_table(Table& table) {
  const std::lock_guard one_at_a_time(flush_mutex_);
  const int64_t started = clock_.monotonic_ns();
  FrozenMemtable frozen;
  {
    const std::lock_guard between_records(record_mutex_);
    frozen = table.begin_flush();
  }
  if (frozen.first_lsn == 0) {
    table.cancel_flush();
    return {};
  }
  kill_point("flush.frozen");
  const SegmentTarget segments_target{fs_, join_path(options_.data_directory, "segments"),
                                      [&] { return catalog_->allocate_segment_id(); }};
  const FlushTarget target{segments_target, options_.partition_ns,
                           widest_window(options_.partition_ns, table.retention_ns())};
  // Tombstones before segments: whoever finds the segments without a catalog finds the deletes they know of, too.
  std::vector<std::shared_ptr<const Tombstone>> filed;
  const auto tombstones = write_tombstones(table, frozen, filed);
  if (!tombstones) {
    table.cancel_flush();
    return tombstones.error();
  }
  const auto written = write_segments(table, frozen, target);
  std::vector<std::shared_ptr<const StoredSegment>> segments;
  const auto opened = written ? open_segments(table, *written, segments) : Result<void>(written.error());
  if (!opened) {
    remove_tombstone_files(*tombstones);
    table.cancel_flush();
    if (written) remove_segments(*written, segments_target);
    return opened.error();
  }
  CatalogProgress progress;
  progress.flushed_lsn = frozen.last_lsn;
  progress.replay_from_lsn = replay_from_after(table, frozen);
  {
    const std::lock_guard lock(positions_mutex_);
    progress.positions_lsn = positions_lsn_;
    for (const auto& [key, next_offset] : positions_) {
      progress.positions.push_back({key.first, key.second, next_offset});
    }
  }
  const Lsn replay_from = progress.replay_from_lsn;
  {
    const std::lock_guard publishing(publish_mutex_);
    CatalogChange change = change_of(table);
    change.added_segments = *written;
    change.added_tombstones = *tombstones;
    change.progress = std::move(progress);
    kill_point("flush.before_commit");
    if (const auto published = commit(change); !published) {
      table.cancel_flush();
      // Rolled back for sure: the next try writes them anew.
      if (published.error().code == ErrorCode::kExhausted) {
        remove_segments(*written, segments_target);
        remove_tombstone_files(*tombstones);
      }
      return published.error();
    }
    kill_point("flush.before_publish");
    table.publish_flush(frozen, std::move(segments), std::move(filed));
    kill_point("flush.after_publish");
  }
  compaction_.flushed(*written);
  {
    const std::lock_guard lock(state_mutex_);
    published_replay_from_ = std::max(published_replay_from_, replay_from);
  }
  flush_seconds_.observe_ns(clock_.monotonic_ns() - started);
  return {};
}

CatalogChange EngineImpl::change_of(const Table& table) const {
  CatalogChange change;
  change.table_id = table.options().id;
  change.database = table.options().database;
  change.table = table.options().name;
  change.columns = table.columns();
  change.columns.erase(change.columns.begin());  // time
  return change;
}

Result<void> EngineImpl::commit(const CatalogChange& change) {
  auto committed = catalog_->commit(change);
  if (!committed && committed.error().code == ErrorCode::kIo) {
    // The catalog may or may not hold the commit: nothing may be built on either, so writes stop.
    stop_writes("the catalog did not commit: " + committed.error().message);
  }
  return committed;
}

std::unique_ptr<FileLock> EngineImpl::hold_files() {
  auto held = hold_store(fs_, options_.data_directory, 0);
  if (held) return std::move(*held);
  if (held.error().code != ErrorCode::kUnavailable) log_warn(kComponent, held.error().message);
  return nullptr;
}

void EngineImpl::remove_files(std::vector<std::string> files) {
  if (files.empty()) return;
  std::vector<std::string> gone, kept;
  std::set<std::string> folders;
  if (const auto hold = hold_files()) {
    for (const std::string& file : files) {
      const std::string path = join_path(options_.data_directory, file);
      kill_point("removal.before_unlink");
      const auto removed = fs_.remove(path);
      kill_point("removal.after_unlink");
      if (!removed && removed.error().code != ErrorCode::kNotFound) {
        log_warn(kComponent, "a file nobody needs stays for now: " + removed.error().message);
        kept.push_back(file);
        continue;
      }
      gone.push_back(file);
      folders.insert(parent_directory(path));
    }
  } else {
    kept = std::move(files);
  }
  if (!kept.empty()) {
    const std::lock_guard lock(state_mutex_);
    postponed_removals_.insert(postponed_removals_.end(), kept.begin(), kept.end());
  }
  for (const std::string& folder : folders) {
    kill_point("removal.before_directory_sync");
    if (const auto synced = fs_.sync_directory(folder); !synced) {
      log_warn(kComponent, synced.error().message);
      return;
    }
  }
  if (gone.empty()) return;
  kill_point("removal.before_finish");
  if (const auto finished = catalog_->finish_removals(gone); !finished) {
    log_warn(kComponent, finished.error().message);
  }
}

void EngineImpl::remove_postponed_files() {
  std::vector<std::string> files;
  {
    const std::lock_guard lock(state_mutex_);
    files.swap(postponed_removals_);
  }
  remove_files(std::move(files));
}

Result<void> EngineImpl::open_segments(Table& table, const std::vector<CatalogSegment>& records,
                                       std::vector<std::shared_ptr<const StoredSegment>>& out) {
  const std::string directory = join_path(options_.data_directory, "segments");
  for (const CatalogSegment& record : records) {
    VARVE_ASSIGN(auto segment, StoredSegment::open(*segment_files_, join_path(directory, record.file), record,
                                                   table.series()));
    out.push_back(std::move(segment));
  }
  return {};
}

Lsn EngineImpl::replay_from_after(const Table& flushed, const FrozenMemtable& frozen) const {
  // What is applied after this line has a higher lsn, so reading it first keeps the answer safe.
  const Lsn applied = applied_lsn_;
  Lsn first = applied + 1;
  for (const auto& table : all_tables()) {
    const auto unflushed =
        table.get() == &flushed ? table->first_unflushed_lsn_beside(frozen) : table->first_unflushed_lsn();
    if (unflushed) first = std::min(first, *unflushed);
  }
  return first;
}

Result<void> EngineImpl::flush() {
  for (const auto& table : all_tables()) {
    settle_deletes(*table);
    VARVE_TRY(flush_table(*table));
  }
  trim_log();
  return {};
}

// The largest first; what there is no time for is replayed from the log.
Result<void> EngineImpl::flush_before_close() {
  const int64_t until_ns = clock_.monotonic_ns() + kCloseFlushNs;
  std::vector<std::pair<uint64_t, std::shared_ptr<Table>>> tables;
  for (auto& table : all_tables()) {
    const uint64_t bytes = table->memtable_bytes();
    tables.emplace_back(bytes, std::move(table));
  }
  std::sort(tables.begin(), tables.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  size_t done = 0;
  for (; done < tables.size() && clock_.monotonic_ns() < until_ns; ++done) {
    settle_deletes(*tables[done].second);
    VARVE_TRY(flush_table(*tables[done].second));
  }
  if (done < tables.size()) {
    log_info(kComponent, fmt::format("{} of {} tables are left to the log: the next start replays them",
                                     tables.size() - done, tables.size()));
  }
  trim_log();
  return {};
}

void EngineImpl::drop_expired(Table& table, int64_t wall_ns) {
  const int64_t retention = table.retention_ns();
  if (retention == 0) return;
  std::unique_lock publishing(publish_mutex_);
  const TableInfo info = table.info();
  // Never later than the newest row: a wall clock that jumps ahead deletes nothing.
  const int64_t now = std::min(wall_ns, info.time_max);
  if (now < INT64_MIN + retention) return;
  std::vector<uint64_t> expired;
  std::vector<std::string> files;
  for (const auto& segment : table.segments()) {
    if (segment->time_range().max >= now - retention) continue;
    expired.push_back(segment->id());
    files.push_back("segments/" + segment->record().file);
  }
  if (expired.empty()) return;
  CatalogChange change = change_of(table);
  change.removed_segments = expired;
  kill_point("retention.before_commit");
  if (const auto dropped = commit(change); !dropped) {
    log_error(kComponent, fmt::format("retention of table `{}`: {}", info.name, dropped.error().message));
    return;
  }
  kill_point("retention.before_unlink");
  table.replace_segments(expired, {});
  publishing.unlock();
  remove_files(files);
  log_info(kComponent,
           fmt::format("retention: dropped {} segments of table `{}`", expired.size(), info.name));
}

void EngineImpl::close() {
  {
    const std::lock_guard lock(state_mutex_);
    if (closing_) return;
    closing_ = true;
    flush_work_.notify_all();
    compaction_work_.notify_all();
  }
  if (collector_ != 0) options_.metrics->remove_collector(collector_);
  if (compaction_thread_.joinable()) compaction_thread_.join();
  if (flush_thread_.joinable()) flush_thread_.join();
  if (wal_ != nullptr) wal_->close();
  {
    const std::lock_guard lock(apply_mutex_);
    apply_closing_ = true;
    apply_work_.notify_one();
  }
  if (apply_thread_.joinable()) apply_thread_.join();
  if (wal_ == nullptr || catalog_ == nullptr) return;
  kill_point("close.before_flush");
  if (const auto flushed = flush_before_close(); !flushed) {
    log_warn(kComponent, "the last flush failed, the log will be replayed: " + flushed.error().message);
  }
  kill_point("close.after_flush");
}

}  // namespace varve
