#include "storage/check/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "storage/check/findings.h"
#include "storage/check/repair.h"
#include "storage/hold.h"

namespace varve {
namespace {

// Of a store that never ran there is nothing to check, and a mistyped folder must not look clean.
Result<void> require_store(FileSystem& files, const std::string& data) {
  for (const char* name : {"catalog.db", "wal", "segments"}) {
    VARVE_ASSIGN(const bool there, files.exists(join_path(data, name)));
    if (there) return {};
  }
  return not_found(fmt::format(
      "{} is not the data folder of a varve store: it has no catalog.db, wal/ or segments/", data));
}

// Null when nobody ever locked the folder (a fresh copy): then nobody has it open, and a check writes nothing.
Result<std::unique_ptr<FileLock>> take_lock(FileSystem& files, const std::string& data, bool repair) {
  const std::string path = join_path(data, "lock");
  VARVE_ASSIGN(const bool there, files.exists(path));
  if (!there && !repair) return std::unique_ptr<FileLock>();
  auto lock = files.lock(path);
  if (!lock && lock.error().code == ErrorCode::kUnavailable) {
    return unavailable(
        fmt::format("data folder {} is in use by a running varve; stop it first, or check a backup of it "
                    "(varve backup)",
                    data));
  }
  return lock;
}

std::vector<TableSummary> summarize_tables(const Inventory& inventory) {
  std::map<TableName, TableSummary> tables;
  std::map<TableName, std::unordered_set<uint64_t>> series;
  const auto add = [&](const TableName& name, const SegmentFile& file) {
    TableSummary& table = tables[name];
    ++table.segments;
    table.bytes += file.bytes;
    if (!file.facts) return;
    table.rows += file.facts->rows;
    table.time.min = std::min(table.time.min, file.facts->time.min);
    table.time.max = std::max(table.time.max, file.facts->time.max);
    series[name].insert(file.series_hashes.begin(), file.series_hashes.end());
  };
  if (inventory.catalog) {
    for (const CatalogTable& table : inventory.catalog->tables) {
      const TableName name(table.database, table.name);
      tables[name];
      for (const CatalogSegment& record : table.segments) {
        if (const SegmentFile* file = inventory.find_segment(record.file)) add(name, *file);
      }
    }
  } else {
    for (const SegmentFile& file : inventory.segments) {
      if (file.facts) add({file.facts->schema.database, file.facts->schema.table}, file);
    }
  }
  std::vector<TableSummary> out;
  for (auto& [name, table] : tables) {
    table.database = name.first;
    table.table = name.second;
    table.series = series[name].size();
    out.push_back(std::move(table));
  }
  return out;
}

}  // namespace

Result<CheckReport> check_store(const CheckOptions& options) {
  FileSystem& files = *options.file_system;
  VARVE_TRY(require_store(files, options.data_directory));
  VARVE_ASSIGN(const auto lock, take_lock(files, options.data_directory, options.repair));
  std::unique_ptr<FileLock> hold;  // a repair moves files that a backup may be linking
  if (options.repair) {
    VARVE_ASSIGN(hold, hold_store(files, options.data_directory, 0));
  }
  VARVE_ASSIGN(const Inventory inventory, take_inventory(files, options.data_directory, options.observer));
  Findings findings = compare(inventory);
  CheckReport report;
  report.tables = summarize_tables(inventory);
  for (const DeleteFile& file : inventory.tombstones) report.tombstones += file.facts ? 1 : 0;
  report.log_files = inventory.log.span.files;
  report.log_records = inventory.log.records;
  report.log_bytes = inventory.log.bytes;
  report.quarantined = inventory.quarantined;
  if (options.repair && !findings.problems.empty())
    VARVE_TRY(repair_store(options, inventory, findings, report));
  report.problems = std::move(findings.problems);
  report.notes = std::move(findings.notes);
  return report;
}

}  // namespace varve
