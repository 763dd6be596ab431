// SegmentReader::verify(): every promise of format.h against every byte.
#include <algorithm>
#include <cmath>

#include "storage/segment/reader.h"

namespace varve {
namespace {

// Sums of doubles may be added in another order here than by the writer.
bool close(double a, double b, double magnitude) {
  return a == b || std::fabs(a - b) <= 1e-9 * magnitude;
}

// The values of the rows that have one.
template <class T>
std::vector<T> present(const ColumnVector& column, const std::vector<T>& values) {
  std::vector<T> out;
  for (size_t row = 0; row < values.size(); ++row) {
    if (column.is_valid(row)) out.push_back(values[row]);
  }
  return out;
}

bool same(const ColumnStatistics& stored, const DoubleStatistics& found, double magnitude) {
  return stored.min == found.value[kStatMin] && stored.max == found.value[kStatMax] &&
         stored.first == found.value[kStatFirst] && stored.last == found.value[kStatLast] &&
         close(stored.sum, found.value[kStatSum], magnitude);
}
bool same(const ColumnStatistics& stored, const IntStatistics& found) {
  return stored.min_int == found.value[kStatMin] && stored.max_int == found.value[kStatMax] &&
         stored.first_int == found.value[kStatFirst] && stored.last_int == found.value[kStatLast] &&
         stored.sum_int == found.value[kStatSum];
}

bool statistics_match(const ColumnIndex& index, size_t block, const ColumnVector& column) {
  if (column.type == FieldType::kString) return true;
  const bool usable = index.statistics.usable[block] != 0;
  if (column.type == FieldType::kDouble) {
    const std::vector<double> values = present(column, column.doubles);
    if (values.empty()) return usable;
    double magnitude = 0;
    for (const double v : values) magnitude += std::fabs(v);
    const DoubleStatistics found = summarize(values, std::nullopt);
    return found.usable == usable &&
           (!usable || same(index.statistics.at(block, values.size()), found, magnitude));
  }
  std::vector<int64_t> values = present(column, column.ints);
  for (size_t row = 0; row < column.bools.size(); ++row) {
    if (column.is_valid(row)) values.push_back(column.bools[row]);
  }
  if (values.empty()) return usable;
  const IntStatistics found = summarize(values);
  return found.usable == usable && (!usable || same(index.statistics.at(block, values.size()), found));
}

Result<void> verify_keys(const SegmentDirectory& directory) {
  std::string key, previous;
  for (size_t s = 0; s < directory.series(); ++s) {
    key.clear();
    directory.append_key(s, key);
    if (s > 0 && key <= previous) return corruption("series " + std::to_string(s) + ": keys do not ascend");
    std::swap(key, previous);
  }
  for (const auto& tag : directory.tags) {
    for (size_t i = 1; i < tag.values.size(); ++i) {
      if (tag.values[i] <= tag.values[i - 1]) return corruption("tag values do not ascend");
    }
  }
  return {};
}

}  // namespace

Result<void> SegmentReader::verify() const {
  VARVE_ASSIGN(const SegmentDirectory* directory, this->directory());
  VARVE_TRY(with_context(verify_keys(*directory), name_));
  auto self = std::shared_ptr<const SegmentReader>(std::shared_ptr<void>(), this);  // borrowed
  BlockReader reader(self);
  const size_t words = ((schema().fields.size() + 1) * blocks() + 63) / 64;
  for (size_t i = 0; i < words; ++i)
    verified_[i].store(0, std::memory_order_relaxed);  // look at every page again

  std::vector<int64_t> times;
  ColumnVector column;
  size_t series = 0;
  int64_t previous = 0;
  for (size_t block = 0; block < directory->blocks(); ++block) {
    VARVE_TRY(reader.read_times(block, times));
    const auto [low, high] = std::minmax_element(times.begin(), times.end());
    if (*low != directory->time_min[block] || *high != directory->time_max[block]) {
      return in_place(corruption("times do not match the index"), 0, block);
    }
    for (size_t i = 0; i < times.size(); ++i) {
      const uint32_t row = directory->block_begin[block] + static_cast<uint32_t>(i);
      const bool first = row == directory->series_begin[series + 1] || row == 0;
      if (row == directory->series_begin[series + 1]) ++series;
      if (!first && times[i] <= previous) return in_place(corruption("times do not ascend"), 0, block);
      previous = times[i];
    }
  }
  for (size_t field = 0; field < schema().fields.size(); ++field) {
    VARVE_ASSIGN(const ColumnIndex* index, field_index(field));
    for (size_t block = 0; block < directory->blocks(); ++block) {
      VARVE_TRY(reader.read_field(block, field, column));
      if (!statistics_match(*index, block, column)) {
        return in_place(corruption("statistics do not match the rows"), field + 1, block);
      }
    }
  }
  return {};
}

}  // namespace varve
