#include "storage/segment/writer.h"

#include <algorithm>
#include <numeric>

#include "storage/base/check.h"
#include "storage/codec/bool_page.h"
#include "storage/codec/double_page.h"
#include "storage/codec/loops.h"
#include "storage/codec/string_page.h"

namespace varve {
namespace {

// Appends rows [first, first + count) of `from`.
void append_rows(ColumnVector& to, const ColumnVector& from, size_t first, size_t count) {
  const auto copy = [first, count](auto& target, const auto& source) {
    const auto begin = source.begin() + static_cast<std::ptrdiff_t>(first);
    target.insert(target.end(), begin, begin + static_cast<std::ptrdiff_t>(count));
  };
  if (from.has_nulls() && !to.has_nulls()) to.valid.assign(to.size(), 1);
  if (to.has_nulls() || from.has_nulls()) {
    from.has_nulls() ? copy(to.valid, from.valid) : to.valid.resize(to.size() + count, 1);
  }
  switch (to.type) {
    case FieldType::kDouble:
      copy(to.doubles, from.doubles);
      break;
    case FieldType::kInt64:
      copy(to.ints, from.ints);
      break;
    case FieldType::kBool:
      copy(to.bools, from.bools);
      break;
    case FieldType::kString:
      for (size_t row = first; row < first + count; ++row) to.strings.push_back(from.strings[row]);
      break;
  }
}

void erase_front(ColumnVector& column, size_t count) {
  const size_t left = column.size() - count;
  if (left == 0) return column.clear();
  ColumnVector rest(column.type);
  append_rows(rest, column, count, left);
  if (std::find(rest.valid.begin(), rest.valid.end(), uint8_t{0}) == rest.valid.end()) rest.valid.clear();
  column = std::move(rest);
}

// The values of the rows that have one, in order.
template <class T>
std::span<const T> present(const std::vector<T>& values, const std::vector<uint8_t>& valid, size_t rows,
                           std::vector<T>& scratch) {
  if (valid.empty()) return {values.data(), rows};
  scratch.clear();
  for (size_t row = 0; row < rows; ++row) {
    if (valid[row]) scratch.push_back(values[row]);
  }
  return scratch;
}

std::vector<uint32_t> begins_of(const std::vector<uint32_t>& lengths) {
  std::vector<uint32_t> begins(lengths.size() + 1);
  std::inclusive_scan(lengths.begin(), lengths.end(), begins.begin() + 1);
  return begins;
}

}  // namespace

SegmentWriter::SegmentWriter(SegmentIdentity identity, SegmentSchema schema, Effort effort)
    : identity_(std::move(identity)),
      schema_(std::move(schema)),
      effort_(effort),
      tags_(schema_.tags.size()),
      regions_(schema_.fields.size() + 1),
      index_(schema_.fields.size() + 1) {
  VARVE_CHECK(std::is_sorted(schema_.tags.begin(), schema_.tags.end()));
  for (ColumnIndex& column : index_) column.page_begin.push_back(0);
  for (size_t f = 0; f < schema_.fields.size(); ++f) {
    columns_.emplace_back(schema_.fields[f].type);
    index_[f + 1].statistics.type = schema_.fields[f].type;
  }
}

Result<void> SegmentWriter::begin_series(const std::vector<TagPair>& tags) {
  std::string key;
  append_series_key(key, tags);
  if (!series_rows_.empty()) {
    if (series_rows_.back() == 0) return invalid_argument("segment: a series without rows");
    if (key <= key_) return invalid_argument("segment: series keys must ascend");
    // A large series leaves its block to itself; small ones wait for company.
    if (series_start_ == 0 && series_rows_.back() >= kOwnBlockRows) emit(times_.size());
  }
  size_t given = 0;
  for (size_t t = 0; t < tags_.size(); ++t) {
    uint32_t code = 0;
    if (given < tags.size() && tags[given].first == schema_.tags[t]) {
      code = tags_[t].values.code(tags[given].second) + 1;
      if (tags_[t].values.bytes() > kTagBytesMax)
        return exhausted("segment: values of tag " + schema_.tags[t] + " exceed its limit");
      ++given;
    }
    tags_[t].series.push_back(code);
  }
  if (given != tags.size())
    return invalid_argument("segment: a tag outside the schema, or tags out of order");
  key_ = std::move(key);
  series_rows_.push_back(0);
  series_start_ = times_.size();
  return {};
}

Result<void> SegmentWriter::append(std::span<const int64_t> times, std::span<const ColumnVector> columns,
                                   size_t first_row) {
  if (series_rows_.empty()) return invalid_argument("segment: rows before the first series");
  if (columns.size() != columns_.size()) return invalid_argument("segment: wrong number of columns");
  for (size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].type != columns_[c].type || columns[c].size() < first_row + times.size()) {
      return invalid_argument("segment: column " + schema_.fields[c].name +
                              " has the wrong type or too few rows");
    }
  }
  if (rows_ + times.size() > kSegmentRowsMax) {
    return exhausted("segment: more than " + std::to_string(kSegmentRowsMax) + " rows");
  }
  for (size_t i = 0; i < times.size(); ++i) {
    if ((i > 0 || series_rows_.back() > 0) && times[i] <= last_time_) {
      return invalid_argument("segment: times of a series must ascend");
    }
    last_time_ = times[i];
  }
  while (!times.empty()) {
    const size_t count = rows_that_fit(columns, first_row, times.size());
    if (count == 0 && times_.empty()) {
      return invalid_argument("segment: a string is larger than " + std::to_string(kBlockStringBytesMax) +
                              " bytes");
    }
    take_rows(times.first(count), columns, first_row);
    times = times.subspan(count);
    first_row += count;
    const bool full = times_.size() == kBlockRowsMax || !times.empty();
    const bool grown = times_.size() - series_start_ >= kOwnBlockRows;
    if (series_start_ > 0 && (full || grown)) {
      emit(series_start_);  // small series stay whole, and a large one starts a block
    } else if (full) {
      emit(times_.size());
    }
  }
  return {};
}

