// The store: one data folder, many databases of tables. Opened by one process at a time.
//   write: admit() -> append() -> WAL (group commit, fdatasync) -> memtable -> done callback -> flush -> segments
//   read:  scan() over memtable and segments; sinks read the log by a LogCursor
// Upsert: a row of the same (series, time) overwrites field by field; the later write wins.
// Acknowledged means: in the log and synced (wal_sync = group | each). A failed sync stops all writes until restart; a
// full disk only until there is room again, and what was refused meanwhile is never found later.
// Threads: every method may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/error.h"
#include "storage/base/file.h"
#include "storage/base/metrics.h"
#include "storage/model/row_batch.h"
#include "storage/model/schema.h"
#include "storage/model/types.h"
#include "storage/row_watch.h"
#include "storage/scan.h"
#include "storage/wal/entry.h"
#include "storage/wal/wal.h"

namespace varve {

struct EngineOptions {
  std::string data_directory;
  WalSync wal_sync = WalSync::kGroup;
  uint64_t wal_file_bytes = 64ULL << 20;
  uint64_t flush_rows = 1'000'000;
  int64_t flush_age_ns = 60 * kNsPerSecond;
  int64_t partition_ns = kNsPerDay;                   // flushed segments hold one partition of time each
  bool compaction = true;                             // by itself; compact() works without
  int64_t retention_ns = 0;                           // 0 = keep forever
  std::map<std::string, int64_t> table_retention_ns;  // by table name, over retention_ns
  uint64_t memtable_bytes_max = 512ULL << 20;  // then append() answers kUnavailable until a flush is done
  uint64_t series_per_table_max = 1'000'000;
  uint64_t columns_per_table_max = 4096;  // guessed: wide machines have hundreds
  uint64_t tables_max = 10'000;
  // Log kept for cursors alone goes when the whole log is over this; a cursor that loses records is told. Guessed: a
  // day of a sink's absence at 100 KB/s.
  uint64_t wal_bytes_max = 8ULL << 30;
  uint64_t disk_reserve_bytes = 512ULL << 20;  // disk_guard.h; guessed: the files of a flush or two
  FileSystem* file_system = &real_file_system();
  std::string
      catalog_vfs;  // an SQLite VFS for the catalog's file; empty = the system's. For tests, with file_system
  const Clock* clock = &real_clock();
  MetricsRegistry* metrics = nullptr;  // required
};

// A row the store cannot hold, and why.
struct RejectedRow {
  size_t batch = 0;    // index into the batches given to admit()
  uint32_t row = 0;    // index into that batch as given
  std::string reason;  // type_conflict, series_limit, column_limit, table_limit, invalid_name, value_too_long
  std::string detail;  // names the column and the limit
};

// Rows checked against schema and limits, with their series resolved, ready to append.
class AdmittedWrite {
 public:
  AdmittedWrite();
  AdmittedWrite(AdmittedWrite&&) noexcept;
  AdmittedWrite& operator=(AdmittedWrite&&) noexcept;
  ~AdmittedWrite();

  size_t rows() const;
  const std::vector<RejectedRow>& rejected() const;
  void merge(AdmittedWrite other);  // its rows come after ours; its rejected rows are dropped
  std::vector<StreamPosition> positions;

