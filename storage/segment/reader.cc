#include "storage/segment/reader.h"

#include <algorithm>

#include "storage/base/check.h"
#include "storage/base/checksum.h"
#include "storage/codec/bool_page.h"
#include "storage/codec/double_page.h"
#include "storage/codec/string_page.h"

namespace varve {
namespace {

std::span<uint8_t> writable(std::string& bytes) {
  return {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()};
}

Result<std::string> read_bytes(const ByteSource& source, uint64_t offset, uint64_t count) {
  std::string bytes(count, '\0');
  VARVE_TRY(source.read(offset, writable(bytes)));
  return bytes;
}

// Spreads `values`, one for each present row, over all rows; the others get the default.
template <class T>
void spread(const std::vector<T>& values, const std::vector<uint8_t>& valid, std::vector<T>& out) {
  out.assign(valid.size(), T{});
  size_t next = 0;
  for (size_t row = 0; row < valid.size(); ++row) {
    if (valid[row]) out[row] = values[next++];
  }
}

Result<void> fill_strings(const StringPage& page, const std::vector<uint8_t>& valid, size_t rows,
                          StringColumn& out) {
  size_t total = 0;
  for (size_t i = 0; i < page.size(); ++i) total += page[i].size();
  if (total > kBlockStringBytesMax) return corruption("strings exceed the limit of a block");
  out.clear();
  out.bytes.reserve(total);
  out.offsets.reserve(rows + 1);
  size_t next = 0;
  for (size_t row = 0; row < rows; ++row)
    out.push_back(valid.empty() || valid[row] ? page[next++] : std::string_view{});
  return {};
}

}  // namespace

// ---- SegmentReader ----

SegmentReader::SegmentReader(std::shared_ptr<const ByteSource> source, std::string name)
    : source_(std::move(source)), name_(std::move(name)) {}

Result<std::shared_ptr<const SegmentReader>> SegmentReader::open(std::shared_ptr<const ByteSource> source,
                                                                 std::string name) {
  std::shared_ptr<SegmentReader> reader(new SegmentReader(std::move(source), std::move(name)));
  VARVE_TRY(with_context(reader->load(), reader->name_));
  return std::shared_ptr<const SegmentReader>(std::move(reader));
}

Result<void> SegmentReader::load() {
  const uint64_t size = source_->size();
  if (size < kSegmentHeaderBytes + kSegmentFooterBytes) return corruption("too short for a segment");
  VARVE_ASSIGN(const std::string footer,
               read_bytes(*source_, size - kSegmentFooterBytes, kSegmentFooterBytes));
  VARVE_ASSIGN(footer_, parse_segment_footer(footer, size));
  VARVE_ASSIGN(const std::string header, read_bytes(*source_, 0, kSegmentHeaderBytes));
  VARVE_ASSIGN(const uint64_t header_id, parse_segment_header(header));
  if (header_id != footer_.segment_id) return corruption("header and footer are of different segments");

  std::string copy;
  std::string_view index = source_->view();
  if (index.empty()) {
    VARVE_ASSIGN(copy, read_bytes(*source_, footer_.index_offset, footer_.index_bytes));
    index = copy;
  } else {
    index = index.substr(footer_.index_offset, footer_.index_bytes);
  }
  if (index_checksum(index, footer_.segment_id) != footer_.index_checksum)
    return corruption("index checksum mismatch");
  VARVE_ASSIGN(const std::vector<std::string_view> sections, index_sections(index));
  for (const std::string_view section : sections) {
    const auto offset = footer_.index_offset + static_cast<uint64_t>(section.data() - index.data());
    sections_.push_back({offset, section.size(), checksum64(section)});
  }
  ByteReader reader(sections[0]);
  VARVE_ASSIGN(summary_, SegmentSummary::decode(reader));
  summary_.identity.id = footer_.segment_id;
  const size_t columns = summary_.schema.fields.size() + 1;
  if (sections_.size() != 3 + columns) return corruption("index has the wrong number of sections");
  if (summary_.blocks > footer_.rows || summary_.series > footer_.rows ||
      columns * summary_.blocks > kSegmentPagesMax) {
    return corruption("index has impossible counts");
  }
  uint64_t at = kSegmentHeaderBytes;
  for (const uint64_t bytes : summary_.region_bytes) {
    region_begin_.push_back(at);
    if (bytes > footer_.index_offset - at) return corruption("columns do not fit the data");
    at += bytes;
  }
  if (at != footer_.index_offset) return corruption("columns do not fill the data");
  columns_ = std::make_unique<Lazy<ColumnIndex>[]>(columns);
  verified_ = std::make_unique<std::atomic<uint64_t>[]>((columns * summary_.blocks + 63) / 64);
  return {};
}

std::optional<size_t> SegmentReader::find_field(std::string_view field) const {
  const auto& fields = summary_.schema.fields;
  for (size_t f = 0; f < fields.size(); ++f) {
    if (fields[f].name == field) return f;
  }
  return std::nullopt;
}

Result<std::string_view> SegmentReader::section(size_t number, std::string& buffer) const {
  const Section& section = sections_[number];
  if (const std::string_view all = source_->view(); !all.empty())
    return all.substr(section.offset, section.bytes);
  VARVE_ASSIGN(buffer, with_context(read_bytes(*source_, section.offset, section.bytes), name_));
  if (checksum64(buffer) != section.checksum)
    return corruption(name_ + ": the index changed since it was opened");
  return std::string_view(buffer);
}

template <class T, class Make>
Result<const T*> SegmentReader::get(Lazy<T>& lazy, Make make) const {
  if (const T* ready = lazy.ready.load(std::memory_order_acquire)) return ready;
  const std::lock_guard lock(lazy.mutex);
  if (lazy.value == nullptr) {
    VARVE_ASSIGN(T made, make());
    lazy.value = std::make_unique<const T>(std::move(made));
    lazy.ready.store(lazy.value.get(), std::memory_order_release);
  }
  return lazy.value.get();
}

Result<const SegmentDirectory*> SegmentReader::directory() const {
  return get(directory_, [this]() -> Result<SegmentDirectory> {
    std::string series_buffer, blocks_buffer;
    VARVE_ASSIGN(const std::string_view series, section(1, series_buffer));
    VARVE_ASSIGN(const std::string_view blocks, section(2, blocks_buffer));
    return with_context(SegmentDirectory::decode(series, blocks, summary_, footer_), name_);
  });
}

Result<const ColumnIndex*> SegmentReader::column_index(size_t column) const {
  VARVE_ASSIGN(const SegmentDirectory* directory, this->directory());
  return get(columns_[column], [&]() -> Result<ColumnIndex> {
    std::string buffer;
    VARVE_ASSIGN(const std::string_view bytes, section(3 + column, buffer));
    const SegmentField* field = column == 0 ? nullptr : &summary_.schema.fields[column - 1];
    return with_context(ColumnIndex::decode(bytes, field, *directory, summary_.region_bytes[column]),
                        name_ + ": column " + (field ? field->name : std::string(kTimeColumn)));
  });
}

std::string SegmentReader::place(size_t column, size_t block) const {
  const std::string& field = column == 0 ? std::string(kTimeColumn) : summary_.schema.fields[column - 1].name;
  return name_ + ": column " + field + ": block " + std::to_string(block);
}

Result<void> SegmentReader::check_page(size_t column, size_t block, const ColumnIndex& index,
                                       std::string_view page) const {
  const size_t bit = column * summary_.blocks + block;
  std::atomic<uint64_t>& word = verified_[bit / 64];
  const uint64_t mask = uint64_t{1} << (bit % 64);
  if (word.load(std::memory_order_relaxed) & mask) return {};
  if (page_checksum(page, footer_.segment_id, column, block) != index.checksum[block]) {
    return in_place(corruption("checksum mismatch"), column, block);
  }
  word.fetch_or(mask, std::memory_order_relaxed);
  return {};
}

Result<FieldBlocks> SegmentReader::field_blocks(size_t field) const {
  VARVE_ASSIGN(const ColumnIndex* index, field_index(field));
  VARVE_ASSIGN(const SegmentDirectory* directory, this->directory());
  return FieldBlocks(*index, *directory);
}

Result<std::optional<ColumnStatistics>> SegmentReader::statistics(size_t block, size_t field) const {
  VARVE_ASSIGN(const FieldBlocks blocks, field_blocks(field));
  return blocks.usable(block) ? std::optional(blocks.statistics(block)) : std::nullopt;
}

// ---- BlockReader ----

BlockReader::BlockReader(std::shared_ptr<const SegmentReader> segment, size_t ahead_bytes_max)
    : segment_(std::move(segment)),
      windows_(segment_->schema().fields.size() + 1),
      ahead_bytes_max_(ahead_bytes_max) {}

Result<std::string_view> BlockReader::page(size_t column, size_t block, const ColumnIndex& index) {
  const uint64_t begin = segment_->region_begin_[column] + index.page_begin[block];
  const size_t bytes = index.page_begin[block + 1] - index.page_begin[block];
  std::string_view page;
  if (const std::string_view all = segment_->source_->view(); !all.empty()) {
    page = all.substr(begin, bytes);
  } else {
    Window& window = windows_[column];
    if (begin < window.begin || begin + bytes > window.begin + window.bytes.size()) {
      // This page, and those after it when the last window ended here: a scan goes on, a look-up does not.
      const bool goes_on = !window.bytes.empty() && begin == window.begin + window.bytes.size();
      window.ahead = goes_on ? std::min(ahead_bytes_max_, 4 * std::max(window.ahead, bytes)) : 0;
      const size_t last = index.page_begin.size() - 1;
      size_t end = block + 1;
      while (end < last && index.page_begin[end + 1] - index.page_begin[block] <= window.ahead) ++end;
      window.begin = begin;
      window.bytes.resize(index.page_begin[end] - index.page_begin[block]);
      const auto got = segment_->source_->read(begin, writable(window.bytes));
      if (!got) {
        window.bytes.clear();
        return segment_->in_place(got.error(), column, block);
      }
    }
    page = std::string_view(window.bytes).substr(begin - window.begin, bytes);
  }
  VARVE_TRY(segment_->check_page(column, block, index, page));
  return page;
}

Result<void> BlockReader::read_times(size_t block, std::vector<int64_t>& out) {
  VARVE_ASSIGN(const ColumnIndex* index, segment_->column_index(0));
  VARVE_ASSIGN(const SegmentDirectory* directory, segment_->directory());
  VARVE_CHECK(block < directory->blocks());
  VARVE_ASSIGN(const std::string_view bytes, page(0, block, *index));
  out.resize(directory->block_rows(block));
  ByteReader reader(bytes);
  if (!decode_int_page(reader, out.size(), out.data()) || !reader.at_end()) {
    return segment_->in_place(corruption("bad time page"), 0, block);
  }
  return {};
}

Result<void> BlockReader::read_field(size_t block, size_t field, ColumnVector& out) {
  VARVE_CHECK(field < segment_->schema().fields.size());
  VARVE_ASSIGN(const ColumnIndex* index, segment_->column_index(field + 1));
  VARVE_ASSIGN(const SegmentDirectory* directory, segment_->directory());
  VARVE_CHECK(block < directory->blocks());
  VARVE_ASSIGN(const std::string_view bytes, page(field + 1, block, *index));
  const size_t rows = directory->block_rows(block), nulls = index->nulls[block], count = rows - nulls;
  const auto fail = [&](const char* what) { return segment_->in_place(corruption(what), field + 1, block); };

  const FieldType type = segment_->schema().fields[field].type;
  if (out.type != type) out = ColumnVector(type);
  out.valid.clear();
  ByteReader reader(bytes);
  if (nulls == rows) {
    out.clear();
    out.push_nulls(rows);
    if (!bytes.empty()) return fail("bytes where there are no values");
    return {};
  }
  if (nulls > 0) {
    out.valid.resize(rows);
    if (!decode_bool_page(reader, rows, out.valid.data())) return fail("bad presence page");
    if (static_cast<size_t>(std::count(out.valid.begin(), out.valid.end(), uint8_t{0})) != nulls) {
      return fail("the presence page does not match the null count");
    }
  }
  const auto decode = [&](auto& values, auto& scratch, auto decode_page) {
    auto& target = nulls ? scratch : values;
    target.resize(count);
    if (!decode_page(reader, count, target.data())) return false;
    if (nulls) spread(scratch, out.valid, values);
    return reader.at_end();
  };
  bool ok = false;
  switch (type) {
    case FieldType::kDouble:
      ok = decode(out.doubles, doubles_,
                  [](ByteReader& r, size_t n, double* to) { return decode_double_page(r, n, to); });
      break;
    case FieldType::kInt64:
      ok = decode(out.ints, ints_,
                  [](ByteReader& r, size_t n, int64_t* to) { return decode_int_page(r, n, to); });
      break;
    case FieldType::kBool:
      ok = decode(out.bools, bools_,
                  [](ByteReader& r, size_t n, uint8_t* to) { return decode_bool_page(r, n, to); });
      break;
    case FieldType::kString: {
      StringPage strings;
      ok = decode_string_page(reader, count, strings) && reader.at_end() &&
           fill_strings(strings, out.valid, rows, out.strings).has_value();
      break;
    }
  }
  if (!ok) return fail("bad page");
  return {};
}

}  // namespace varve
