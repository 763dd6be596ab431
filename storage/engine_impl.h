// The engine behind engine.h.
// Threads, all started by start():
//   log     (in Wal)  writes and syncs groups of records, hands them to apply
//   apply             puts synced records into memtables in log order, calls done
//   flush             flushes, retention, removal of what is deleted and of log files nobody needs
//   compaction        merges segments, one merge at a time
// Lock order: erase_mutex_, then flush_mutex_ or compact_mutex_, publish_mutex_, record_mutex_, a Table's own;
// state_mutex_ before those of the log, the disk guard and the metrics; the other mutexes are held alone.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "storage/admitted_write.h"
#include "storage/catalog/catalog.h"
#include "storage/clock_guard.h"
#include "storage/compaction/journal.h"
#include "storage/disk_guard.h"
#include "storage/engine.h"
#include "storage/flush.h"
#include "storage/refused_rows.h"
#include "storage/table.h"
#include "storage/wal/reader.h"
#include "storage/wal/recovery.h"
#include "storage/wal/wal.h"

namespace varve {

struct RetentionRules {
  int64_t all_ns = 0;
  std::map<std::string, int64_t> of_tables;

  int64_t of(const std::string& table) const {
    const auto own = of_tables.find(table);
    return own == of_tables.end() ? all_ns : own->second;
  }
};

// What one round of compaction over all tables came to.
struct CompactionPass {
  size_t tried = 0;              // merges
  std::optional<Error> damage;   // an input that cannot be read; it is excluded from now on
  std::optional<Error> stopped;  // why the round ended early
};

class EngineImpl : public Engine {
 public:
  explicit EngineImpl(EngineOptions options);
  ~EngineImpl() override;

  // Opens the folder: lock, catalog, segments, log replay; then starts the threads.
  Result<void> start();

  AdmittedWrite admit(std::vector<RowBatch> batches) override;
  Result<void> append(AdmittedWrite&& write, AppendDone done) override;
  Result<DeleteOutcome> erase(DeleteRequest request) override;
  std::vector<StreamPosition> positions() const override;
  Result<void> create_database(std::string_view name) override;
  Result<void> forget_database(std::string_view name) override;
  std::vector<std::string> created_databases() const override;
  std::vector<TableInfo> tables() const override;
  Result<TableInfo> describe(std::string_view database, std::string_view table) const override;
  std::vector<SegmentInfo> segments() const override;
  Result<std::unique_ptr<Scan>> scan(ScanRequest request) const override;
  Result<std::shared_ptr<const TablePin>> pin(std::string_view database,
                                              std::string_view table) const override;
  Result<std::unique_ptr<LogCursor>> open_cursor(std::string_view name) override;
  std::unique_ptr<RowWatch> watch(std::string_view database, std::string_view table,
                                  std::function<void()> wake) override {
    return watches_.watch(database, table, std::move(wake));
  }
  void set_retention(int64_t retention_ns, const std::map<std::string, int64_t>& of_tables) override;
  EngineStatus status() const override;
  Result<void> flush() override;
  Result<void> compact() override;
  void close() override;

 private:
  friend class WalCursor;
  using TableKey = std::pair<std::string, std::string>;  // database, name
  struct Pending {                                       // in the log, not yet applied
    AdmittedWrite write;
    std::shared_ptr<Table> erased_table;  // of a delete, which has no write
    std::shared_ptr<const Tombstone> tombstone;
    AppendDone done;
    uint64_t bytes = 0;
    Result<Lsn> outcome = Lsn{0};
    std::optional<uint64_t> epoch_heard =
        std::nullopt;  // not a write: all failures before this epoch are delivered
  };

  // ---- open ----
  Result<void> restore(const CatalogState& state);
  Result<void> open_segments(Table& table, const std::vector<CatalogSegment>& records,
                             std::vector<std::shared_ptr<const StoredSegment>>& out);
  Result<void> refuse_lost_catalog();
  Result<void> refuse_lost_log(const CatalogState& state, const std::string& log_directory);
  Result<void> clear_leftovers(const CatalogState& state, const std::vector<std::string>& found,
                               const WalRecovery& recovery);
  Result<void> remove_unlisted_tombstones(const CatalogState& state);
  Result<std::vector<std::shared_ptr<const Tombstone>>> open_tombstones(
      const Table& table, const std::vector<CatalogTombstone>& records);
  Result<void> replay_record(Lsn lsn, std::string_view payload);
  void replay_delete(Lsn lsn, const RowDelete& rows);

  // ---- tables ----
  std::shared_ptr<Table> find_table(std::string_view database, std::string_view name) const;
  // Null when the name is not allowed or the limit is reached; `problem` says which.
  std::shared_ptr<Table> find_or_create_table(const RowBatch& batch, bool limited, RejectedRow& problem);
  std::vector<std::shared_ptr<Table>> all_tables() const;

  // ---- deletes (engine_deletes.cc) ----
  // The delete as it is logged, and its series here, ascending; none for all series.
  Result<RowDelete> resolve_delete(const Table& table, const DeleteRequest& request,
                                   std::vector<SeriesId>& series) const;
  // Files the frozen deletes that rows in segments wait for. On failure no file is left.
  Result<std::vector<CatalogTombstone>> write_tombstones(
      const Table& table, const FrozenMemtable& frozen, std::vector<std::shared_ptr<const Tombstone>>& filed);
  void remove_tombstone_files(const std::vector<CatalogTombstone>& files);
  // Drops the segments whose rows are all deleted, then the deletes that hide nothing any more.
  void settle_deletes(Table& table);

