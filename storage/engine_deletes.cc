// Deletes: from a request to a log record, from the record to a tombstone, and the end of both.
//   erase() -> log -> apply thread: Table::erase() -> the rows are hidden
//   flush thread: segments wholly deleted are dropped at once; a flush files the tombstones that segments still wait
//   for; a tombstone goes when it hides nothing any more.
#include <fmt/format.h>

#include <algorithm>
#include <future>
#include <set>

#include "storage/base/kill_point.h"
#include "storage/base/log.h"
#include "storage/base/units.h"
#include "storage/engine_impl.h"
#include "storage/series/snapshot_tags.h"
#include "storage/tombstone/format.h"

namespace varve {
namespace {

constexpr std::string_view kComponent = "store";
constexpr std::string_view kFolder = "tombstones";

// A tombstone without the series the table does not have: they have no rows to hide.
std::shared_ptr<Tombstone> tombstone_of(const RowDelete& rows, const SeriesIndex& index) {
  auto tombstone = std::make_shared<Tombstone>();
  tombstone->time = rows.time;
  tombstone->all_series = rows.all_series;
  for (const std::string& key : rows.series) {
    const auto decoded = decode_series_key(key);
    if (!decoded) continue;  // the decoder of `rows` has checked it
    const std::vector<TagPair> tags(decoded->begin(), decoded->end());
    if (const auto known = index.find(tags)) tombstone->series.push_back(*known);
  }
  std::sort(tombstone->series.begin(), tombstone->series.end());
  return tombstone;
}

RowDelete rows_of(const Tombstone& tombstone, const Table& table) {
  RowDelete rows;
  rows.database = table.options().database;
  rows.table = table.options().name;
  rows.time = tombstone.time;
  rows.all_series = tombstone.all_series;
  const auto snapshot = table.series().snapshot();
  for (const SeriesId series : tombstone.series) rows.series.push_back(snapshot->key(series));
  std::sort(rows.series.begin(), rows.series.end());
  return rows;
}

}  // namespace

Result<RowDelete> EngineImpl::resolve_delete(const Table& table, const DeleteRequest& request,
                                             std::vector<SeriesId>& series) const {
  RowDelete rows;
  rows.database = request.database;
  rows.table = request.table;
  rows.time = request.time;
  rows.all_series = !request.series_filter;
  if (rows.all_series) return rows;
  const auto snapshot = table.series().snapshot();
  SnapshotTags tags(snapshot);
  size_t bytes = 0;
  for (SeriesId id = 0; id < snapshot->size(); ++id) {
    tags.set(id);
    VARVE_ASSIGN(const bool matches, request.series_filter(tags));
    if (!matches) continue;
    series.push_back(id);
    rows.series.push_back(snapshot->key(id));
    bytes += rows.series.back().size();
    if (bytes > kDeleteSeriesBytesMax) {
      return exhausted(fmt::format(
          "the delete matches more than {} series, whose names exceed {} (the limit of one delete); "
          "narrow the tags and delete in parts",
          rows.series.size() - 1, format_bytes(kDeleteSeriesBytesMax)));
    }
  }
  std::sort(rows.series.begin(), rows.series.end());
  return rows;
}

Result<DeleteOutcome> EngineImpl::erase(DeleteRequest request) {
  const auto table = find_table(request.database, request.table);
  if (table == nullptr) {
    return not_found(fmt::format("there is no table `{}` in database `{}`", request.table, request.database));
  }
  const std::lock_guard one_at_a_time(erase_mutex_);
  {
    const std::lock_guard lock(state_mutex_);
    if (closing_) return unavailable("the store is closing");
    if (!failure_.empty()) return unavailable("the store is read-only: " + failure_);
  }
  DeleteOutcome outcome;
  if (request.time.empty()) return outcome;
  auto tombstone = std::make_shared<Tombstone>();
  WalEntry entry;
  VARVE_ASSIGN(RowDelete rows, resolve_delete(*table, request, tombstone->series));
  outcome.series = rows.all_series ? table->series().size() : rows.series.size();
  if (outcome.series == 0) return outcome;
  if (table->tombstone_count() >= kTombstonesPerTableMax) {
    return unavailable(fmt::format("{} deletes of table `{}` wait for compaction, the limit; try again later",
                                   kTombstonesPerTableMax, request.table));
  }
  tombstone->time = rows.time;
  tombstone->all_series = rows.all_series;
  entry.deletes.push_back(std::move(rows));
  auto pending = std::make_shared<Pending>();
  pending->erased_table = table;
  pending->tombstone = std::move(tombstone);
  std::promise<Result<Lsn>> promise;
  auto applied = promise.get_future();
  pending->done = [&](Result<Lsn> result) { promise.set_value(std::move(result)); };
  VARVE_TRY(submit(encode_wal_entry(entry), log_epoch_heard_, pending));
  VARVE_ASSIGN(outcome.lsn, applied.get());
  kill_point("delete.applied");
  {
    const std::lock_guard lock(state_mutex_);
    flush_wanted_ = true;  // looks for what is deleted whole
    flush_work_.notify_one();
  }
  return outcome;
}

// ---- files ----

Result<std::vector<CatalogTombstone>> EngineImpl::write_tombstones(
    const Table& table, const FrozenMemtable& frozen, std::vector<std::shared_ptr<const Tombstone>>& filed) {
  std::vector<CatalogTombstone> written;
  if (frozen.tombstones == nullptr) return written;
  const auto segments = table.segments();
  const auto write = [&](const Tombstone& tombstone) -> Result<void> {
    auto copy = std::make_shared<Tombstone>(tombstone);
    VARVE_ASSIGN(copy->id, catalog_->allocate_segment_id());
    CatalogTombstone record{copy->id, tombstone_file_name(copy->id), copy->lsn};
    const std::string path = join_path(join_path(options_.data_directory, kFolder), record.file);
    kill_point("tombstone.before_write");
    VARVE_TRY(fs_.write_atomically(path, encode_tombstone({copy->id, copy->lsn, rows_of(*copy, table)})));
    kill_point("tombstone.after_write");
    written.push_back(std::move(record));
    filed.push_back(std::move(copy));
    return {};
  };
  for (const auto& tombstone : *frozen.tombstones) {
    const bool waits = std::any_of(segments.begin(), segments.end(), [&](const auto& segment) {
      return tombstone->hides_some(segment->record().applied_lsn, segment->time_range(), segment->series());
    });
    if (tombstone->id != 0 || !waits) continue;
    if (const auto done = write(*tombstone); !done) {
      remove_tombstone_files(written);
      return done.error();
    }
  }
  return written;
}

void EngineImpl::remove_tombstone_files(const std::vector<CatalogTombstone>& files) {
  for (const CatalogTombstone& record : files) {
    const std::string path = join_path(join_path(options_.data_directory, kFolder), record.file);
    if (const auto removed = fs_.remove(path); !removed) log_warn(kComponent, removed.error().message);
  }
}

void EngineImpl::settle_deletes(Table& table) {
  if (table.tombstone_count() == 0) return;
  const std::lock_guard no_flush(flush_mutex_);  // it may be filing these deletes
  std::unique_lock publishing(publish_mutex_);
  CatalogChange drop = change_of(table);
  std::vector<std::string> files;
  for (const auto& segment : table.hidden_segments()) {
    drop.removed_segments.push_back(segment->id());
    files.push_back("segments/" + segment->record().file);
  }
  if (!files.empty()) {
    kill_point("delete.before_segment_drop");
    if (const auto dropped = commit(drop); !dropped) {
      log_error(kComponent, fmt::format("dropping deleted segments of table `{}`: {}", table.options().name,
                                        dropped.error().message));
      return;
    }
    table.replace_segments(drop.removed_segments, {});
    log_info(kComponent, fmt::format("dropped {} segments of table `{}`, all of whose rows are deleted",
                                     files.size(), table.options().name));
    remove_files(std::move(files));
  }
  // After the files it speaks of are gone: should the catalog be lost, the delete still stands.
  CatalogChange settled = change_of(table);
  settled.removed_tombstones = table.settle_tombstones();
  if (settled.removed_tombstones.empty()) return;
  kill_point("tombstone.before_settling");
  if (const auto done = commit(settled); !done) {
    log_error(kComponent,
              fmt::format("deletes of table `{}`: {}", table.options().name, done.error().message));
    return;
  }
  kill_point("tombstone.before_unlink");
  table.drop_tombstones(settled.removed_tombstones);
  std::vector<std::string> gone;
  for (const uint64_t id : settled.removed_tombstones) {
    gone.push_back(fmt::format("{}/{}", kFolder, tombstone_file_name(id)));
  }
  remove_files(std::move(gone));
}

// ---- open ----

Result<std::vector<std::shared_ptr<const Tombstone>>> EngineImpl::open_tombstones(
    const Table& table, const std::vector<CatalogTombstone>& records) {
  std::vector<std::shared_ptr<const Tombstone>> tombstones;
  for (const CatalogTombstone& record : records) {
    const std::string path = join_path(join_path(options_.data_directory, kFolder), record.file);
    const auto wrong = [&](const Error& error) {
      const bool absent = error.code == ErrorCode::kNotFound;
      return Error{absent ? ErrorCode::kCorruption : error.code,
                   fmt::format("{}: a delete of table `{}` cannot be read: {}", path, table.options().name,
                               error.message)};
    };
    const auto bytes = fs_.read_all(path);
    if (!bytes) return wrong(bytes.error());
    const auto file = decode_tombstone(*bytes);
    if (!file) return wrong(file.error());
    const bool same = file->id == record.id && file->lsn == record.lsn &&
                      file->rows.database == table.options().database &&
                      file->rows.table == table.options().name;
    if (!same) return wrong(corruption("it is another delete than the catalog says"));
    auto tombstone = tombstone_of(file->rows, table.series());
    tombstone->id = file->id;
    tombstone->lsn = file->lsn;
    tombstones.push_back(std::move(tombstone));
  }
  return tombstones;
}

// Leftovers of flushes and removals that a crash cut short: the log still has what the catalog does not list.
Result<void> EngineImpl::remove_unlisted_tombstones(const CatalogState& state) {
  std::set<std::string> listed;
  for (const CatalogTable& table : state.tables) {
    for (const CatalogTombstone& tombstone : table.tombstones) listed.insert(tombstone.file);
  }
  VARVE_ASSIGN(const auto names, fs_.list(join_path(options_.data_directory, kFolder)));
  std::vector<std::string> unlisted;
  for (const std::string& name : names) {
    if (listed.contains(name)) continue;
    unlisted.push_back(fmt::format("{}/{}", kFolder, name));
    log_info(kComponent, fmt::format("removing {}, left over by an unfinished delete", unlisted.back()));
  }
  remove_files(std::move(unlisted));
  return {};
}

void EngineImpl::replay_delete(Lsn lsn, const RowDelete& rows) {
  const auto table = find_table(rows.database, rows.table);
  if (table == nullptr || lsn <= table->flushed_lsn()) return;  // without the table there are no rows to hide
  auto tombstone = tombstone_of(rows, table->series());
  tombstone->lsn = lsn;
  table->erase(std::move(tombstone), clock_.monotonic_ns());
  deletes_applied_ = true;
}

}  // namespace varve
