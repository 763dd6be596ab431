// One table: schema, series, memtable and segments, and the versions of them that scans read.
// Write path: check_batch (any thread) -> insert (the engine's apply thread, in log order).
// Flush path: begin_flush freezes the memtable; publish_flush puts segments in its place, in one step for readers.
// Threads: every method locks inside. Lock order: schema_mutex_ or write_mutex_, rows_mutex_, the
// SeriesIndex's own.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "storage/engine.h"
#include "storage/memtable/encoded_run.h"
#include "storage/memtable/sorted_pieces.h"
#include "storage/read_damage.h"
#include "storage/series/series_index.h"
#include "storage/stored_segment.h"
#include "storage/tombstone/tombstone.h"

namespace varve {

// A batch whose rows are all acceptable, bound to its table.
struct CheckedBatch {
  RowBatch batch;
  std::vector<SeriesId> series;       // of each row
  std::vector<size_t> field_indexes;  // of each field column of the batch: its field in the table
};

struct TableOptions {
  uint32_t id = 0;
  std::string database;
  std::string name;
  int64_t retention_ns = 0;
  uint64_t series_max = 0;
  uint64_t columns_max = 0;
};

// What a scan reads: nothing in it changes.
struct TableVersion {
  std::vector<std::shared_ptr<const StoredSegment>> segments;  // by last_lsn: the later write comes later
  std::vector<std::shared_ptr<const EncodedRun>> runs;         // older first, all newer than the segments
  SortedPieces::Runs newest;  // likewise, newer than the runs and all deletes
  TombstoneList tombstones;   // hide rows of segments and runs, see tombstone.h
};

struct FrozenMemtable {
  std::vector<std::shared_ptr<const EncodedRun>> runs;  // older first
  TombstoneList tombstones;  // all of the table's; those without an id are to be filed
  Lsn first_lsn = 0;         // of the oldest row or delete not in a file; 0 = there is nothing to flush
  Lsn last_lsn = 0;          // every row and delete of the table up to here is in a file or in them
  uint64_t rows = 0;
};

class Table {
 public:
  explicit Table(TableOptions options);

  const TableOptions& options() const { return options_; }  // retention_ns as it was at first
  int64_t retention_ns() const { return retention_ns_; }
  void set_retention(int64_t ns) { retention_ns_ = ns; }

  // ---- schema ----
  std::vector<ColumnInfo> columns() const;  // time first
  size_t column_count() const;              // without time, as columns_max counts
  size_t tag_count() const;
  void restore_columns(const std::vector<ColumnInfo>& columns);  // at open, without "time"
  struct FieldRef {
    size_t index;
    FieldType type;
  };
  std::optional<FieldRef> field(std::string_view name) const;
  SeriesIndex& series() { return series_; }
  const SeriesIndex& series() const { return series_; }

  // ---- writes ----
  // Takes out the rows the table cannot hold and adds them to `rejected` under `batch_number`. Rows that were
  // acknowledged before (replay) pass whatever the limits are now.
  enum class Limits { kEnforced, kIgnored };
  CheckedBatch check_batch(RowBatch batch, size_t batch_number, std::vector<RejectedRow>& rejected,
                           Limits limits = Limits::kEnforced);
  void insert(const CheckedBatch& checked, Lsn lsn, int64_t now_monotonic_ns);

  // ---- deletes ----
  // By the apply thread, in log order. What is written from now on is not hidden.
  void erase(std::shared_ptr<const Tombstone> tombstone, int64_t now_monotonic_ns);
  TombstoneList tombstones() const;
  size_t tombstone_count() const;
  // Segments all of whose rows are hidden.
  std::vector<std::shared_ptr<const StoredSegment>> hidden_segments() const;
  // Takes away the tombstones that hide nothing any more and have no file; of the others gives the ids.
  std::vector<uint64_t> settle_tombstones();
  void drop_tombstones(const std::vector<uint64_t>& ids);

  // ---- reads ----
  TableVersion version() const;
  std::vector<std::shared_ptr<const StoredSegment>> segments() const;
  TableInfo info() const;
  // Outlives the table: scans do.
  const std::shared_ptr<ReadDamage>& read_damage() const { return read_damage_; }

