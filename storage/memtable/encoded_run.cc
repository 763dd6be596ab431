#include "storage/memtable/encoded_run.h"

#include <algorithm>
#include <numeric>

#include "storage/base/check.h"
#include "storage/codec/bool_page.h"
#include "storage/codec/double_page.h"
#include "storage/codec/string_page.h"
#include "storage/segment/format.h"

namespace varve {
namespace {

// A field page: u8 nulls, then what there is of presence page and value page. Before strings: u8, 1 = one after the
// other with their lengths, because a page of the codec does not hold as many bytes.
enum class Nulls : uint8_t { kNone = 0, kSome = 1, kAll = 2 };

// The values of the present rows; `scratch` holds them when there are others.
template <class T>
std::span<const T> present(const std::vector<T>& values, const ColumnVector& column, size_t from, size_t to,
                           bool some_null, std::vector<T>& scratch) {
  if (!some_null) return std::span(values).subspan(from, to - from);
  scratch.clear();
  for (size_t row = from; row < to; ++row) {
    if (column.is_valid(row)) scratch.push_back(values[row]);
  }
  return scratch;
}

void encode_values(const ColumnVector& column, size_t from, size_t to, bool some_null, std::string& out) {
  switch (column.type) {
    case FieldType::kDouble: {
      std::vector<double> scratch;
      encode_double_page(present(column.doubles, column, from, to, some_null, scratch), Effort::kFast, out);
      return;
    }
    case FieldType::kInt64: {
      std::vector<int64_t> scratch;
      encode_int_page(present(column.ints, column, from, to, some_null, scratch), Effort::kFast, out);
      return;
    }
    case FieldType::kBool: {
      std::vector<uint8_t> scratch;
      encode_bool_page(present(column.bools, column, from, to, some_null, scratch), Effort::kFast, out);
      return;
    }
    case FieldType::kString: {
      std::vector<std::string_view> texts;
      size_t bytes = 0;
      for (size_t row = from; row < to; ++row) {
        if (!column.is_valid(row)) continue;
        texts.push_back(column.strings[row]);
        bytes += texts.back().size();
      }
      const bool plain = bytes > kStringPageBytesMax;
      out.push_back(plain ? 1 : 0);
      if (!plain) return encode_string_page(texts, Effort::kFast, out);
      ByteWriter writer(out);
      for (const std::string_view text : texts) writer.string(text);
      return;
    }
  }
}

// Moves `count` values at the front of `values` to the rows that have one.
template <class T>
void spread(std::vector<T>& values, size_t count, const std::vector<uint8_t>& valid) {
  for (size_t row = valid.size(); row-- > 0;) values[row] = valid[row] != 0 ? values[--count] : T{};
}

void decode_strings(ByteReader& in, size_t count, size_t rows, const std::vector<uint8_t>& valid,
                    StringColumn& out) {
  const bool plain = in.u8() != 0;
  StringPage page;
  VARVE_CHECK(plain || decode_string_page(in, count, page));
  out.clear();
  size_t next = 0;
  for (size_t row = 0; row < rows; ++row) {
    const bool present = valid.empty() || valid[row] != 0;
    out.push_back(!present ? std::string_view() : plain ? in.string() : page[next++]);
  }
}

}  // namespace

EncodedRun::EncodedRun(const SortedRun& rows, Lsn last_lsn)
    : rows_(rows.rows()), last_lsn_(last_lsn), range_(rows.time_range()), series_(rows.series()) {
  for (size_t i = 0; i < series_.size(); ++i) starts_.push_back(rows.rows_at(i).first);
  starts_.push_back(static_cast<uint32_t>(rows_));
  by_id_.resize(series_.size());
  std::iota(by_id_.begin(), by_id_.end(), 0U);
  std::sort(by_id_.begin(), by_id_.end(), [&](uint32_t a, uint32_t b) { return series_[a] < series_[b]; });
  cut_blocks(rows);
  for (size_t block = 0; block < blocks(); ++block) {
    const auto times = std::span(rows.times()).subspan(block_begin(block), block_rows(block));
    const auto [min, max] = std::minmax_element(times.begin(), times.end());
    times_[block] = {*min, *max};
    encode_int_page(times, Effort::kFast, bytes_);
    page_ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  }
  uint32_t columns = 1;
  for (size_t field = 0; field < rows.column_count(); ++field) {
    const ColumnVector* column = rows.column(field);
    fields_.push_back(column != nullptr ? std::optional(column->type) : std::nullopt);
    columns_.push_back(columns);
    if (column == nullptr) continue;
    ++columns;
    for (size_t block = 0; block < blocks(); ++block) encode_field(*column, block);
  }
  bytes_.shrink_to_fit();
}

// As in a segment, so that a flush finds series whole and a scan finds few blocks a series.
void EncodedRun::cut_blocks(const SortedRun& rows) {
  block_begins_.push_back(0);
  const auto cut = [&](uint32_t row) {
    if (row != block_begins_.back()) block_begins_.push_back(row);
  };
  for (size_t i = 0; i < series_.size(); ++i) {
    const auto [from, to] = rows.rows_at(i);
    if (to - from >= kOwnBlockRows) {
      for (size_t row = from; row < to; row += kBlockRowsMax) cut(static_cast<uint32_t>(row));
      cut(static_cast<uint32_t>(to));
    } else if (to - block_begins_.back() > kBlockRowsMax) {
      cut(static_cast<uint32_t>(from));
    }
  }
  cut(static_cast<uint32_t>(rows_));
  times_.resize(block_begins_.size() - 1);
}

void EncodedRun::encode_field(const ColumnVector& column, size_t block) {
  const size_t from = block_begin(block);
  const size_t to = from + block_rows(block);
  size_t nulls = 0;
  if (column.has_nulls()) {
    nulls = static_cast<size_t>(std::count(column.valid.begin() + static_cast<ptrdiff_t>(from),
                                           column.valid.begin() + static_cast<ptrdiff_t>(to), uint8_t{0}));
  }
  const Nulls kind = nulls == 0 ? Nulls::kNone : nulls == to - from ? Nulls::kAll : Nulls::kSome;
  bytes_.push_back(static_cast<char>(kind));
  if (kind == Nulls::kSome)
    encode_bool_page(std::span(column.valid).subspan(from, to - from), Effort::kFast, bytes_);
  if (kind != Nulls::kAll) encode_values(column, from, to, kind == Nulls::kSome, bytes_);
  page_ends_.push_back(static_cast<uint32_t>(bytes_.size()));
}

size_t EncodedRun::memory_bytes() const {
  return sizeof *this + bytes_.capacity() + series_.capacity() * sizeof(SeriesId) +
         (starts_.capacity() + by_id_.capacity() + block_begins_.capacity() + page_ends_.capacity()) *
             sizeof(uint32_t) +
         times_.capacity() * sizeof(TimeRange);
}

std::optional<size_t> EncodedRun::position_of(SeriesId series) const {
  const auto found = std::lower_bound(by_id_.begin(), by_id_.end(), series,
                                      [&](uint32_t position, SeriesId id) { return series_[position] < id; });
  if (found == by_id_.end() || series_[*found] != series) return std::nullopt;
  return *found;
}

size_t EncodedRun::block_of(uint32_t row) const {
  return static_cast<size_t>(std::upper_bound(block_begins_.begin(), block_begins_.end(), row) -
                             block_begins_.begin()) -
         1;
}

std::string_view EncodedRun::page(size_t column, size_t block) const {
  const size_t page = column * blocks() + block;
  const size_t begin = page == 0 ? 0 : page_ends_[page - 1];
  return std::string_view(bytes_).substr(begin, page_ends_[page] - begin);
}

void EncodedRun::read_times(size_t block, std::vector<int64_t>& out) const {
  ByteReader in(page(0, block));
  out.resize(block_rows(block));
  VARVE_CHECK(decode_int_page(in, out.size(), out.data()));
}

void EncodedRun::read_field(size_t block, size_t field, ColumnVector& out) const {
  ByteReader in(page(columns_[field], block));
  const size_t rows = block_rows(block);
  if (out.type != *fields_[field]) out = ColumnVector(*fields_[field]);
  out.valid.clear();
  const auto nulls = static_cast<Nulls>(in.u8());
  if (nulls == Nulls::kAll) {
    out.clear();
    return out.push_nulls(rows);
  }
  size_t count = rows;
  if (nulls == Nulls::kSome) {
    out.valid.resize(rows);
    VARVE_CHECK(decode_bool_page(in, rows, out.valid.data()));
    count -= static_cast<size_t>(std::count(out.valid.begin(), out.valid.end(), uint8_t{0}));
  }
  switch (out.type) {
    case FieldType::kDouble:
      out.doubles.resize(rows);
      VARVE_CHECK(decode_double_page(in, count, out.doubles.data()));
      if (count != rows) spread(out.doubles, count, out.valid);
      return;
    case FieldType::kInt64:
      out.ints.resize(rows);
      VARVE_CHECK(decode_int_page(in, count, out.ints.data()));
      if (count != rows) spread(out.ints, count, out.valid);
      return;
    case FieldType::kBool:
      out.bools.resize(rows);
      VARVE_CHECK(decode_bool_page(in, count, out.bools.data()));
      if (count != rows) spread(out.bools, count, out.valid);
      return;
    case FieldType::kString:
      decode_strings(in, count, rows, out.valid, out.strings);
      return;
  }
}

}  // namespace varve
