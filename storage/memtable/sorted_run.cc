#include "storage/memtable/sorted_run.h"

#include <algorithm>
#include <numeric>

namespace varve {
namespace {

// Row numbers in order of (series, time, arrival).
// A stream is nearly always in time order already, so a stable counting sort by series leaves little to do.
std::vector<uint32_t> sorted_order(const RowBuffer& buffer) {
  const size_t rows = buffer.rows();
  std::vector<uint32_t> order(rows);
  const SeriesId largest = *std::max_element(buffer.series.begin(), buffer.series.end());
  if (largest < rows * 4) {
    std::vector<uint32_t> starts(largest + size_t{2}, 0);
    for (const SeriesId s : buffer.series) ++starts[s + size_t{1}];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    for (size_t row = 0; row < rows; ++row) order[starts[buffer.series[row]]++] = static_cast<uint32_t>(row);
  } else {
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return buffer.series[a] < buffer.series[b]; });
  }
  const auto by_time = [&](uint32_t a, uint32_t b) { return buffer.times[a] < buffer.times[b]; };
  for (auto from = order.begin(); from != order.end();) {
    const SeriesId series = buffer.series[*from];
    const auto to =
        std::find_if(from, order.end(), [&](uint32_t row) { return buffer.series[row] != series; });
    if (!std::is_sorted(from, to, by_time)) std::stable_sort(from, to, by_time);
    from = to;
  }
  return order;
}

// The rows that make one output row: order[from, to) share series and time, latest last.
struct Group {
  uint32_t from, to;
};

ColumnVector gather(const ColumnVector& column, const std::vector<uint32_t>& order,
                    const std::vector<Group>& groups, bool has_duplicates) {
  ColumnVector out(column.type);
  if (column.size() == 0) return out;
  if (!has_duplicates && column.type == FieldType::kDouble && !column.has_nulls() &&
      column.size() >= order.size()) {
    out.doubles.resize(order.size());
    for (size_t i = 0; i < order.size(); ++i) out.doubles[i] = column.doubles[order[i]];
    return out;
  }
  for (const Group& group : groups) {
    uint32_t at = group.to;
    while (at > group.from && (order[at - 1] >= column.size() || !column.is_valid(order[at - 1]))) --at;
    if (at == group.from) {
      out.push_null();
    } else {
      out.push_from(column, order[at - 1]);
    }
  }
  return out;
}

}  // namespace

size_t RowBuffer::memory_bytes() const {
  size_t bytes = series.capacity() * sizeof(SeriesId) + times.capacity() * sizeof(int64_t);
  for (const ColumnVector& column : columns) bytes += column.memory_bytes();
  return bytes;
}

std::shared_ptr<const SortedRun> SortedRun::from(const RowBuffer& buffer) {
  auto run = std::make_shared<SortedRun>();
  if (buffer.rows() == 0) {
    run->starts_.push_back(0);
    run->range_ = {1, 0};
    return run;
  }
  const std::vector<uint32_t> order = sorted_order(buffer);
  std::vector<Group> groups;
  groups.reserve(order.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    const SeriesId series = buffer.series[order[i]];
    const int64_t time = buffer.times[order[i]];
    const bool new_series = run->series_.empty() || run->series_.back() != series;
    if (!new_series && run->times_.back() == time) {
      groups.back().to = i + 1;
      continue;
    }
    if (new_series) {
      run->series_.push_back(series);
      run->starts_.push_back(run->times_.size());
    }
    run->times_.push_back(time);
    groups.push_back({i, i + 1});
  }
  run->starts_.push_back(run->times_.size());
  const bool has_duplicates = groups.size() != order.size();
  for (const ColumnVector& column : buffer.columns) {
    run->columns_.push_back(gather(column, order, groups, has_duplicates));
  }
  const auto [min, max] = std::minmax_element(run->times_.begin(), run->times_.end());
  run->range_ = {*min, *max};
  return run;
}

size_t SortedRun::memory_bytes() const {
  size_t bytes = series_.capacity() * sizeof(SeriesId) + starts_.capacity() * sizeof(size_t) +
                 times_.capacity() * sizeof(int64_t);
  for (const ColumnVector& column : columns_) bytes += column.memory_bytes();
  return bytes;
}

std::pair<size_t, size_t> SortedRun::rows_of(SeriesId series) const {
  const auto found = std::lower_bound(series_.begin(), series_.end(), series);
  if (found == series_.end() || *found != series) return {0, 0};
  return rows_at(static_cast<size_t>(found - series_.begin()));
}

}  // namespace varve