  // ---- flush ----
  uint64_t memtable_rows() const;
  uint64_t memtable_bytes() const;
  int64_t oldest_row_age_ns(int64_t now_monotonic_ns) const;  // 0 when the memtable is empty
  // The oldest record with rows not yet in a segment; nullopt when there are none.
  std::optional<Lsn> first_unflushed_lsn() const;
  // The same once `frozen` is in segments.
  std::optional<Lsn> first_unflushed_lsn_beside(const FrozenMemtable& frozen) const;
  FrozenMemtable begin_flush();  // at most one flush of a table at a time
  // Replaces the frozen runs by `segments`, and the frozen tombstones without a file by `filed`.
  void publish_flush(const FrozenMemtable& frozen, std::vector<std::shared_ptr<const StoredSegment>> segments,
                     std::vector<std::shared_ptr<const Tombstone>> filed);
  // The flush failed: the frozen rows go back to the memtable, to be flushed again.
  void cancel_flush();
  Lsn flushed_lsn() const;
  void restore_segments(std::vector<std::shared_ptr<const StoredSegment>> segments, Lsn flushed_lsn);
  void restore_tombstones(std::vector<std::shared_ptr<const Tombstone>> tombstones);
  bool has_segments(const std::vector<uint64_t>& segment_ids) const;
  // In one step for readers.
  void replace_segments(const std::vector<uint64_t>& segment_ids,
                        std::vector<std::shared_ptr<const StoredSegment>> by);

 private:
  struct Field {
    std::string name;
    FieldType type;
  };
  // The rows that cannot be stored, while a batch is checked.
  struct Refusals;
  void check_tags(const RowBatch& batch, Limits limits, Refusals& refusals);
  void check_fields(const RowBatch& batch, Limits limits, Refusals& refusals,
                    std::vector<size_t>& field_indexes);
  // False: columns_max or, for a tag, kTagColumnsMax reached.
  bool add_column(std::string_view name, ColumnKind kind, FieldType type, Limits limits);
  void append(const CheckedBatch& checked, Lsn lsn, int64_t now_monotonic_ns);
  void cut_buffer(bool keep_memory);  // write_mutex_ held
  SortedRun::SortByKey by_key() const;
  // rows_mutex_ held:
  void note_unflushed(Lsn lsn, int64_t now_monotonic_ns);
  template <class Condition>
  void remove_tombstones(Condition condition);
  void sort_segments();  // rows_mutex_ held

  const TableOptions options_;
  const std::shared_ptr<ReadDamage> read_damage_ = std::make_shared<ReadDamage>();
  std::atomic<int64_t> retention_ns_;
  SeriesIndex series_;

  mutable std::mutex schema_mutex_;  // guards the next four
  std::vector<ColumnInfo> columns_;  // without time
  std::vector<Field> fields_;
  std::unordered_map<std::string, size_t> field_positions_;
  std::unordered_map<std::string, size_t> tag_positions_;

  std::mutex
      write_mutex_;  // held by what changes buffer_, also while it is encoded; taken before rows_mutex_
  mutable std::mutex rows_mutex_;       // guards everything below
  RowBuffer buffer_;                    // arrival order, cut into a run at kRunRows or kRunBytes
  mutable SortedPieces buffer_pieces_;  // the buffer, sorted for readers as far as they have asked
  std::vector<std::shared_ptr<const EncodedRun>> runs_;
  std::vector<std::shared_ptr<const EncodedRun>> frozen_;
  std::vector<std::shared_ptr<const StoredSegment>> segments_;
  TombstoneList tombstones_;
  uint64_t run_bytes_ = 0;
  uint64_t run_rows_ = 0;
  uint64_t frozen_bytes_ = 0;
  uint64_t frozen_rows_ = 0;
  Lsn frozen_first_lsn_ = 0;
  Lsn first_lsn_ = 0;  // of the rows in buffer_ and runs_, and of deletes without a file; 0 = none
  Lsn last_lsn_ = 0;
  Lsn flushed_lsn_ = 0;
  int64_t oldest_row_ns_ = 0;  // monotonic time the first of them came
};

}  // namespace varve
