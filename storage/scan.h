// The store's one read door: rows of a table, series by series, each series in ascending time without duplicates.
// A scan sees the state of the moment it was opened; later writes, flushes and compactions do not disturb it.
//   one thread:   scan = engine.scan(request); while (scan->next(block)) ...
//   more:         while (part = scan->cut(rows)): a thread with helper = scan->helper() does helper->read(part) and
//                 then helper->next(block) ...; parts are the scan's rows in order, whoever reads them
//   in windows:   scan->restart(window), and next() again: other rows of the same state
//   several:      request.pin = engine.pin(...): they all see the state of that moment
// Errors: kCorruption naming segment and block.
// Threads: a Scan belongs to one thread at a time; several may run, a scan and its helpers among them.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"
#include "storage/model/column.h"
#include "storage/model/types.h"

namespace varve {

using SeriesId = uint32_t;  // dense within a table, stable while the store is open

// The tags of one series. Views live as long as the scan.
class SeriesTags {
 public:
  virtual ~SeriesTags() = default;
  virtual std::string_view value(std::string_view tag_name) const = 0;  // empty = the series lacks the tag
};

// What is wanted of one field, by its type: a value within [min, max], both ends included. NULL and NaN are outside.
struct FieldRange {
  size_t field = 0;  // index into ScanRequest::fields
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  int64_t min_int = INT64_MIN;
  int64_t max_int = INT64_MAX;
};

// What a table was at one moment (Engine::pin): scans given the same pin read the same rows, whatever is written, flushed
// or merged meanwhile. As a scan, it keeps memory and replaced files until it goes.
class TablePin {
 public:
  virtual ~TablePin() = default;
};

struct ScanRequest {
  std::string database;
  std::string table;
  std::vector<std::string> fields;  // the order of ScanBlock::columns; a name the table lacks gives all nulls
  TimeRange time;
  std::function<bool(const SeriesTags&)> series_filter;  // empty = every series
  // When set, a block whose rows are all wanted and lie in one time bucket may come as statistics only.
  // Bucket k is [origin + k * width, origin + (k + 1) * width); width 0 = the whole range is one bucket.
  bool may_use_statistics = false;
  int64_t bucket_width_ns = 0;
  int64_t bucket_origin_ns = 0;
  // Rows outside any of these are not wanted. Only blocks whose statistics tell are left out, so rows outside may come,
  // and no block comes as statistics unless all its rows are inside.
  std::vector<FieldRange> field_ranges{};
  // The blocks of a series come from the newest to the oldest; within a block time ascends all the same, and so it does
  // over the blocks of a stretch of time where runs overlap.
  bool newest_first = false;
  // With newest_first and without field_ranges: of each series only the last row is wanted. It comes alone where
  // statistics tell it.
  bool last_row_only = false;
  // Blocks come without `columns`; ask column() for those that are needed.
  bool columns_on_demand = false;
  std::shared_ptr<const TablePin> pin = nullptr;  // of this table; null = as it is now
};

// Of the non-null values of one column in one block. For doubles: NaN counts but takes part in nothing else
// (a block with a NaN never comes as statistics). For int64, sum is exact or the block does not come as statistics.
struct ColumnStatistics {
  uint64_t count = 0;
  double min = 0, max = 0, sum = 0, first = 0, last = 0;                       // type double
  int64_t min_int = 0, max_int = 0, sum_int = 0, first_int = 0, last_int = 0;  // type int64
};

struct ScanBlock {
  SeriesId series = 0;
  size_t rows = 0;
  // Either rows ...
  std::span<const int64_t> times;
  std::span<const ColumnVector> columns;
  // ... or statistics of all `rows` rows between time_min and time_max, one per requested field.
  bool from_statistics = false;
  std::span<const ColumnStatistics> statistics;
  int64_t time_min = 0;
  int64_t time_max = 0;
  size_t first_row = 0;     // with columns_on_demand: where `rows` begin in what column() gives
  bool all_wanted = false;  // statistics show every row to be inside all field_ranges
};

struct ScanCounters {
  uint64_t rows = 0;  // rows handed out, decoded or by statistics
  uint64_t blocks_decoded = 0;
  uint64_t blocks_from_statistics = 0;
  uint64_t blocks_pruned = 0;    // left out by field_ranges
  uint64_t segments = 0;         // opened
  uint64_t segments_pruned = 0;  // not opened, by time range or because all their rows are deleted
};

// Some rows of a scan, not read yet; see Scan::cut().
class ScanPart {
 public:
  virtual ~ScanPart() = default;
};

// Rows that lie together: at most so many, with times in this range.
struct ScanExtent {
  TimeRange time;
  uint64_t rows = 0;
};

class Scan {
 public:
  virtual ~Scan() = default;
  // The type of each requested field; nullopt where the table lacks it.
  virtual std::span<const std::optional<FieldType>> field_types() const = 0;
  // Fills `block` with the next run of rows; views are valid until the next call. False at the end.
  virtual Result<bool> next(ScanBlock& block) = 0;
  // Of the last block, with columns_on_demand: the values of requested field `field`, the block's from
  // ScanBlock::first_row on; null = no row has one. Valid until next().
  virtual Result<const ColumnVector*> column(size_t field) = 0;
  // With columns_on_demand: the last block, which came as statistics, comes as rows after all.
  virtual Result<void> load_rows(ScanBlock& block) = 0;
  // The rest of the last block's series is not wanted; with newest_first, what is older than that block. Of a stretch
  // of time where runs overlap, later blocks are newer, and still come.
  virtual void skip_series() = 0;
  virtual const SeriesTags& tags(SeriesId series) const = 0;  // of a series this scan has handed out
  virtual const ScanCounters& counters() const = 0;

  // Where the rows of the request's time range lie, in any order; overlapping, and rows may be counted twice.
  virtual std::vector<ScanExtent> extents() const = 0;
  // Begins anew with another range of time, within the request's.
  virtual void restart(TimeRange time) = 0;

  // Takes the next `rows` rows or a few more off what is left, unread; null when nothing is left. With `whole_series`
  // no series is in two parts, unless part of it was cut or read before.
  virtual Result<std::unique_ptr<ScanPart>> cut(uint64_t rows, bool whole_series) = 0;
  // A scan for another thread, which reads the parts it is given. The helper may outlive this scan; counters() are its
  // own. A restart() here does not reach it: make new ones.
  virtual Result<std::unique_ptr<Scan>> helper() const = 0;
  // On the helper or here; what was left unread of the last part is dropped.
  virtual void read(std::unique_ptr<ScanPart> part) = 0;
};

}  // namespace varve
