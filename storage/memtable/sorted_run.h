// Rows of one table sorted by (series, time), in memory, immutable: what the memtable is made of.
// Duplicates of one (series, time) are already merged, field by field, the later row winning.
// Threads: immutable; shared by readers and the flusher.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "storage/model/column.h"
#include "storage/model/types.h"
#include "storage/scan.h"

namespace varve {

// Rows in order of arrival. Column i is field i of the table; it may be missing at the end or shorter than the rows
// (nulls since then).
struct RowBuffer {
  std::vector<SeriesId> series;
  std::vector<int64_t> times;
  std::vector<ColumnVector> columns;

  size_t rows() const { return times.size(); }
  size_t memory_bytes() const;
};

class SortedRun {
 public:
  static std::shared_ptr<const SortedRun> from(const RowBuffer& buffer);

  size_t rows() const { return times_.size(); }
  TimeRange time_range() const { return range_; }
  size_t memory_bytes() const;
  const std::vector<SeriesId>& series() const { return series_; }  // ascending, distinct
  // Rows [first, second) of a series; empty when it has none.
  std::pair<size_t, size_t> rows_of(SeriesId series) const;
  std::pair<size_t, size_t> rows_at(size_t series_position) const {
    return {starts_[series_position], starts_[series_position + 1]};
  }
  const std::vector<int64_t>& times() const { return times_; }
  // Null when no row has field `index`.
  const ColumnVector* column(size_t index) const {
    return index < columns_.size() && columns_[index].size() != 0 ? &columns_[index] : nullptr;
  }
  size_t column_count() const { return columns_.size(); }

 private:
  std::vector<SeriesId> series_;
  std::vector<size_t> starts_;  // of each series, and one past the end
  std::vector<int64_t> times_;
  std::vector<ColumnVector> columns_;  // empty, or one value a row
  TimeRange range_;
};

}  // namespace varve
