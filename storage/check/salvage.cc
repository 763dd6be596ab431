#include "storage/check/salvage.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "storage/base/timestamp.h"
#include "storage/segment/writer.h"

namespace varve {
namespace {

std::string series_text(const std::vector<TagPair>& tags) {
  std::string text;
  for (const auto& [name, value] : tags)
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
  return text.empty() ? "(no tags)" : text;
}

class Salvager {
 public:
  Salvager(const std::shared_ptr<const SegmentReader>& segment, SegmentIdentity identity)
      : segment_(*segment), blocks_(segment), writer_(identity, segment->schema(), Effort::kFast) {
    out_.identity = std::move(identity);
    out_.time = {INT64_MAX, INT64_MIN};
  }

  Result<Salvage> run() {
    VARVE_ASSIGN(directory_, segment_.directory());
    for (size_t series = 0; series < directory_->series(); ++series) VARVE_TRY(take_series(series));
    if (writer_.rows() == 0) return std::move(out_);
    out_.rows = writer_.rows();
    out_.series = writer_.series();
    VARVE_ASSIGN(out_.image, writer_.finish());
    return std::move(out_);
  }

 private:
  // One block in memory: neighbouring small series share it.
  struct Block {
    size_t number = SIZE_MAX;
    bool has_times = false;
    std::vector<int64_t> times;
    std::vector<ColumnVector> columns;
    std::vector<uint8_t> damaged;  // by field
  };

  // False: damaged. What is not damage is an error.
  static Result<bool> intact(const Result<void>& read) {
    if (!read && read.error().code != ErrorCode::kCorruption) return read.error();
    return read.has_value();
  }

  Result<void> load(size_t number) {
    if (block_.number == number) return {};
    const size_t rows = directory_->block_rows(number);
    const size_t fields = segment_.schema().fields.size();
    block_.number = number;
    block_.columns.resize(fields);
    block_.damaged.assign(fields, 0);
    VARVE_ASSIGN(block_.has_times, intact(blocks_.read_times(number, block_.times)));
    for (size_t f = 0; f < fields; ++f) {
      VARVE_ASSIGN(const bool whole, intact(blocks_.read_field(number, f, block_.columns[f])));
      if (whole) continue;
      block_.damaged[f] = 1;
      block_.columns[f] = ColumnVector(segment_.schema().fields[f].type);
      block_.columns[f].push_nulls(rows);
    }
    return {};
  }

  Result<void> take_series(size_t series) {
    const std::vector<TagPair> tags = directory_->series_tags(series);
    const std::string text = series_text(tags);
    const auto [first, last] = directory_->series_blocks(series);
    bool begun = false;
    int64_t previous = INT64_MIN;
    for (size_t number = first; number <= last; ++number) {
      const BlockSlice slice = directory_->slice(series, number);
      VARVE_TRY(load(number));
      if (!block_.has_times || !ascending(slice, begun, previous)) {
        lose(text, "", {directory_->time_min[number], directory_->time_max[number]}, slice.end - slice.begin);
        continue;
      }
      VARVE_TRY(take_slice(tags, text, slice, begun));
      previous = block_.times[slice.end - 1];
    }
    return {};
  }

  bool ascending(const BlockSlice& slice, bool begun, int64_t previous) const {
    const auto begin = block_.times.begin() + static_cast<std::ptrdiff_t>(slice.begin);
    const auto end = block_.times.begin() + static_cast<std::ptrdiff_t>(slice.end);
    if (begun && *begin <= previous) return false;
    return std::adjacent_find(begin, end, [](int64_t a, int64_t b) { return a >= b; }) == end;
  }

  Result<void> take_slice(const std::vector<TagPair>& tags, const std::string& text, const BlockSlice& slice,
                          bool& begun) {
    const TimeRange range{block_.times[slice.begin], block_.times[slice.end - 1]};
    bool any_damaged = false;
    for (size_t f = 0; f < block_.damaged.size(); ++f) {
      VARVE_ASSIGN(const bool held, held_values(slice.block, f));
      if (block_.damaged[f] == 0 || !held) continue;
      any_damaged = true;
      lose(text, segment_.schema().fields[f].name, range, slice.end - slice.begin);
    }
    std::vector<int64_t> times;
    std::vector<ColumnVector> columns;
    for (const ColumnVector& column : block_.columns) columns.emplace_back(column.type);
    for (size_t row = slice.begin; row < slice.end; ++row) {
      const bool has_value = std::any_of(block_.columns.begin(), block_.columns.end(),
                                         [&](const ColumnVector& column) { return column.is_valid(row); });
      if (any_damaged && !has_value) continue;
      times.push_back(block_.times[row]);
      for (size_t f = 0; f < columns.size(); ++f) columns[f].push_from(block_.columns[f], row);
    }
    if (times.empty()) return {};
    if (!begun) VARVE_TRY(writer_.begin_series(tags));
    begun = true;
    out_.time.min = std::min(out_.time.min, times.front());
    out_.time.max = std::max(out_.time.max, times.back());
    return writer_.append(times, columns, 0);
  }

  // Whether any row of the block has a value of the field, as far as the index says.
  Result<bool> held_values(size_t block, size_t field) const {
    const auto index = segment_.field_index(field);
    if (!index && index.error().code != ErrorCode::kCorruption) return index.error();
    return !index || (*index)->nulls[block] < directory_->block_rows(block);
  }

  // Neighbouring losses of the same values become one.
  void lose(const std::string& series, const std::string& column, TimeRange time, uint64_t rows) {
    for (auto last = out_.losses.rbegin(); last != out_.losses.rend() && last->series == series; ++last) {
      if (last->column != column) continue;
      if (last_block_of_[column] + 1 != block_.number) break;
      last->time.max = time.max;
      last->rows += rows;
      last_block_of_[column] = block_.number;
      return;
    }
    last_block_of_[column] = block_.number;
    out_.losses.push_back({series, column, time, rows});
  }

  const SegmentReader& segment_;
  BlockReader blocks_;
  SegmentWriter writer_;
  const SegmentDirectory* directory_ = nullptr;
  Block block_;
  std::map<std::string, size_t> last_block_of_;  // by column: the block of its latest loss
  Salvage out_;
};

}  // namespace

Result<Salvage> salvage_segment(const std::shared_ptr<const SegmentReader>& segment, uint64_t new_id) {
  SegmentIdentity identity = segment->identity();
  identity.replaces.push_back(
      identity.id);  // so that the damaged file, were it still there, is not live beside it
  identity.id = new_id;
  return Salvager(segment, std::move(identity)).run();
}

std::string describe(const Loss& loss) {
  return fmt::format("{}{}{} rows from {} to {}", loss.series.empty() ? "" : loss.series + ": ",
                     loss.column.empty() ? "" : fmt::format("column {}: ", loss.column), loss.rows,
                     format_timestamp(loss.time.min), format_timestamp(loss.time.max)) +
         (loss.series.empty() ? "; of which series is not known" : "");
}

}  // namespace varve
