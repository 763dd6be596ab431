// The catalog: which tables, columns, live segments and tombstones a data folder has, how far streams were read, where
// sinks stand. An SQLite database in WAL mode with synchronous=FULL: a returned call is durable. One commit() is the
// moment files become, or stop being, part of their table.
// Every row carries a checksum and `meta` the number of rows of each table: a flipped bit or a lost row is found at
// load. Everything but cursors, positions and names of databases can be rebuilt from segment footers.
// Errors: kCorruption when the file is not a catalog or is damaged, kUnsupported when a newer version made it,
//         kUnavailable when another program holds it, kInvalidArgument when an id is taken, kExhausted when the disk is
//         full, kIo. Then nothing changed; after kIo from a commit the file may or may not hold it.
// Threads: any; one call at a time inside.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"
#include "storage/base/file.h"
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
  Lsn applied_lsn = 0;  // deletes up to here are out of it
};

struct CatalogTombstone {
  uint64_t id = 0;   // from the same counter as segments
  std::string file;  // name in tombstones/
  Lsn lsn = 0;
};

struct CatalogTable {
  uint32_t id = 0;
  std::string database;
  std::string name;
  std::vector<ColumnInfo> columns;           // in order of arrival, without time
  Lsn flushed_lsn = 0;                       // every row and delete of the table up to it is in a file
  std::vector<CatalogSegment> segments;      // by id
  std::vector<CatalogTombstone> tombstones;  // by id
};

struct CatalogState {
  std::string store_id;
  std::vector<CatalogTable> tables;
  std::vector<std::string>
      removals;  // files to unlink, below the data folder: "segments/0000000000000001.seg"
  std::vector<StreamPosition> positions;
  Lsn positions_lsn = 0;                            // the positions are as of this record
  Lsn replay_from_lsn = 0;                          // every record before it is in files, for every table
  std::vector<std::string> databases;               // that were created by name; sorted
  std::map<std::string, Lsn, std::less<>> cursors;  // name -> saved
  Lsn cursors_lsn = 0;  // the furthest any cursor was saved: no later record may get an lsn up to it
};

// How far the log is in files, as of one commit.
struct CatalogProgress {
  Lsn flushed_lsn = 0;  // of the table
  Lsn replay_from_lsn = 0;
  std::vector<StreamPosition> positions;
  Lsn positions_lsn = 0;
};

// One step of one table, all or nothing: a flush adds segments and progress, a merge adds and removes segments,
// retention removes, a delete adds a tombstone. Files of removed segments and tombstones become removals.
struct CatalogChange {
  uint32_t table_id = 0;
  std::string database;
  std::string table;
  std::vector<ColumnInfo> columns;  // all of the table's, without time
  std::optional<CatalogProgress> progress;
  std::vector<CatalogSegment> added_segments;
  std::vector<uint64_t> removed_segments;  // ids the table does not have are passed over
  std::vector<CatalogTombstone> added_tombstones;
  std::vector<uint64_t> removed_tombstones;
};

class Catalog {
 public:
  // Made, with a new store id, when the file does not exist. `vfs` names an SQLite VFS, for tests that fail its file
  // calls; it needs no shared memory. Empty is the system's.
  static Result<std::unique_ptr<Catalog>> open(const std::string& path, const std::string& vfs = {});
  virtual ~Catalog() = default;

  virtual Result<CatalogState> load() = 0;
  virtual Result<uint64_t> allocate_segment_id() = 0;  // ascending, never given twice
  // No id up to `used` is given from now on. For a catalog rebuilt from files.
  virtual Result<void> skip_segment_ids(uint64_t used) = 0;
  virtual Result<void> commit(const CatalogChange& change) = 0;
  // All tables, files, positions and lsns become these, in one step; store id, cursors, databases and the id counter
  // stay. For repairs.
  virtual Result<void> replace(const CatalogState& state) = 0;
  // These files are gone, and their going is durable.
  virtual Result<void> finish_removals(const std::vector<std::string>& files) = 0;
  virtual Result<std::optional<Lsn>> cursor(std::string_view name) = 0;
  virtual Result<void> save_cursor(std::string_view name, Lsn saved) = 0;
  virtual Result<void> add_database(std::string_view name) = 0;
  virtual Result<void> remove_database(std::string_view name) = 0;
};

// What a catalog that no process has open holds, without changing a byte of it. Reads a copy in the system's temporary
// folder, since SQLite writes beside every database it opens.
Result<CatalogState> read_catalog(FileSystem& file_system, const std::string& path);

// A consistent copy, durable, of a catalog that another process may be writing to. `to` must not exist.
Result<void> copy_catalog(FileSystem& file_system, const std::string& path, const std::string& to,
                          const std::string& vfs = {});

}  // namespace varve
