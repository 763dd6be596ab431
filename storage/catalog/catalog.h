// The catalog: which tables, columns and live segments a data folder has, how far streams were read, where sinks stand.
// An SQLite database in WAL mode with synchronous=FULL: a returned call is durable. One transaction of publish_flush()
// is the moment segments become part of their table. Everything but cursors and positions can be rebuilt from segment
// footers.
// Errors: kCorruption when the file is not a catalog or is damaged, kUnsupported when a newer version made it,
//         kUnavailable when another program holds it, kInvalidArgument when an id is taken, kIo. Then nothing changed.
// Threads: any; one call at a time inside.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"
#include "storage/model/schema.h"
#include "storage/wal/entry.h"

namespace varve {

struct CatalogSegment {
  uint64_t id = 0;
  std::string file;  // name in segments/
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t series = 0;
  int64_t time_min = 0;
  int64_t time_max = 0;
  Lsn first_lsn = 0;  // log records its rows came from
  Lsn last_lsn = 0;
};

struct CatalogTable {
  uint32_t id = 0;
  std::string database;
  std::string name;
  std::vector<ColumnInfo> columns;       // in order of arrival, without time
  Lsn flushed_lsn = 0;                   // every row of the table up to it is in a segment
  std::vector<CatalogSegment> segments;  // by id, which is by age
};

struct CatalogState {
  std::string store_id;
  std::vector<CatalogTable> tables;
  std::vector<StreamPosition> positions;
  Lsn positions_lsn = 0;    // the positions are as of this record
  Lsn replay_from_lsn = 0;  // every record before it is in segments, for every table
  Lsn cursors_lsn = 0;      // the furthest any cursor was saved: no later record may get an lsn up to it
};

struct FlushPublication {
  uint32_t table_id = 0;
  std::string database;
  std::string table;
  std::vector<ColumnInfo> columns;  // all of the table's, without time
  Lsn flushed_lsn = 0;
  std::vector<CatalogSegment> segments;  // new ones
  Lsn replay_from_lsn = 0;
  std::vector<StreamPosition> positions;
  Lsn positions_lsn = 0;
};

class Catalog {
 public:
  // Made, with a new store id, when the file does not exist.
  static Result<std::unique_ptr<Catalog>> open(const std::string& path);
  virtual ~Catalog() = default;

  virtual Result<CatalogState> load() = 0;
  virtual Result<uint64_t> allocate_segment_id() = 0;  // ascending, never given twice
  virtual Result<void> publish_flush(const FlushPublication& publication) = 0;
  virtual Result<void> drop_segments(const std::vector<uint64_t>& ids) = 0;
  virtual Result<std::optional<Lsn>> cursor(std::string_view name) = 0;
  virtual Result<void> save_cursor(std::string_view name, Lsn saved) = 0;
};

}  // namespace varve