  // ---- threads ----
  // Takes the record into the log, to be applied by the apply thread. On failure nothing is taken, and the memory
  // reserved for it is given back.
  Result<void> submit(std::string payload, uint64_t epoch, const std::shared_ptr<Pending>& pending);
  void run_apply();
  void apply(Pending& pending);
  void queue_for_apply(std::shared_ptr<Pending> pending);
  Result<void> reserve_memory(uint64_t bytes);  // of a write, in pending_bytes_
  void note_positions(const std::vector<StreamPosition>& positions, Lsn lsn);
  void run_flush();
  bool closing() const;
  void flush_due_tables();
  Result<void> flush_table(Table& table);
  Result<void> flush_before_close();
  CatalogChange change_of(const Table& table) const;  // that changes nothing yet
  // A commit of unknown outcome stops all writes.
  Result<void> commit(const CatalogChange& change);
  // Unlinks files of committed removals, below the data folder. What cannot be removed now, because a backup holds the
  // files or the call fails, is tried again by the flush thread, and at the next start.
  void remove_files(std::vector<std::string> files);
  void remove_postponed_files();
  // Null while another process holds DATA/hold: then no file of the store may be unlinked.
  std::unique_ptr<FileLock> hold_files();
  void drop_expired(Table& table, int64_t wall_ns);  // that the clock guard trusts
  void trim_log();                                   // log_cursor.cc, with what follows
  Lsn needed_by_cursors() const;
  void note_absent_cursors();
  void note_dropped(Lsn limit);
  // Every record before it is in segments, for every table, once `frozen` of `flushed` is.
  Lsn replay_from_after(const Table& flushed, const FrozenMemtable& frozen) const;
  void stop_writes(const std::string& reason);

  // ---- compaction ----
  void run_compaction();
  // One merge of each table that has one due.
  CompactionPass compact_pass(bool settle);
  std::optional<MergePlan> choose_merge(const Table& table, bool settle, CompactionPass& pass);
  Result<void> merge(Table& table, const MergePlan& plan, const std::shared_ptr<MergeProgress>& progress);
  Result<void> publish_merge(Table& table, const MergeRequest& request, const SegmentTarget& target,
                             const std::vector<CatalogSegment>& written);
  void note_failed_merge(const Table& table, const MergePlan& plan, const MergeProgress& progress,
                         const Error& error, CompactionPass& pass);
  bool compaction_cancelled() const;

  const EngineOptions options_;
  FileSystem& fs_;
  const std::shared_ptr<OpenFiles> segment_files_;
  const Clock& clock_;
  Counter& rows_total_;
  RefusedRows refused_;
  Counter& log_bytes_total_;
  LatencyHistogram& flush_seconds_;
  LatencyHistogram& compaction_seconds_;
  CompactionJournal compaction_;
  uint64_t collector_ = 0;
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Catalog> catalog_;
  std::unique_ptr<Wal> wal_;
  std::string store_id_;
  DiskGuard disk_guard_;
  ClockGuard clock_guard_;
  int64_t opened_ns_ = 0;

  mutable std::mutex tables_mutex_;  // guards tables_
  std::map<TableKey, std::shared_ptr<Table>, std::less<>> tables_;
  RetentionRules retention_;  // guarded by tables_mutex_, too
  std::atomic<uint32_t> next_table_id_{1};

  mutable std::mutex positions_mutex_;  // guards positions_, positions_lsn_
  std::map<std::pair<std::string, int32_t>, int64_t> positions_;
  Lsn positions_lsn_ = 0;

  std::mutex
      record_mutex_;  // held while one record goes into memtables, and to freeze one: no record is cut in two

  mutable std::mutex apply_mutex_;  // guards apply_queue_, apply_closing_
  std::condition_variable apply_work_;
  std::deque<std::shared_ptr<Pending>> apply_queue_;
  bool apply_closing_ = false;
  std::atomic<uint64_t> pending_bytes_{0};   // handed to the log, not yet applied
  std::atomic<uint64_t> memtable_bytes_{0};  // refreshed by the flush thread, added to by apply
  std::atomic<Lsn> applied_lsn_{0};
  RowWatches watches_;
  std::atomic<uint64_t> log_epoch_heard_{0};  // every writer has been told of the log's failures before it

  mutable std::mutex databases_mutex_;  // guards the next, and its order in the catalog
  std::set<std::string, std::less<>> created_databases_;

  std::mutex erase_mutex_;                    // one delete at a time, so that their number is exact
  std::atomic<bool> deletes_applied_{false};  // since the flush thread looked

  std::mutex flush_mutex_;          // one flush at a time
  std::mutex compact_mutex_;        // one merge at a time
  std::mutex publish_mutex_;        // one change to the live segments at a time: commit and what scans see
  mutable std::mutex state_mutex_;  // guards what follows
  std::condition_variable flush_work_;
  std::condition_variable compaction_work_;
  bool flush_wanted_ = false;
  bool closing_ = false;
  std::string failure_;  // why writes stopped for good
  struct Cursor {
    Lsn saved = 0;
    bool opened = false;  // in this process; else known from the catalog
    Lsn told_to = 0;      // records before it that are gone were counted
    bool told_absent = false;
  };
  std::map<std::string, Cursor, std::less<>> cursors_;
  Lsn published_replay_from_ = 0;  // as of the last catalog commit
  Lsn trimmed_to_ = 0;
  std::vector<std::string> postponed_removals_;

  std::thread apply_thread_;
  std::thread flush_thread_;
  std::thread compaction_thread_;
};

}  // namespace varve
