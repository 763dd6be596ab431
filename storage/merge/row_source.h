// Where rows of a series lie: sorted pieces in memory runs or segment blocks, behind one interface for merging.
// A source is made for one reader, with the fields that reader wants.
// Errors: kCorruption naming segment and block. Threads: one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "storage/base/error.h"
#include "storage/model/column.h"
#include "storage/model/types.h"
#include "storage/scan.h"

namespace varve {

// Rows of one series, ascending in time, in one source.
struct Piece {
  TimeRange range;      // of its rows
  uint32_t source = 0;  // index into the reader's sources; the higher one is the later write and wins
  uint32_t block = 0;   // segments: the block
  uint64_t from = 0;    // rows [from, to) of the run or of the block
  uint64_t to = 0;
};

// A piece's rows in memory. Row i has times[i] and, of column c, row offset + i of columns[c] (null = no value).
struct LoadedPiece {
  const int64_t* times = nullptr;
  size_t rows = 0;
  size_t offset = 0;
  std::vector<const ColumnVector*> columns;
  // What the pointers point to, when the piece had to be decoded.
  std::vector<int64_t> owned_times;
  std::vector<ColumnVector> owned_columns;
};

class RowSource {
 public:
  virtual ~RowSource() = default;
  // Appends the pieces of `series` that overlap `range`, trimmed to it where that costs nothing.
  virtual void add_pieces(SeriesId series, const TimeRange& range, uint32_t source_index,
                          std::vector<Piece>& out) const = 0;
  virtual Result<void> load(const Piece& piece, LoadedPiece& out) = 0;
  // Statistics of the whole piece, one per wanted field; false when there are none.
  virtual bool statistics(const Piece& piece, std::span<ColumnStatistics> out) const = 0;
};

}  // namespace varve
