// Everything a data folder holds, read to the last byte: what verifies, what does not. Nothing is changed.
//   segments/   header, footer, index, every page, order, statistics against rows
//   tombstones/ every delete that rows in segments wait for
//   wal/        every record
//   catalog.db  every row
// Memory:  one segment at a time, and eight bytes a series of each table.
// Errors:  kIo, and kUnsupported for a file of a newer version: these are no damage, and nothing may be concluded.
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "storage/catalog/catalog.h"
#include "storage/segment/reader.h"
#include "storage/wal/recovery.h"

namespace varve {

using TableName = std::pair<std::string, std::string>;  // database, table

struct SegmentFile {
  std::string name;  // in segments/
  uint64_t bytes = 0;
  // Present when header, footer and index are whole.
  struct Facts {
    SegmentSchema schema;
    SegmentIdentity identity;
    uint64_t rows = 0;
    uint64_t series = 0;
    TimeRange time;
  };
  std::optional<Facts> facts;
  std::string damage;  // the first found; empty = whole
  std::vector<uint64_t> series_hashes;

  bool whole() const { return facts && damage.empty(); }
  CatalogSegment record() const;  // of a file with facts
};

struct TombstoneFound {
  std::string name;  // in tombstones/
  uint64_t id = 0;   // of a whole one
  Lsn lsn = 0;
  TableName table;
  std::string damage;  // empty = whole
};

struct LogFacts {
  WalSpan span;
  Lsn next_lsn = 1;  // after the last record
  uint64_t records = 0;
  uint64_t bytes = 0;
  std::vector<WalDamage> damage;
  std::optional<WalTornTail> torn_tail;
  struct Unreadable {
    Lsn lsn = 0;
    std::string reason;
  };
  std::vector<Unreadable> unreadable;  // records that verify but are not what a record should be
  std::vector<Lsn> blank;  // records without content: an earlier repair put them where one was lost
  std::vector<StreamPosition> positions;  // as of the last record
  std::map<TableName, TimeRange> rows;    // the times it has rows of
  // All of these records are there, as they were written.
  bool holds(Lsn first, Lsn last) const;
};

struct Inventory {
  std::optional<CatalogState> catalog;
  std::string catalog_damage;              // why it is absent
  std::vector<SegmentFile> segments;       // all of segments/, by name
  std::vector<TombstoneFound> tombstones;  // of tombstones/, by name, without what was not finished
  LogFacts log;
  uint64_t quarantined = 0;  // files of earlier repairs

  const SegmentFile* find_segment(const std::string& name) const;
  const TombstoneFound* find_tombstone(const std::string& name) const;
};

struct CheckProgress {
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
};
using CheckObserver = std::function<void(const CheckProgress&)>;

Result<Inventory> take_inventory(FileSystem& file_system, const std::string& data_directory,
                                 const CheckObserver& observer);

// One file of segments/, as the inventory would have it.
Result<SegmentFile> inspect_segment(FileSystem& file_system, const std::string& directory,
                                    const std::string& name);

}  // namespace varve
