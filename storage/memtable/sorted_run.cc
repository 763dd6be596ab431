#include "storage/memtable/sorted_run.h"

#include <algorithm>
#include <numeric>

namespace varve {
namespace {

// Numbers of the rows from `from` on, in order of (series, arrival).
std::vector<uint32_t> order_by_series(const RowBuffer& buffer, size_t from) {
  const size_t rows = buffer.rows() - from;
  std::vector<uint32_t> order(rows);
  const auto first = buffer.series.begin() + static_cast<ptrdiff_t>(from);
  const SeriesId largest = *std::max_element(first, buffer.series.end());
  if (largest < rows * 4) {
    std::vector<uint32_t> starts(largest + size_t{2}, 0);
    for (size_t row = from; row < buffer.rows(); ++row) ++starts[buffer.series[row] + size_t{1}];
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    for (size_t row = from; row < buffer.rows(); ++row)
      order[starts[buffer.series[row]]++] = static_cast<uint32_t>(row);
  } else {
    std::iota(order.begin(), order.end(), static_cast<uint32_t>(from));
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return buffer.series[a] < buffer.series[b]; });
  }
  return order;
}

// Row numbers in order of (series key, time, arrival).
// A stream is nearly always in time order already, so a stable sort by series leaves little to do.
std::vector<uint32_t> sorted_order(const RowBuffer& buffer, size_t first_row,
                                   const SortedRun::SortByKey& sort_by_key) {
  const std::vector<uint32_t> by_series = order_by_series(buffer, first_row);
  std::vector<SeriesId> ids;
  std::vector<uint32_t> starts;
  for (uint32_t i = 0; i < by_series.size(); ++i) {
    const SeriesId series = buffer.series[by_series[i]];
    if (!ids.empty() && ids.back() == series) continue;
    ids.push_back(series);
    starts.push_back(i);
  }
  starts.push_back(static_cast<uint32_t>(by_series.size()));
  std::vector<SeriesId> keyed = ids;
  sort_by_key(keyed);
  std::vector<uint32_t> order;
  order.reserve(by_series.size());
  const auto by_time = [&](uint32_t a, uint32_t b) { return buffer.times[a] < buffer.times[b]; };
  for (const SeriesId series : keyed) {
    const auto at = static_cast<size_t>(std::lower_bound(ids.begin(), ids.end(), series) - ids.begin());
    const auto from = static_cast<ptrdiff_t>(order.size());
    order.insert(order.end(), by_series.begin() + starts[at], by_series.begin() + starts[at + 1]);
    if (!std::is_sorted(order.begin() + from, order.end(), by_time))
      std::stable_sort(order.begin() + from, order.end(), by_time);
  }
  return order;
}

// The rows that make one output row: order[from, to) share series and time, latest last.
struct Group {
  uint32_t from, to;
};

// Rows past the end of `values` have none.
template <class T>
void gather_values(const std::vector<T>& values, const std::vector<uint32_t>& order, std::vector<T>& out) {
  out.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) out[i] = order[i] < values.size() ? values[order[i]] : T{};
}

// Of rows that are all output rows; not for strings.
void gather_each(const ColumnVector& column, const std::vector<uint32_t>& order, size_t rows,
                 ColumnVector& out) {
  if (column.has_nulls()) {
    gather_values(column.valid, order, out.valid);
  } else if (column.size() < rows) {
    out.valid.resize(order.size());
    for (size_t i = 0; i < order.size(); ++i) out.valid[i] = order[i] < column.size() ? 1 : 0;
  }
  if (std::find(out.valid.begin(), out.valid.end(), uint8_t{0}) == out.valid.end()) out.valid.clear();
  if (column.type == FieldType::kDouble) gather_values(column.doubles, order, out.doubles);
  if (column.type == FieldType::kInt64) gather_values(column.ints, order, out.ints);
  if (column.type == FieldType::kBool) gather_values(column.bools, order, out.bools);
}

ColumnVector gather(const ColumnVector& column, const std::vector<uint32_t>& order, size_t rows,
                    const std::vector<Group>& groups, bool has_duplicates) {
  ColumnVector out(column.type);
  if (column.size() == 0) return out;
  if (!has_duplicates && column.type != FieldType::kString) {
    gather_each(column, order, rows, out);
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

void RowBuffer::clear() {
  series.clear();
  times.clear();
  for (ColumnVector& column : columns) column.clear();
}

SortedRun::SortedRun(const RowBuffer& buffer, size_t from, const SortByKey& sort_by_key) {
  if (buffer.rows() == from) {
    starts_.push_back(0);
    return;
  }
  const std::vector<uint32_t> order = sorted_order(buffer, from, sort_by_key);
  std::vector<Group> groups;
  groups.reserve(order.size());
  times_.reserve(order.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    const SeriesId series = buffer.series[order[i]];
    const int64_t time = buffer.times[order[i]];
    const bool new_series = series_.empty() || series_.back() != series;
    if (!new_series && times_.back() == time) {
      groups.back().to = i + 1;
      continue;
    }
    if (new_series) {
      series_.push_back(series);
      starts_.push_back(static_cast<uint32_t>(times_.size()));
    }
    times_.push_back(time);
    groups.push_back({i, i + 1});
  }
  starts_.push_back(static_cast<uint32_t>(times_.size()));
  const bool has_duplicates = groups.size() != order.size();
  for (const ColumnVector& column : buffer.columns) {
    columns_.push_back(gather(column, order, buffer.rows(), groups, has_duplicates));
  }
  const auto [min, max] = std::minmax_element(times_.begin(), times_.end());
  range_ = {*min, *max};
}

}  // namespace varve