 private:
  friend class EngineImpl;
  struct State;
  std::unique_ptr<State> state_;
};

// Rows to delete: those of the matching series within a range of time that were acknowledged before.
struct DeleteRequest {
  std::string database;
  std::string table;
  TimeRange time;
  // Empty = every series. An error gives the delete up, with nothing done.
  std::function<Result<bool>(const SeriesTags&)> series_filter;
};

struct DeleteOutcome {
  uint64_t series = 0;  // that matched, whether or not they have rows in the range
  Lsn lsn = 0;          // of the delete's record; 0 when nothing matched and none was made
};

struct TableInfo {
  std::string database;
  std::string name;
  uint64_t rows = 0;   // upper bound while overlapping or deleted rows wait for compaction
  uint64_t bytes = 0;  // on disk
  uint64_t series = 0;
  int64_t time_min = 0;  // of an empty table: 0 and 0
  int64_t time_max = 0;
  int64_t retention_ns = 0;
  std::vector<ColumnInfo> columns;  // time first, then tags, then fields, in order of arrival
};

// One segment file of a table.
struct SegmentInfo {
  uint64_t id = 0;
  std::string database;
  std::string table;
  std::string file;  // name in segments/
  uint64_t rows = 0;
  uint64_t bytes = 0;
  uint64_t series = 0;
  int64_t time_min = 0;
  int64_t time_max = 0;
  Lsn first_lsn = 0;  // log records its rows came from
  Lsn last_lsn = 0;
};

struct CompactionStatus {
  std::string running_table;   // database.table; empty = no merge is running
  uint64_t running_bytes = 0;  // of its inputs
  uint64_t running_rows_read = 0;
  uint64_t running_bytes_written = 0;
  uint64_t segments_due = 0;      // inputs of merges that wait
  uint64_t damaged_segments = 0;  // no merge takes them: they cannot be read
  std::string problem;            // why the last merge failed or does not begin; empty = it went well
  uint64_t merges = 0;            // since start
  uint64_t bytes_read = 0;        // the same: segments merged
  uint64_t bytes_written = 0;     // the same: by merges
  uint64_t bytes_flushed = 0;     // the same: by flushes
};

// A table, or the store, that takes no more of something: rows that would need it are refused.
struct LimitReached {
  std::string limit;     // series_limit, column_limit, tag_limit, table_limit
  std::string database;  // empty for table_limit
  std::string table;
  uint64_t max = 0;
};

struct EngineStatus {
  std::string store_id;  // random, made with the data folder
  Lsn last_lsn = 0;
  Lsn durable_lsn = 0;
  uint64_t wal_bytes = 0;
  uint64_t wal_files = 0;
  uint64_t tombstones = 0;  // deletes that rows in segments or memtables wait for
  uint64_t segments = 0;
  uint64_t segment_bytes = 0;
  uint64_t memtable_rows = 0;
  uint64_t memtable_bytes = 0;
  uint64_t rows_written = 0;     // since start
  uint64_t bytes_written = 0;    // since start, into the log
  std::string read_only_reason;  // empty = writes are accepted
  bool failed = false;           // read-only for good: only a restart can tell what reached the disk
  uint64_t disk_free_bytes = 0;
  uint64_t disk_reserve_bytes = 0;         // with less free there are no writes
  std::string retention_suspended_reason;  // clock_guard.h; empty = retention works
  WalSync wal_sync = WalSync::kGroup;
  CompactionStatus compaction;
  uint64_t damaged_reads = 0;  // scans that found damage, since start
  std::string damage;          // the last of a segment that still is there; empty = none is
  static constexpr size_t kLimitsListedMax = 8;
  std::vector<LimitReached> limits;  // the first few
};

// One record as a sink sees it; of a delete, without rows.
struct LogRecord {
  Lsn lsn = 0;
  // Records before this one that went unread: damaged, or removed by EngineOptions::wal_bytes_max. How many.
  uint64_t lost_before = 0;
  std::vector<RowBatch> batches;
};

// A sink's place in the log. The log keeps what a cursor has not passed, up to EngineOptions::wal_bytes_max; what
// it missed beyond that is in the segments whose LSNs say so, to be read by a scan.
// Threads: next() and save() one at a time, the rest on any.
class LogCursor {
 public:
  virtual ~LogCursor() = default;
  // The next durable record after the last one read; false when none came within `timeout_ns` (or on close).
  virtual Result<bool> next(LogRecord& record, int64_t timeout_ns) = 0;
  // Everything up to `lsn` is done for good; saved durably before it returns.
  virtual Result<void> save(Lsn lsn) = 0;
  virtual Lsn saved() const = 0;
  // Log not yet saved; bytes in whole log files, so never too few.
  virtual uint64_t backlog_bytes() const = 0;
  virtual uint64_t backlog_records() const = 0;
};

class Engine {
 public:
  // kUnavailable when another process has the folder open. Replays the log before it returns.
  static Result<std::unique_ptr<Engine>> open(EngineOptions options);
  virtual ~Engine() = default;  // as close()

