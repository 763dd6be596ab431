// The bytes of a segment: one table, one range of time, immutable, little endian. Shared by writer and
// reader. Rows are sorted by (series key, time) and numbered 0.. through the segment; blocks cut them into
// runs of at most 1024. A block holds rows of one series, or several whole small series (kOwnBlockRows).
//
//   0              header 32 B: "VARVSEG1" | u32 version | u32 zero | u64 segment id
//                  u64 xxh3 of the 24 bytes before
//   32             data: one region per column, time first, then the fields in schema order; a region is the
//                  column's pages in block order, without gaps
//                    time page  = integer page (codec/int_page.h)
//                    field page = [bool page: the rows that have a value; only if 0 < nulls < rows]
//                                 [page of the values there are; only if nulls < rows]
//   index_offset   index, see below
//   size - 80      footer 80 B: u64 index offset | u64 index bytes | u64 xxh3 of the index | u64 rows
//                  i64 time min | i64 time max | u64 segment id | u32 version | u32 zero
//                  u64 xxh3 of the 64 bytes before | "VARVEND1"
//
//   index = varint section count | varint byte length of each section | the sections:
//     summary      string database | string table | varint n, n tag names, ascending
//                  varint n, n * (string name, u8 type) | varint n, n * varint position of the column
//                  varint first LSN | varint last LSN | varint applied LSN | u8 effort (1 = exhaustive)
//                  varint n, n * u64 replaced segment ids | varint n, n * u64 ids of the other parts
//                  varint series | varint blocks | varint region bytes of each column
//     series       per tag: varint n | n values, ascending, as string pages
//                           INTS code of each series (0 = it lacks the tag, k = value k - 1)
//                  the same bytes in every segment with these tags and series
//     blocks       INTS rows of each series | INTS rows of each block
//                  INTS time min of each block | INTS time max of each block
//     one a column INTS page bytes | INTS low 32 bits of the page's xxh3
//                  fields: INTS nulls
//                  all but strings: INTS usable (statistics are exact and free of NaN)
//                    then min, max, first, last, sum of the values as INTS (int64, bool) or DOUBLES
//   INTS, DOUBLES = pages of 1024 values, the last one shorter. So statistics cost 3-8 bytes a block and
//   column.
//
// Checksums are XXH3-64. Seeds tie header, index, footer and pages to the segment's id, so that bytes of
// another segment, or of another page, do not verify. Verified: header, footer and index at open, a page at
// its first touch.
// Crash promise: none here. An image becomes a file by temp file, fsync, rename, fsync of the directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"
#include "storage/codec/bitpack.h"
#include "storage/model/types.h"

namespace varve {

constexpr size_t kBlockRowsMax = kVectorValues;  // a full page decodes at twice the speed of any other
// A series of this many rows gets blocks of its own, with statistics of its own; fewer rows share a block.
// Measured: a block costs 10-15 bytes a column, which at 128 rows is below one bit a value.
constexpr size_t kOwnBlockRows = 128;
constexpr uint64_t kSegmentBytesMax = uint64_t{64} << 20;  // the caller splits; bounds the memory of a merge
constexpr uint64_t kSegmentRowsMax = uint64_t{1}
                                     << 24;  // these three bound what a hostile index makes us allocate
constexpr uint64_t kSegmentPagesMax = uint64_t{1} << 28;  // columns * blocks
constexpr size_t kBlockStringBytesMax = size_t{4}
                                        << 20;      // of one column, all rows counted; blocks are cut before
constexpr size_t kTagBytesMax = size_t{256} << 20;  // distinct values of one tag: 1 M of 256 bytes

constexpr uint32_t kSegmentVersion = 1;
// Apart from the seeds of pages, which are the segment id with a page number in the upper bits.
constexpr uint64_t kSegmentHeaderSeed = 0x7661727665686561;
constexpr uint64_t kSegmentIndexSeed = 0x7661727665696478;
constexpr uint64_t kSegmentFooterSeed = 0x7661727665666f6f;
constexpr size_t kSegmentHeaderBytes = 32;
constexpr size_t kSegmentFooterBytes = 80;

struct SegmentField {
  std::string name;
  FieldType type = FieldType::kDouble;
  bool operator==(const SegmentField&) const = default;
};

struct SegmentSchema {
  std::string database;
  std::string table;
  std::vector<std::string> tags;  // ascending
  std::vector<SegmentField> fields;
  // Where the table lists each tag, then each field, among its columns; empty when not known.
  std::vector<uint32_t> positions;
  bool operator==(const SegmentSchema&) const = default;
};

// Where a segment stands among the others. Recovery tells live files from superseded ones by it.
struct SegmentIdentity {
  uint64_t id = 0;
  uint64_t first_lsn = 0;  // log records its rows came from
  uint64_t last_lsn = 0;
  uint64_t applied_lsn = 0;  // deletes up to this record are out of its rows
  // Of the last output of a merge: the ids merged, and the ids of the other outputs. The merged segments are
  // superseded only once this file and all those parts are whole.
  std::vector<uint64_t> replaces;
  std::vector<uint64_t> parts;
};

struct SegmentFooter {
  uint64_t index_offset = 0;
  uint64_t index_bytes = 0;
  uint64_t index_checksum = 0;
  uint64_t rows = 0;
  int64_t time_min = 0;
  int64_t time_max = 0;
  uint64_t segment_id = 0;
};

void append_segment_header(uint64_t segment_id, std::string& out);
void append_segment_footer(const SegmentFooter& footer, std::string& out);
// kCorruption says what is wrong; kUnsupported for a version of the future.
Result<uint64_t> parse_segment_header(std::string_view bytes);  // the segment id
Result<SegmentFooter> parse_segment_footer(std::string_view bytes, uint64_t file_bytes);

uint64_t index_checksum(std::string_view index, uint64_t segment_id);
// `column` 0 is time, field f is column f + 1.
uint32_t page_checksum(std::string_view page, uint64_t segment_id, size_t column, size_t block);

}  // namespace varve
