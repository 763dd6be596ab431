// Rows of one table sorted by (series key, time), in memory, plain: the newest rows as readers see them, and the step
// before a run is encoded (encoded_run.h).
// Duplicates of one (series, time) are already merged, field by field, the later row winning.
// Threads: immutable; shared by readers.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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
  void clear();  // keeps the memory
};

class SortedRun {
 public:
  // `sort_by_key` brings series into the order of their keys (SeriesIndex::sort_by_key).
  using SortByKey = std::function<void(std::vector<SeriesId>&)>;
  SortedRun(const RowBuffer& buffer, const SortByKey& sort_by_key) : SortedRun(buffer, 0, sort_by_key) {}
  // Of the rows from `from` on.
  SortedRun(const RowBuffer& buffer, size_t from, const SortByKey& sort_by_key);

  size_t rows() const { return times_.size(); }
  TimeRange time_range() const { return range_; }
  const std::vector<SeriesId>& series() const { return series_; }  // distinct, in the order of their keys
  // Rows [first, second) of series()[position].
  std::pair<size_t, size_t> rows_at(size_t position) const {
    return {starts_[position], starts_[position + 1]};
  }
  const std::vector<int64_t>& times() const { return times_; }
  // Null when no row has field `index`.
  const ColumnVector* column(size_t index) const {
    return index < columns_.size() && columns_[index].size() != 0 ? &columns_[index] : nullptr;
  }
  size_t column_count() const { return columns_.size(); }

 private:
  std::vector<SeriesId> series_;
  std::vector<uint32_t> starts_;  // of each series, and one past the end
  std::vector<int64_t> times_;
  std::vector<ColumnVector> columns_;  // empty, or one value a row
  TimeRange range_{1, 0};
};

}  // namespace varve
