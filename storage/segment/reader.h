// Reads a segment image (format.h) from memory or a file.
//   segment = SegmentReader::open(source, "segment 42");  directory = segment->directory();
//   i = directory->find_series(key); for blocks of directory->series_blocks(i): BlockReader reads pages
// open() verifies header, footer and index and keeps only the summary; the parts of the index are read (again) and
// decoded when first asked for; a page's checksum is verified the first time the page is touched, at each read for a
// file whose page was never seen whole.
// Memory:  the summary, a few bytes a column, what of the index was asked for, one bit a page.
// Errors:  kCorruption naming segment, column and block; kIo from the file. Never a crash, never wrong rows.
// Threads: SegmentReader may be shared. A BlockReader belongs to one thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/segment/byte_source.h"
#include "storage/segment/index.h"

namespace varve {

// Guessed: a hundred pages, and small against the memory of a query.
constexpr size_t kReadAheadBytesMax = size_t{128} << 10;

class SegmentReader {
 public:
  // `name` starts every error message: the path, or "segment 42".
  static Result<std::shared_ptr<const SegmentReader>> open(std::shared_ptr<const ByteSource> source,
                                                           std::string name);

  const std::string& name() const { return name_; }
  const SegmentSchema& schema() const { return summary_.schema; }
  const SegmentIdentity& identity() const { return summary_.identity; }
  Effort effort() const { return summary_.effort; }
  uint64_t rows() const { return footer_.rows; }
  uint64_t series() const { return summary_.series; }
  uint64_t blocks() const { return summary_.blocks; }
  uint64_t bytes() const { return source_->size(); }
  TimeRange time_range() const { return {footer_.time_min, footer_.time_max}; }
  std::optional<size_t> find_field(std::string_view name) const;

  // Decoded at the first call, then shared. The pointers live as long as the reader.
  Result<const SegmentDirectory*> directory() const;
  // The index of field `field`; its statistics are by block.
  Result<const ColumnIndex*> field_index(size_t field) const { return column_index(field + 1); }

  // For many blocks: counts and statistics of the field as arrays. Lives as long as the reader.
  Result<FieldBlocks> field_blocks(size_t field) const;
  // Statistics of one field in one block; nullopt when they may not stand for the rows (NaN, overflow,
  // strings).
  Result<std::optional<ColumnStatistics>> statistics(size_t block, size_t field) const;

  Result<void> hold_file() const { return source_->hold(); }

  // Reads everything: checksums, order of keys and times, statistics against rows.
  Result<void> verify() const;

 private:
  friend class BlockReader;
  // Made by the first who needs it; a failure is not remembered.
  template <class T>
  struct Lazy {
    std::mutex mutex;
    std::unique_ptr<const T> value;  // written once, under the mutex
    std::atomic<const T*> ready = nullptr;
  };
  // A part of the index in the file: summary, series, blocks, columns.
  struct Section {
    uint64_t offset = 0;
    uint64_t bytes = 0;
    uint64_t checksum = 0;  // of what was verified at open
  };
  SegmentReader(std::shared_ptr<const ByteSource> source, std::string name);
  Result<void> load();
  template <class T, class Make>
  Result<const T*> get(Lazy<T>& lazy, Make make) const;
  // The section's bytes, in `buffer` or where the source has them.
  Result<std::string_view> section(size_t number, std::string& buffer) const;
  Result<const ColumnIndex*> column_index(size_t column) const;  // 0 is time
  // "segment 42: column ph: block 7"
  std::string place(size_t column, size_t block) const;
  Error in_place(Error error, size_t column, size_t block) const {
    return with_context(std::move(error), place(column, block));
  }
  Result<void> check_page(size_t column, size_t block, const ColumnIndex& index, std::string_view page) const;

  const std::shared_ptr<const ByteSource> source_;
  const std::string name_;
  SegmentFooter footer_;
  SegmentSummary summary_;
  std::vector<Section> sections_;
  std::vector<uint64_t> region_begin_;  // of each column
  mutable Lazy<SegmentDirectory> directory_;
  mutable std::unique_ptr<Lazy<ColumnIndex>[]> columns_;
  mutable std::unique_ptr<std::atomic<uint64_t>[]> verified_;  // one bit a page, column-major
};

// Reads pages of one segment, block by block. Who reads the pages of a column one after the other gets more and more
// of them in one read.
class BlockReader {
 public:
  // Reads ahead at most `ahead_bytes_max` of a column: so much memory it may take for each.
  explicit BlockReader(std::shared_ptr<const SegmentReader> segment,
                       size_t ahead_bytes_max = kReadAheadBytesMax);

  // `out` gets the block's rows.
  Result<void> read_times(size_t block, std::vector<int64_t>& out);
  Result<void> read_field(size_t block, size_t field, ColumnVector& out);

 private:
  // Bytes [begin, begin + bytes.size()) of one column's region, read ahead.
  struct Window {
    uint64_t begin = 0;
    std::string bytes;
    size_t ahead = 0;  // bytes to read next time, if that is where these end
  };
  Result<std::string_view> page(size_t column, size_t block, const ColumnIndex& index);

  const std::shared_ptr<const SegmentReader> segment_;
  std::vector<Window> windows_;  // by column; empty for sources in memory
  const size_t ahead_bytes_max_;
  // Scratch of read_field.
  std::vector<uint8_t> presence_;
  std::vector<double> doubles_;
  std::vector<int64_t> ints_;
  std::vector<uint8_t> bools_;
};

}  // namespace varve