// How many of `count` rows the buffer takes before it is a full block, by rows or by bytes of strings.
size_t SegmentWriter::rows_that_fit(std::span<const ColumnVector> columns, size_t first, size_t count) const {
  size_t fit = std::min(count, kBlockRowsMax - times_.size());
  for (size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].type != FieldType::kString) continue;
    const auto& offsets = columns[c].strings.offsets;
    const size_t limit = offsets[first] + kBlockStringBytesMax - columns_[c].strings.bytes.size();
    const auto begin = offsets.begin() + static_cast<std::ptrdiff_t>(first + 1);
    fit =
        static_cast<size_t>(std::upper_bound(begin, begin + static_cast<std::ptrdiff_t>(fit), limit) - begin);
  }
  return fit;
}

void SegmentWriter::take_rows(std::span<const int64_t> times, std::span<const ColumnVector> columns,
                              size_t first) {
  times_.insert(times_.end(), times.begin(), times.end());
  for (size_t c = 0; c < columns.size(); ++c) append_rows(columns_[c], columns[c], first, times.size());
  series_rows_.back() += static_cast<uint32_t>(times.size());
  rows_ += times.size();
}

void SegmentWriter::emit(size_t rows) {
  if (rows == 0) return;
  VARVE_DCHECK(rows <= kBlockRowsMax && rows <= times_.size());
  const MinMax range = min_max(times_.data(), rows);
  time_min_.push_back(range.min);
  time_max_.push_back(range.max);
  block_rows_.push_back(static_cast<uint32_t>(rows));
  std::string page;
  encode_int_page({times_.data(), rows}, effort_, page);
  emit_page(0, page);
  for (size_t f = 0; f < columns_.size(); ++f) emit_field(f, rows);

  times_.erase(times_.begin(), times_.begin() + static_cast<std::ptrdiff_t>(rows));
  for (ColumnVector& column : columns_) erase_front(column, rows);
  series_start_ -= std::min(series_start_, rows);
}

void SegmentWriter::emit_page(size_t column, std::string_view page) {
  const size_t block = block_rows_.size() - 1;
  regions_[column] += page;
  VARVE_CHECK(regions_[column].size() <= UINT32_MAX);
  index_[column].page_begin.push_back(static_cast<uint32_t>(regions_[column].size()));
  index_[column].checksum.push_back(page_checksum(page, identity_.id, column, block));
}

