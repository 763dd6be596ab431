// Where rows of a series lie: sorted pieces in memory runs or segment blocks, behind one interface for merging.
// A source is made for one reader, with the fields that reader wants.
// Errors: kCorruption naming segment and block. Threads: one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "storage/base/error.h"
#include "storage/model/column.h"
#include "storage/model/types.h"
#include "storage/scan.h"

namespace varve {

// Rows of one series, ascending in time, in one source.
struct Piece {
  TimeRange range;  // of its rows
  SeriesId series = 0;
  uint32_t source = 0;  // index into the reader's sources; the higher one is the later write and wins
  uint32_t block = 0;   // segments: the block
  uint64_t from = 0;    // rows [from, to) of the run or of the block
  uint64_t to = 0;
};

// One block, decoded; shared by the pieces of small series that lie in it.
struct DecodedBlock {
  uint32_t block = UINT32_MAX;
  std::vector<int64_t> times;
  std::vector<ColumnVector> columns;  // of the wanted fields; one without rows: the source lacks the field
  std::vector<uint8_t> has_column;    // 1 = decoded; the others hold nothing, or values of an earlier block
};

// A piece's rows in memory. Row i has times[i] and, of column c, row offset + i of columns[c] (null = no value).
struct LoadedPiece {
  const int64_t* times = nullptr;
  size_t rows = 0;
  size_t offset = 0;
  std::vector<const ColumnVector*> columns;
  // The same columns side by side, when they hold these rows and no others; else empty.
  std::span<const ColumnVector> whole;
  std::shared_ptr<const DecodedBlock>
      decoded;  // what the pointers point to, when the piece had to be decoded

  // The rows of `piece` in `block`, all of whose columns are there, or just the times.
  void point_to(const Piece& piece, std::shared_ptr<const DecodedBlock> block);
  void point_to_times(const Piece& piece, std::shared_ptr<const DecodedBlock> block);
};

// A block to decode into: `last` when nobody reads it any more, so that its memory serves again.
std::shared_ptr<DecodedBlock> reuse_or_make(std::shared_ptr<DecodedBlock>&& last, size_t columns);

class RowSource {
 public:
  virtual ~RowSource() = default;
  // Before anything but series(); again does nothing.
  virtual Result<void> open() { return {}; }
  // The series with rows here, in the order of their keys.
  virtual std::span<const SeriesId> series() const = 0;
  // Appends the pieces of series()[position] that overlap `range`, trimmed to it where that costs nothing.
  virtual void add_pieces(size_t position, const TimeRange& range, uint32_t source_index,
                          std::vector<Piece>& out) const = 0;
  virtual Result<void> load(const Piece& piece, LoadedPiece& out) = 0;
  // In two steps: the times first, then any columns of the piece last given to load_times(); null = no values.
  virtual Result<void> load_times(const Piece& piece, LoadedPiece& out) { return load(piece, out); }
  virtual Result<const ColumnVector*> load_column(const LoadedPiece& piece, size_t field) {
    return piece.columns[field];
  }
  // Statistics of the whole piece, one per wanted field; false when there are none.
  virtual bool statistics(const Piece& piece, std::span<ColumnStatistics> out) const = 0;
  // Of one field; nullopt when there are none.
  virtual std::optional<ColumnStatistics> field_statistics(const Piece&, size_t) const {
    return std::nullopt;
  }
};

}  // namespace varve
