// Builds the image of one segment (format.h) from rows in (series key, time) order.
//   SegmentWriter writer(identity, schema, Effort::kFast);
//   writer.begin_series(tags); writer.append(times, columns, 0); ... ; image = writer.finish();
// The same image serves in memory and, written to a file, on disk. The caller splits at kSegmentBytesMax by
// estimated_bytes(); one series never costs more than the rows given to it.
// Memory:  encoded data plus at most two blocks of rows, twice the data during finish().
// Errors:  kInvalidArgument for rows out of order or columns that do not fit the schema, kExhausted beyond
//          kSegmentRowsMax rows. After an error the writer is of no further use.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/model/column.h"
#include "storage/segment/index.h"
#include "storage/segment/tag_values.h"

namespace varve {

class SegmentWriter {
 public:
  SegmentWriter(SegmentIdentity identity, SegmentSchema schema, Effort effort);

  // `tags` sorted by name, of the schema's tags, values not empty; its key greater than the key before.
  Result<void> begin_series(const std::vector<TagPair>& tags);
  // Rows of the current series, times ascending without repeats, also against earlier calls. One column a
  // field of the schema, of its type; their rows [first_row, first_row + times.size()) are taken.
  Result<void> append(std::span<const int64_t> times, std::span<const ColumnVector> columns,
                      size_t first_row);

  uint64_t rows() const { return rows_; }
  uint64_t series() const { return series_rows_.size(); }
  size_t estimated_bytes() const;  // of the image, were it finished now

  // For SegmentIdentity; known only when the other outputs of a merge are written.
  void set_lineage(std::vector<uint64_t> replaces, std::vector<uint64_t> parts) {
    identity_.replaces = std::move(replaces);
    identity_.parts = std::move(parts);
  }
  // At least one row must have been appended. The writer is of no use after it.
  Result<std::string> finish();

 private:
  struct TagBuilder {
    TagValues values;
    std::vector<uint32_t> series;  // code + 1, or 0
  };

  size_t rows_that_fit(std::span<const ColumnVector> columns, size_t first, size_t count) const;
  void take_rows(std::span<const int64_t> times, std::span<const ColumnVector> columns, size_t first);
  void emit(size_t rows);  // the first `rows` of the buffer become a block
  void emit_page(size_t column, std::string_view page);
  void emit_field(size_t field, size_t rows);
  SegmentDirectory directory();

  SegmentIdentity identity_;
  const SegmentSchema schema_;
  const Effort effort_;

  std::vector<TagBuilder> tags_;
  std::string key_;                    // of the current series
  std::vector<uint32_t> series_rows_;  // one a series; the last still grows
  uint64_t rows_ = 0;
  int64_t last_time_ = 0;

  // Rows not yet in a block: either whole small series and the beginning of the current one, or rows of the
  // current series alone.
  std::vector<int64_t> times_;
  std::vector<ColumnVector> columns_;
  size_t series_start_ = 0;  // where the current series begins in the buffer

  std::vector<uint32_t> block_rows_;
  std::vector<int64_t> time_min_, time_max_;
  std::vector<std::string> regions_;  // time, then the fields
  std::vector<ColumnIndex> index_;    // the same
};

}  // namespace varve
