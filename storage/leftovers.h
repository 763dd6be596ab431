// Files of segments/ that the catalog does not list: what a crash, or damage, left there. Used at open and by check.
// A file is removable only when its rows are provably elsewhere, needed when they are nowhere else, else unknown: then
// it is set aside, never removed.
// Threads: pure functions; set_aside() by one caller at a time.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "storage/base/file.h"
#include "storage/catalog/catalog.h"
#include "storage/model/types.h"
#include "storage/segment/format.h"
#include "storage/wal/recovery.h"

namespace varve {

constexpr std::string_view kQuarantineFolder =
    "quarantine";  // below the data folder; nothing in it is ever read

struct UnlistedSegment {
  std::string name;  // in segments/
  // Of header, footer and index; absent when they are damaged, then the rest is unknown too.
  std::optional<SegmentIdentity> identity;
  std::string database;
  std::string table;
  TimeRange time;
};

struct LiveSegments {
  struct Table {
    Lsn flushed_lsn = 0;
    std::set<uint64_t> ids;
    std::vector<CatalogSegment> segments;
  };
  std::map<std::pair<std::string, std::string>, Table> tables;  // by database, name
  std::set<uint64_t> replaced;                                  // ids whose merge is listed whole
  std::set<std::string> removals;                               // "segments/NAME"
  // Whether the log holds all of these records.
  std::function<bool(Lsn first, Lsn last)> log_holds;

  void take(const CatalogState& state);
  // `identity` of a listed segment; call after take().
  void add_replaced(const SegmentIdentity& identity, const Table& table);
};

enum class LeftoverKind { kRemovable, kNeeded, kUnknown };

struct Leftover {
  std::string name;
  LeftoverKind kind = LeftoverKind::kUnknown;
  std::string reason;  // "left over by an unfinished flush"
};

std::vector<Leftover> judge_leftovers(const std::vector<UnlistedSegment>& files, const LiveSegments& live);

// The log begins after the record from which the catalog needs it, or is gone.
bool log_lacks(const CatalogState& state, const WalSpan& log);

// Moves DATA/`file` to DATA/quarantine/`file`, or to a free name beside that; durable. Returns the new path.
Result<std::string> set_aside(FileSystem& file_system, const std::string& data_directory,
                              const std::string& file);

}  // namespace varve