  // Checks rows against names, types and limits, creating tables, columns and series as needed. The rows it cannot
  // hold are taken out and listed. An int64 column widens to double when a double arrives.
  virtual AdmittedWrite admit(std::vector<RowBatch> batches) = 0;

  // `done` is called once, on the engine's thread, in order of the log: after the rows are durable and visible to
  // scans, or with the error: kUnavailable = the disk was full, nothing of it was kept and it may be sent again; kIo =
  // unknown. It must be quick and must not call append(). An error returned here (kUnavailable: a queue or memory limit
  // is reached, or the store is read-only) means nothing was taken and `done` is not called.
  // Order: once a `done` got an error, no write admitted before that is taken any more. A writer that must not leave
  // gaps (stream positions) looks for failures between admit() and append().
  using AppendDone = std::function<void(Result<Lsn>)>;
  virtual Result<void> append(AdmittedWrite&& write, AppendDone done) = 0;
  Result<Lsn> append_and_wait(AdmittedWrite&& write);

  // Returns when the delete is durable and no later scan sees the rows. Rows written again afterwards are seen, and a
  // table without rows stays. Works while a full disk refuses writes, too: it makes room. Errors: kNotFound,
  // kUnavailable (read-only, or kTombstonesPerTableMax deletes wait for compaction), kExhausted (the series matched do
  // not fit kDeleteSeriesBytesMax), the filter's own.
  virtual Result<DeleteOutcome> erase(DeleteRequest request) = 0;

  // Of every stream ever appended, as of the newest durable write.
  virtual std::vector<StreamPosition> positions() const = 0;

  // A database is made by its first row. These keep the names of others, too; durable when they return. A name that is
  // there is no error. Errors: kInvalidArgument, kExhausted (kCreatedDatabasesMax or the disk), kIo.
  static constexpr size_t kCreatedDatabasesMax = 10'000;  // guessed: as many as there may be tables
  virtual Result<void> create_database(std::string_view name) = 0;
  virtual Result<void> forget_database(std::string_view name) = 0;  // of tables it takes no notice
  virtual std::vector<std::string> created_databases() const = 0;   // sorted

  virtual std::vector<TableInfo> tables() const = 0;  // sorted by database, name
  virtual Result<TableInfo> describe(std::string_view database, std::string_view table) const = 0;
  virtual std::vector<SegmentInfo> segments() const = 0;  // sorted by database, table, time, id
  virtual Result<std::unique_ptr<Scan>> scan(ScanRequest request) const = 0;
  // The table as it is now, for scans that must agree with each other.
  virtual Result<std::shared_ptr<const TablePin>> pin(std::string_view database,
                                                      std::string_view table) const = 0;

  // A cursor of this name; a new one starts at the oldest record kept.
  virtual Result<std::unique_ptr<LogCursor>> open_cursor(std::string_view name) = 0;
  // The rows of a table acknowledged from now on, see row_watch.h.
  virtual std::unique_ptr<RowWatch> watch(std::string_view database, std::string_view table,
                                          std::function<void()> wake) = 0;
  // As EngineOptions has them; of every table, from the next look at what has expired.
  virtual void set_retention(int64_t retention_ns, const std::map<std::string, int64_t>& of_tables) = 0;

  virtual EngineStatus status() const = 0;
  virtual Result<void> flush() = 0;  // writes all memtables to segments; returns when published
  // Merges until nothing is due, as the compaction thread would once no more rows came: for tests, benches and
  // settling a store. kCorruption when a segment cannot be read (the others are merged), kExhausted when the disk has no
  // room for a merge.
  virtual Result<void> compact() = 0;
  virtual void close() = 0;  // refuses new writes, finishes the queue, flushes, stops the threads
};

}  // namespace varve
