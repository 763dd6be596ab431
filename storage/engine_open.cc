// Opening a data folder: lock, catalog, segments, replay of the log, threads.
//   DATA/lock       held while the store is open
//   DATA/catalog.db tables, columns, live segments, positions, cursors
//   DATA/wal/       the log
//   DATA/segments/  segment files
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "storage/base/log.h"
#include "storage/base/units.h"
#include "storage/engine_impl.h"
#include "storage/wal/format.h"
#include "storage/wal/recovery.h"

namespace varve {
namespace {

constexpr std::string_view kComponent = "store";

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
  VARVE_TRY(fs_.create_directories(join_path(data, "segments")));
  VARVE_ASSIGN(catalog_, Catalog::open(join_path(data, "catalog.db"), options_.catalog_vfs));
  VARVE_ASSIGN(const CatalogState state, catalog_->load());
  VARVE_TRY(restore(state));
  VARVE_TRY(remove_unlisted_segments(state));

  const std::string log_directory = join_path(data, "wal");
  const int64_t began = clock_.monotonic_ns();
  VARVE_ASSIGN(const WalRecovery recovery,
               recover_wal(fs_, log_directory, std::max<Lsn>(state.replay_from_lsn, 1),
                           [&](Lsn lsn, std::string_view payload) { return replay_record(lsn, payload); }));
  if (recovery.records != 0) {
    log_info(kComponent,
             fmt::format("replayed {} log records ({}) in {} ms", recovery.records,
                         format_bytes(recovery.bytes), (clock_.monotonic_ns() - began) / kNsPerMs));
  }
  // Never an lsn that a flush or a cursor has already passed, even when the log lost its end.
  const Lsn next_lsn = std::max({recovery.next_lsn, state.positions_lsn + 1, state.cursors_lsn + 1});
  applied_lsn_ = next_lsn - 1;
  WalOptions log;
  log.directory = log_directory;
  log.sync = options_.wal_sync;
  log.file_system = &fs_;
  log.clock = &clock_;
  log.metrics = options_.metrics;
  log.on_no_space = [this](uint64_t epoch) {
    auto heard = std::make_shared<Pending>();
    heard->epoch_heard = epoch;
    queue_for_apply(std::move(heard));
  };
  VARVE_ASSIGN(wal_, Wal::open(std::move(log), next_lsn));
  disk_guard_.check();

  auto& metrics = *options_.metrics;
  auto& rows = metrics.gauge("varve_memtable_rows", "Rows not yet in segments.");
  auto& bytes = metrics.gauge("varve_memtable_bytes", "Memory of rows not yet in segments.");
  auto& segments = metrics.gauge("varve_segments", "Live segment files.");
  auto& segment_bytes = metrics.gauge("varve_segment_bytes", "Bytes of live segment files.");
  auto& log_bytes = metrics.gauge("varve_wal_bytes", "Bytes of the write-ahead log kept.");
  auto& due = metrics.gauge("varve_compaction_segments_due", "Segments that wait for a merge.");
  auto& damaged = metrics.gauge("varve_compaction_damaged_segments", "Segments no merge can read.");
  auto& read_only = metrics.gauge("varve_read_only", "1 when the store refuses writes, see /api/v1/status.");
  auto& disk_free = metrics.gauge("varve_disk_free_bytes", "Free space of the disk with the data folder.");
  auto& disk_reserve =
      metrics.gauge("varve_disk_reserve_bytes", "Free space below which writes are refused.");
  collector_ = metrics.add_collector([&, this] {
    const EngineStatus now = status();
    rows.set(static_cast<double>(now.memtable_rows));
    bytes.set(static_cast<double>(now.memtable_bytes));
    segments.set(static_cast<double>(now.segments));
    segment_bytes.set(static_cast<double>(now.segment_bytes));
    log_bytes.set(static_cast<double>(now.wal_bytes));
    due.set(static_cast<double>(now.compaction.segments_due));
    damaged.set(static_cast<double>(now.compaction.damaged_segments));
    read_only.set(now.read_only_reason.empty() ? 0 : 1);
    disk_free.set(static_cast<double>(now.disk_free_bytes));
    disk_reserve.set(static_cast<double>(disk_guard_.reserve()));
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
    VARVE_TRY(open_segments(*table, known.segments, segments));
    table->restore_segments(std::move(segments), known.flushed_lsn);
  }
  uint32_t largest_id = 0;
  for (const CatalogTable& known : state.tables) largest_id = std::max(largest_id, known.id);
  next_table_id_ = largest_id + 1;
  for (const StreamPosition& position : state.positions) {
    positions_[{position.stream, position.partition}] = position.next_offset;
  }
  positions_lsn_ = state.positions_lsn;
  published_replay_from_ = state.replay_from_lsn;
  return {};
}

Result<void> EngineImpl::remove_unlisted_segments(const CatalogState& state) {
  std::set<std::string> listed;
  for (const CatalogTable& table : state.tables) {
    for (const CatalogSegment& segment : table.segments) listed.insert(segment.file);
  }
  // The catalog is intact (it was opened), so a file it does not list belongs to a flush or a drop a crash cut short.
  const std::string directory = join_path(options_.data_directory, "segments");
  VARVE_ASSIGN(const auto names, fs_.list(directory));
  if (state.tables.empty() && !names.empty()) {
    // Either the first flush was cut short, and the log still has every record, or the catalog was lost and a new one
    // made: then these files are the data.
    const std::string first_log_file = join_path(join_path(options_.data_directory, "wal"), wal_file_name(1));
    VARVE_ASSIGN(const bool whole_log, fs_.exists(first_log_file));
    if (!whole_log) {
      return corruption(
          fmt::format("catalog.db in {} lists no tables, but {} holds {} files and the log does not "
                      "start at its first record; restore catalog.db from a backup of the data folder",
                      options_.data_directory, directory, names.size()));
    }
  }
  remove_files(state.removals);
  for (const std::string& name : names) {
    if (listed.contains(name) ||
        std::find(state.removals.begin(), state.removals.end(), "segments/" + name) != state.removals.end()) {
      continue;
    }
    log_info(kComponent, fmt::format("removing {}, left over by an unfinished flush", name));
    VARVE_TRY(fs_.remove(join_path(directory, name)));
  }
  return {};
}

Result<void> EngineImpl::replay_record(Lsn lsn, std::string_view payload) {
  auto entry = decode_wal_entry(payload);
  if (!entry) return with_context(std::move(entry.error()), fmt::format("log record {}", lsn));
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
  note_positions(entry->positions, lsn);
  applied_lsn_ = lsn;
  if (memtable_bytes_ > options_.memtable_bytes_max) {
    for (const auto& table : all_tables()) VARVE_TRY(flush_table(*table));
    memtable_bytes_ = 0;
  }
  return {};
}

}  // namespace varve
