// The index of a segment in memory, and its bytes (format.h). Built by the writer, decoded by the reader,
// which keeps the encoded bytes (about 1% of the data) and decodes each part when it is first asked for.
// Errors:  decoding is kCorruption for anything that does not add up: counts, order of rows, page sizes.
// Threads: values; const after they are built.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/model/column.h"
#include "storage/model/series_key.h"
#include "storage/segment/format.h"
#include "storage/segment/statistics.h"

namespace varve {

struct SegmentSummary {
  SegmentSchema schema;
  SegmentIdentity identity;
  Effort effort = Effort::kFast;  // that the pages were encoded with
  uint64_t series = 0;
  uint64_t blocks = 0;
  std::vector<uint64_t> region_bytes;  // of each column, time first

  void encode(std::string& out) const;
  static Result<SegmentSummary> decode(ByteReader& reader);
};

// Rows [begin, end) of one block that belong to one series.
struct BlockSlice {
  size_t block = 0;
  size_t begin = 0;
  size_t end = 0;
};

class SegmentDirectory {
 public:
  struct Tag {
    StringColumn values;          // ascending, distinct
    std::vector<uint32_t> codes;  // one a series; 0 = the series lacks the tag, k = value k - 1
  };
  std::vector<std::string> tag_names;
  std::vector<Tag> tags;                    // in the order of tag_names
  std::vector<uint32_t> series_begin;       // first row of each series, then the row count
  std::vector<uint32_t> block_begin;        // first row of each block, then the row count
  std::vector<int64_t> time_min, time_max;  // one a block

  size_t series() const { return series_begin.size() - 1; }
  size_t blocks() const { return block_begin.size() - 1; }
  uint64_t rows() const { return block_begin.back(); }
  size_t series_rows(size_t series) const { return series_begin[series + 1] - series_begin[series]; }
  size_t block_rows(size_t block) const { return block_begin[block + 1] - block_begin[block]; }

  // Empty when the series lacks the tag. Views live as long as the directory.
  std::string_view tag_value(size_t series, size_t tag) const;
  std::vector<TagPair> series_tags(size_t series) const;
  void append_key(size_t series, std::string& out) const;
  // Position of the series with this canonical key, or series() when there is none. Binary search.
  size_t find_series(std::string_view key) const;
  // The blocks that hold rows of the series: [first, last].
  struct BlockRange {
    size_t first, last;
  };
  BlockRange series_blocks(size_t series) const;
  BlockSlice slice(size_t series, size_t block) const;
  // The series of a block's first row.
  size_t first_series_of(size_t block) const;

  void encode_series(std::string& out) const;
  void encode_blocks(std::string& out) const;
  static Result<SegmentDirectory> decode(std::string_view series, std::string_view blocks,
                                         const SegmentSummary& summary, const SegmentFooter& footer);
};

// One column over all blocks. `nulls` and `statistics` are empty for the time column.
struct ColumnIndex {
  std::vector<uint32_t> page_begin;  // offsets into the region, then its length
  std::vector<uint32_t> checksum;
  std::vector<uint16_t> nulls;
  FieldStatistics statistics;

  void encode(bool is_time, std::string& out) const;
  // `field` is null for the time column.
  static Result<ColumnIndex> decode(std::string_view bytes, const SegmentField* field,
                                    const SegmentDirectory& directory, uint64_t region_bytes);
};

// One field over all blocks: a view of its index, cheap to copy and to ask.
class FieldBlocks {
 public:
  FieldBlocks(const ColumnIndex& index, const SegmentDirectory& directory)
      : statistics_(&index.statistics),
        nulls_(index.nulls.data()),
        block_begin_(directory.block_begin.data()) {}

  FieldType type() const { return statistics_->type; }
  // Values there are in the block, nulls left out.
  uint32_t count(size_t block) const { return block_begin_[block + 1] - block_begin_[block] - nulls_[block]; }
  // May the statistics stand for the block's rows? Not with NaN among them, an overflowing sum, strings.
  bool usable(size_t block) const { return type() != FieldType::kString && statistics_->usable[block] != 0; }
  ColumnStatistics statistics(size_t block) const { return statistics_->at(block, count(block)); }
  // By block, for all of them at once. Where count() is 0 they say nothing.
  const FieldStatistics& columns() const { return *statistics_; }

 private:
  const FieldStatistics* statistics_;
  const uint16_t* nulls_;
  const uint32_t* block_begin_;
};

// Cuts the index into its sections: summary, series, blocks, one a column.
Result<std::vector<std::string_view>> index_sections(std::string_view index);

}  // namespace varve
