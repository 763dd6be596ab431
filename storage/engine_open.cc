// Opening a data folder: lock, catalog, segments, replay of the log, threads.
//   DATA/lock       held while the store is open
//   DATA/catalog.db tables, columns, live segments, positions, cursors
//   DATA/wal/       the log
//   DATA/segments/  segment files
//   DATA/tombstones/ deletes that rows in segments wait for
//   DATA/hold       held while files may not be unlinked (engine_maintenance.cc)
//   DATA/quarantine/ damaged or unexplained files; never read, never removed
// Start is refused, naming `varve check --repair`, when the catalog is missing beside segments, when the log begins
// after the record the catalog needs, and when an unlisted segment holds rows that are nowhere else.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/base/kill_point.h"
#include "storage/base/log.h"
#include "storage/base/units.h"
#include "storage/engine_impl.h"
#include "storage/leftovers.h"
#include "storage/segment/byte_source.h"
#include "storage/wal/format.h"
#include "storage/wal/recovery.h"

namespace varve {
namespace {

constexpr std::string_view kComponent = "store";

std::string repair_command(const std::string& data) {
  return fmt::format("`varve check --data {} --repair`", data);
}

// A listed file that is damaged or gone stops the start: what to do about it.
template <class T>
Result<T> or_repair(Result<T> opened, const std::string& data) {
  if (opened) return opened;
  Error error = std::move(opened.error());
  if (error.code == ErrorCode::kNotFound || error.code == ErrorCode::kCorruption) {
    error.code = ErrorCode::kCorruption;
    error.message += fmt::format("; {} saves what is intact", repair_command(data));
  }
  return error;
}

// The identity of an unlisted file; its data pages are not read.
UnlistedSegment look_at(FileSystem& files, const std::string& directory, const std::string& name) {
  UnlistedSegment unlisted;
  unlisted.name = name;
  const std::string path = join_path(directory, name);
  const auto reader = [&]() -> Result<std::shared_ptr<const SegmentReader>> {
    VARVE_ASSIGN(auto file, files.open_read(path));
    VARVE_ASSIGN(auto source, file_source(std::move(file)));
    return SegmentReader::open(std::move(source), path);
  }();
  if (!reader) return unlisted;
  unlisted.identity = (*reader)->identity();
  unlisted.database = (*reader)->schema().database;
  unlisted.table = (*reader)->schema().table;
  unlisted.time = (*reader)->time_range();
  return unlisted;
}

}  // namespace

Result<void> EngineImpl::start() {
  const std::string& data = options_.data_directory;
  if (data.empty()) return invalid_argument("storage.data is empty; name the data folder");
  VARVE_TRY(fs_.create_directories(data));
  auto held = fs_.lock(join_path(data, "lock"));
  if (!held) {
    if (held.error().code != ErrorCode::kUnavailable) return held.error();
    return unavailable(fmt::format(
        "data folder {} is in use by another varve; stop it or choose another storage.data", data));
  }
  lock_ = std::move(*held);
  for (const char* folder : {"segments", "tombstones"})
    VARVE_TRY(fs_.create_directories(join_path(data, folder)));
  VARVE_TRY(refuse_lost_catalog());
  VARVE_ASSIGN(catalog_, Catalog::open(join_path(data, "catalog.db"), options_.catalog_vfs));
  VARVE_ASSIGN(const CatalogState state, catalog_->load());
  VARVE_TRY(restore(state));
  VARVE_ASSIGN(const std::vector<std::string> found, fs_.list(join_path(data, "segments")));
  const std::string log_directory = join_path(data, "wal");
  VARVE_TRY(refuse_lost_log(state, log_directory));
  VARVE_TRY(remove_unlisted_tombstones(state));
  const int64_t began = clock_.monotonic_ns();
  VARVE_ASSIGN(const WalRecovery recovery,
               recover_wal(fs_, log_directory, std::max<Lsn>(state.replay_from_lsn, 1),
                           [&](Lsn lsn, std::string_view payload) { return replay_record(lsn, payload); }));
  if (recovery.records != 0) {
    log_info(kComponent,
             fmt::format("replayed {} log records ({}) in {} ms", recovery.records,
                         format_bytes(recovery.bytes), (clock_.monotonic_ns() - began) / kNsPerMs));
  }
  VARVE_TRY(clear_leftovers(state, found, recovery));
  // Never an lsn that a flush or a cursor has already passed, even when the log lost its end.
  const Lsn next_lsn = std::max({recovery.next_lsn, state.positions_lsn + 1, state.cursors_lsn + 1});
  applied_lsn_ = next_lsn - 1;
  WalOptions log;
  log.directory = log_directory;
  log.sync = options_.wal_sync;
  log.file_bytes = options_.wal_file_bytes;
  log.file_system = &fs_;
  log.clock = &clock_;
  log.metrics = options_.metrics;
  log.on_no_space = [this](uint64_t epoch) {
    auto heard = std::make_shared<Pending>();
    heard->epoch_heard = epoch;
    queue_for_apply(std::move(heard));
  };
  kill_point("open.before_log");
  VARVE_ASSIGN(wal_, Wal::open(std::move(log), next_lsn));
  kill_point("open.after_log");
  disk_guard_.check();

  auto& metrics = *options_.metrics;
  auto& rows = metrics.gauge("varve_memtable_rows", "Rows not yet in segments.");
  auto& bytes = metrics.gauge("varve_memtable_bytes", "Memory of rows not yet in segments.");
  auto& tombstones = metrics.gauge("varve_tombstones", "Deletes whose rows compaction has not removed yet.");
  auto& segments = metrics.gauge("varve_segments", "Live segment files.");
  auto& segment_bytes = metrics.gauge("varve_segment_bytes", "Bytes of live segment files.");
  auto& log_bytes = metrics.gauge("varve_wal_bytes", "Bytes of the write-ahead log kept.");
  auto& due = metrics.gauge("varve_compaction_segments_due", "Segments that wait for a merge.");
  auto& damaged = metrics.gauge("varve_compaction_damaged_segments", "Segments no merge can read.");
  auto& read_only = metrics.gauge("varve_read_only", "1 when the store refuses writes, see /api/v1/status.");
  auto& suspended = metrics.gauge("varve_retention_suspended", "1 while the wall clock is not trusted.");
  auto& disk_free = metrics.gauge("varve_disk_free_bytes", "Free space of the disk with the data folder.");
  auto& disk_reserve =
      metrics.gauge("varve_disk_reserve_bytes", "Free space below which writes are refused.");
  auto& headroom = metrics.gauge("varve_disk_headroom_bytes",
                                 "Free space above that reserve; below 0 writes are refused.");
  auto& damaged_reads = metrics.total("varve_damaged_reads_total", "Scans that found damage, since start.");
  auto& log_files = metrics.gauge("varve_wal_files", "Files of the write-ahead log kept.");
  collector_ = metrics.add_collector([&, this] {
    const EngineStatus now = status();
    rows.set(static_cast<double>(now.memtable_rows));
    bytes.set(static_cast<double>(now.memtable_bytes));
    tombstones.set(static_cast<double>(now.tombstones));
    segments.set(static_cast<double>(now.segments));
    segment_bytes.set(static_cast<double>(now.segment_bytes));
    log_bytes.set(static_cast<double>(now.wal_bytes));
    due.set(static_cast<double>(now.compaction.segments_due));
    damaged.set(static_cast<double>(now.compaction.damaged_segments));
    read_only.set(now.read_only_reason.empty() ? 0 : 1);
    suspended.set(now.retention_suspended_reason.empty() ? 0 : 1);
    disk_free.set(static_cast<double>(now.disk_free_bytes));
    disk_reserve.set(static_cast<double>(now.disk_reserve_bytes));
    headroom.set(static_cast<double>(now.disk_free_bytes) - static_cast<double>(now.disk_reserve_bytes));
    damaged_reads.set(static_cast<double>(now.damaged_reads));
    log_files.set(static_cast<double>(now.wal_files));
  });
  apply_thread_ = std::thread([this] { run_apply(); });
  flush_thread_ = std::thread([this] { run_flush(); });
  if (options_.compaction) compaction_thread_ = std::thread([this] { run_compaction(); });
  return {};
}

Result<void> EngineImpl::restore(const CatalogState& state) {
  store_id_ = state.store_id;
  for (const CatalogTable& known : state.tables) {
    RowBatch name;
    name.database = known.database;
    name.table = known.name;
    RejectedRow problem;
    next_table_id_ = known.id;
    const auto table = find_or_create_table(name, false, problem);
    if (table == nullptr) return corruption("catalog: " + problem.detail);
    table->restore_columns(known.columns);
    std::vector<std::shared_ptr<const StoredSegment>> segments;
    VARVE_TRY(or_repair(open_segments(*table, known.segments, segments), options_.data_directory));
    table->restore_segments(std::move(segments), known.flushed_lsn);
    VARVE_ASSIGN(auto tombstones,
                 or_repair(open_tombstones(*table, known.tombstones), options_.data_directory));
    table->restore_tombstones(std::move(tombstones));
  }
  uint32_t largest_id = 0;
  for (const CatalogTable& known : state.tables) largest_id = std::max(largest_id, known.id);
  next_table_id_ = largest_id + 1;
  for (const StreamPosition& position : state.positions) {
    positions_[{position.stream, position.partition}] = position.next_offset;
  }
  positions_lsn_ = state.positions_lsn;
  published_replay_from_ = state.replay_from_lsn;
  for (const auto& [name, saved] : state.cursors) cursors_[name].saved = saved;
  created_databases_.insert(state.databases.begin(), state.databases.end());
  opened_ns_ = clock_.monotonic_ns();
  return {};
}

Result<void> EngineImpl::refuse_lost_catalog() {
  const std::string& data = options_.data_directory;
  // Where SQLite will look for it.
  FileSystem& place = options_.catalog_vfs.empty() ? real_file_system() : fs_;
  VARVE_ASSIGN(const bool there, place.exists(join_path(data, "catalog.db")));
  if (there) return {};
  VARVE_ASSIGN(const auto names, fs_.list(join_path(data, "segments")));
  if (names.empty()) return {};
  return corruption(
      fmt::format("catalog.db is missing in {}, but segments/ holds {} files; {} rebuilds it from them", data,
                  names.size(), repair_command(data)));
}

Result<void> EngineImpl::refuse_lost_log(const CatalogState& state, const std::string& log_directory) {
  VARVE_ASSIGN(const WalSpan log, wal_span(fs_, log_directory));
  if (!log_lacks(state, log)) return {};
  return corruption(fmt::format(
      "the catalog in {} needs the log from record {} on, but {}: either of them has lost a part; {} makes "
      "the best "
      "of what is there",
      options_.data_directory, std::max<Lsn>(state.replay_from_lsn, 1),
      log.files == 0 ? "the log is gone" : fmt::format("the log begins at record {}", log.oldest_lsn),
      repair_command(options_.data_directory)));
}

// `found` are the files of segments/ before the replay, which may have flushed more.
Result<void> EngineImpl::clear_leftovers(const CatalogState& state, const std::vector<std::string>& found,
                                         const WalRecovery& recovery) {
  LiveSegments live;
  live.take(state);
  live.log_holds = [&](Lsn first, Lsn last) {
    const bool lost = std::any_of(
        recovery.damage.begin(), recovery.damage.end(),
        [&](const WalDamage& damage) { return damage.first_lost <= last && first <= damage.last_lost; });
    return !lost && first >= state.replay_from_lsn && last < recovery.next_lsn;
  };
  std::set<std::string> listed;
  for (const CatalogTable& table : state.tables) {
    for (const CatalogSegment& segment : table.segments) listed.insert(segment.file);
  }
  const std::string directory = join_path(options_.data_directory, "segments");
  std::vector<UnlistedSegment> unlisted;
  for (const std::string& name : found) {
    if (!listed.contains(name) && !live.removals.contains("segments/" + name)) {
      unlisted.push_back(look_at(fs_, directory, name));
    }
  }
  for (const auto& table : all_tables()) {
    for (const auto& segment : table->segments()) {
      live.add_replaced(segment->reader().identity(),
                        live.tables[{table->options().database, table->options().name}]);
    }
  }
  std::vector<std::string> removable = state.removals;
  for (const Leftover& leftover : judge_leftovers(unlisted, live)) {
    const std::string file = "segments/" + leftover.name;
    if (leftover.kind == LeftoverKind::kNeeded) {
      return corruption(fmt::format("{} is not in the catalog, and {}; {} takes it in",
                                    join_path(options_.data_directory, file), leftover.reason,
                                    repair_command(options_.data_directory)));
    }
    if (leftover.kind == LeftoverKind::kRemovable) {
      log_info(kComponent, fmt::format("removing {}: {}", file, leftover.reason));
      removable.push_back(file);
      continue;
    }
    VARVE_ASSIGN(const std::string kept, set_aside(fs_, options_.data_directory, file));
    log_warn(kComponent, fmt::format("{} is {}; it was moved to {}", file, leftover.reason, kept));
  }
  kill_point("open.before_leftover_removal");
  remove_files(removable);
  kill_point("open.after_leftover_removal");
  return {};
}

Result<void> EngineImpl::replay_record(Lsn lsn, std::string_view payload) {
  auto entry = decode_wal_entry(payload);
  if (!entry) return with_context(std::move(entry.error()), fmt::format("log record {}", lsn));
  for (const RowDelete& rows : entry->deletes) replay_delete(lsn, rows);
  for (RowBatch& batch : entry->batches) {
    RejectedRow problem;
    const auto table = find_or_create_table(batch, false, problem);
    if (table == nullptr) return corruption(fmt::format("log record {}: {}", lsn, problem.detail));
    if (lsn <= table->flushed_lsn()) continue;
    std::vector<RejectedRow> rejected;
    const CheckedBatch checked = table->check_batch(std::move(batch), 0, rejected, Table::Limits::kIgnored);
    if (!rejected.empty()) {
      return corruption(fmt::format("log record {}: {} rows were accepted before and are not now: {}", lsn,
                                    rejected.size(), rejected.front().detail));
    }
    table->insert(checked, lsn, clock_.monotonic_ns());
    memtable_bytes_ += checked.batch.memory_bytes();
  }
  kill_point("open.record_replayed");
  note_positions(entry->positions, lsn);
  applied_lsn_ = lsn;
  if (memtable_bytes_ > options_.memtable_bytes_max) {
    for (const auto& table : all_tables()) VARVE_TRY(flush_table(*table));
    kill_point("open.replay_flushed");
    memtable_bytes_ = 0;
  }
  return {};
}

}  // namespace varve