void SegmentWriter::emit_field(size_t field, size_t rows) {
  const ColumnVector& column = columns_[field];
  ColumnIndex& index = index_[field + 1];
  size_t nulls = 0;
  if (column.has_nulls()) {
    nulls = static_cast<size_t>(std::count(
        column.valid.begin(), column.valid.begin() + static_cast<std::ptrdiff_t>(rows), uint8_t{0}));
  }
  index.nulls.push_back(static_cast<uint16_t>(nulls));
  std::string page;
  if (nulls == rows) {
    index.statistics.push_empty();
    return emit_page(field + 1, page);
  }
  if (nulls > 0) encode_bool_page({column.valid.data(), rows}, effort_, page);
  switch (column.type) {
    case FieldType::kDouble: {
      std::vector<double> scratch;
      const auto values = present(column.doubles, column.valid, rows, scratch);
      const auto exact_sum = encode_double_page(values, effort_, page);
      index.statistics.push(summarize(values, exact_sum));
      break;
    }
    case FieldType::kInt64: {
      std::vector<int64_t> scratch;
      const auto values = present(column.ints, column.valid, rows, scratch);
      encode_int_page(values, effort_, page);
      index.statistics.push(summarize(values));
      break;
    }
    case FieldType::kBool: {
      std::vector<uint8_t> scratch;
      const auto values = present(column.bools, column.valid, rows, scratch);
      encode_bool_page(values, effort_, page);
      index.statistics.push(summarize(std::vector<int64_t>(values.begin(), values.end())));
      break;
    }
    case FieldType::kString: {
      std::vector<std::string_view> values;
      for (size_t row = 0; row < rows; ++row) {
        if (column.is_valid(row)) values.push_back(column.strings[row]);
      }
      encode_string_page(values, effort_, page);
      break;
    }
  }
  emit_page(field + 1, page);
}

size_t SegmentWriter::estimated_bytes() const {
  size_t bytes = kSegmentHeaderBytes + kSegmentFooterBytes + times_.size() * (columns_.size() + 1) * 8;
  for (const std::string& region : regions_) bytes += region.size();
  for (const ColumnVector& column : columns_) bytes += column.strings.bytes.size();
  for (const TagBuilder& tag : tags_) bytes += tag.values.bytes();  // before compression
  return bytes + series_rows_.size() * (tags_.size() + 1) + block_rows_.size() * index_.size() * 16;
}

SegmentDirectory SegmentWriter::directory() {
  SegmentDirectory directory;
  directory.tag_names = schema_.tags;
  for (TagBuilder& builder : tags_) {
    TagValues::Sorted sorted = std::move(builder.values).sorted();
    SegmentDirectory::Tag tag;
    tag.values = std::move(sorted.values);
    tag.codes = std::move(builder.series);
    for (uint32_t& code : tag.codes) code = code == 0 ? 0 : sorted.rank[code - 1] + 1;
    directory.tags.push_back(std::move(tag));
  }
  directory.series_begin = begins_of(series_rows_);
  directory.block_begin = begins_of(block_rows_);
  directory.time_min = std::move(time_min_);
  directory.time_max = std::move(time_max_);
  return directory;
}

Result<std::string> SegmentWriter::finish() {
  if (rows_ == 0) return invalid_argument("segment: no rows");
  if (series_rows_.back() == 0) return invalid_argument("segment: a series without rows");
  emit(times_.size());

  SegmentFooter footer;
  footer.rows = rows_;
  footer.time_min = *std::min_element(time_min_.begin(), time_min_.end());
  footer.time_max = *std::max_element(time_max_.begin(), time_max_.end());
  footer.segment_id = identity_.id;

  SegmentSummary summary{schema_, identity_, effort_, series_rows_.size(), block_rows_.size(), {}};
  for (const std::string& region : regions_) summary.region_bytes.push_back(region.size());
  std::vector<std::string> sections(3 + index_.size());
  summary.encode(sections[0]);
  const SegmentDirectory directory = this->directory();
  directory.encode_series(sections[1]);
  directory.encode_blocks(sections[2]);
  for (size_t c = 0; c < index_.size(); ++c) index_[c].encode(c == 0, sections[3 + c]);
  std::string index;
  ByteWriter writer(index);
  writer.varint(sections.size());
  for (const std::string& section : sections) writer.varint(section.size());
  for (const std::string& section : sections) index += section;

  size_t total = kSegmentHeaderBytes + index.size() + kSegmentFooterBytes;
  for (const std::string& region : regions_) total += region.size();
  std::string image;
  image.reserve(total);
  append_segment_header(identity_.id, image);
  for (std::string& region : regions_) {
    image += region;
    region = {};
  }
  footer.index_offset = image.size();
  footer.index_bytes = index.size();
  footer.index_checksum = index_checksum(index, identity_.id);
  image += index;
  append_segment_footer(footer, image);
  return image;
}

}  // namespace varve
