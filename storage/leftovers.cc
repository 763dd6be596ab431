#include "storage/leftovers.h"

#include <fmt/format.h>

#include <algorithm>

namespace varve {
namespace {

constexpr std::string_view kTemporary = ".tmp";

bool all_in(const std::vector<uint64_t>& ids, const std::set<uint64_t>& known) {
  return std::all_of(ids.begin(), ids.end(), [&](uint64_t id) { return known.contains(id); });
}

// Whether these segments, all older, could be the inputs of a merge that made this file: an output carries the first and
// the last lsn of them all, and no time that none of them has. A crash between two outputs leaves the earlier ones so.
bool could_be_part_of(const UnlistedSegment& file, const std::vector<CatalogSegment>& listed) {
  const SegmentIdentity& identity = *file.identity;
  Lsn first = UINT64_MAX, last = 0;
  TimeRange time{INT64_MAX, INT64_MIN};
  for (const CatalogSegment& segment : listed) {
    if (segment.id > identity.id || segment.first_lsn < identity.first_lsn ||
        segment.last_lsn > identity.last_lsn) {
      continue;
    }
    first = std::min(first, segment.first_lsn);
    last = std::max(last, segment.last_lsn);
    time.min = std::min(time.min, segment.time_min);
    time.max = std::max(time.max, segment.time_max);
  }
  return first == identity.first_lsn && last == identity.last_lsn && time.contains(file.time.min) &&
         time.contains(file.time.max);
}

Leftover judge(const UnlistedSegment& file, const LiveSegments& live) {
  if (file.name.ends_with(kTemporary)) {
    return {file.name, LeftoverKind::kRemovable, "left over by an unfinished write"};
  }
  if (live.removals.contains("segments/" + file.name)) {
    return {file.name, LeftoverKind::kRemovable, "no longer part of its table"};
  }
  if (!file.identity)
    return {file.name, LeftoverKind::kUnknown, "neither listed in the catalog nor readable"};
  const SegmentIdentity& identity = *file.identity;
  if (live.replaced.contains(identity.id)) {
    return {file.name, LeftoverKind::kRemovable, "merged into other segments"};
  }
  const auto table = live.tables.find({file.database, file.table});
  const bool known = table != live.tables.end();
  if (!known || identity.first_lsn > table->second.flushed_lsn) {
    if (live.log_holds(identity.first_lsn, identity.last_lsn)) {
      return {file.name, LeftoverKind::kRemovable, "left over by an unfinished flush"};
    }
    return {
        file.name, LeftoverKind::kNeeded,
        fmt::format("it holds log records {} to {} of table `{}`, which neither the catalog nor the log has",
                    identity.first_lsn, identity.last_lsn, file.table)};
  }
  if (!identity.replaces.empty() && all_in(identity.replaces, table->second.ids)) {
    return {file.name, LeftoverKind::kRemovable, "left over by an unfinished merge"};
  }
  if (identity.replaces.empty() && could_be_part_of(file, table->second.segments)) {
    return {file.name, LeftoverKind::kRemovable, "a part of an unfinished merge"};
  }
  return {file.name, LeftoverKind::kUnknown,
          fmt::format("not listed in the catalog, and where its rows of table `{}` are is not known",
                      file.table)};
}

}  // namespace

void LiveSegments::take(const CatalogState& state) {
  for (const CatalogTable& table : state.tables) {
    Table& entry = tables[{table.database, table.name}];
    entry.flushed_lsn = table.flushed_lsn;
    for (const CatalogSegment& segment : table.segments) entry.ids.insert(segment.id);
    entry.segments = table.segments;
  }
  removals.insert(state.removals.begin(), state.removals.end());
}

void LiveSegments::add_replaced(const SegmentIdentity& identity, const Table& table) {
  if (all_in(identity.parts, table.ids)) replaced.insert(identity.replaces.begin(), identity.replaces.end());
}

std::vector<Leftover> judge_leftovers(const std::vector<UnlistedSegment>& files, const LiveSegments& live) {
  std::vector<Leftover> judged;
  std::set<uint64_t>
      parts_of_removable;  // the other outputs of an unfinished merge whose last output is there
  for (const UnlistedSegment& file : files) {
    judged.push_back(judge(file, live));
    if (judged.back().kind == LeftoverKind::kRemovable && file.identity) {
      parts_of_removable.insert(file.identity->parts.begin(), file.identity->parts.end());
    }
  }
  for (size_t i = 0; i < files.size(); ++i) {
    const bool part = files[i].identity && parts_of_removable.contains(files[i].identity->id);
    if (judged[i].kind == LeftoverKind::kUnknown && part) {
      judged[i] = {files[i].name, LeftoverKind::kRemovable, "left over by an unfinished merge"};
    }
  }
  return judged;
}

bool log_lacks(const CatalogState& state, const WalSpan& log) {
  const Lsn needed = std::max<Lsn>(state.replay_from_lsn, 1);
  if (!log.folder) return !state.tables.empty();
  return log.files == 0 ? state.positions_lsn >= needed : log.oldest_lsn > needed;
}

Result<std::string> set_aside(FileSystem& file_system, const std::string& data_directory,
                              const std::string& file) {
  const std::string from = join_path(data_directory, file);
  const std::string base = join_path(join_path(data_directory, kQuarantineFolder), file);
  const std::string folder = parent_directory(base);
  VARVE_TRY(file_system.create_directories(folder));
  std::string target = base;
  for (int copy = 2;; ++copy) {
    VARVE_ASSIGN(const bool taken, file_system.exists(target));
    if (!taken) break;
    target = fmt::format("{}-{}", base, copy);
  }
  VARVE_TRY(file_system.rename(from, target));
  VARVE_TRY(file_system.sync_directory(folder));
  VARVE_TRY(file_system.sync_directory(parent_directory(from)));
  return target;
}

}  // namespace varve
