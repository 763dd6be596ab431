// Brings the pieces of one series together in time order: pieces that overlap nothing pass as they are, overlapping
// ones are merged row by row, and of rows with the same time the later source wins, field by field.
// Memory: only pieces that overlap at the current time are loaded.
// Threads: one thread at a time.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "storage/merge/row_source.h"

namespace varve {

// Rows handed out together, at most this many when merged (one block's worth).
constexpr size_t kMergedRowsMax = 1024;

struct MergedRows {
  std::vector<int64_t> times;
  std::vector<ColumnVector> columns;
  void clear();
};

// A piece being handed out by a SeriesMerger.
struct ActivePiece {
  LoadedPiece rows;
  uint32_t source = 0;
  size_t at = 0;
  int64_t time() const { return rows.times[at]; }
};

class SeriesMerger {
 public:
  // `types`: of the wanted fields, which every source delivers as its columns or as int64 to be widened.
  SeriesMerger(std::span<RowSource* const> sources, std::vector<FieldType> types);

  // Begins a series. `pieces` in any order.
  void start(std::vector<Piece> pieces);

  enum class Step { kEnd, kLonePiece, kRows };
  // kLonePiece: `lone()` overlaps nothing; load it with take_lone() or pass over it with skip_lone().
  // kRows: merged rows in `out`.
  Result<Step> next(MergedRows& out);
  const Piece& lone() const { return lone_; }
  // Appends the rows of the lone piece to `out`, at most kMergedRowsMax of them; true while there are more.
  Result<bool> take_lone(MergedRows& out);
  // The rows of the lone piece where they lie, instead of take_lone(). Valid until
  // skip_lone(), with which to go on.
  Result<const LoadedPiece*> lone_rows();
  void skip_lone() { lone_loaded_ = std::nullopt; }
  // For who wants every row: the next of them, merged or of a lone piece; false at the end of the series.
  Result<bool> next_rows(MergedRows& out);

  MergedRows make_rows() const;  // empty, with columns of the right types

 private:
  Result<void> open(const Piece& piece);
  Result<void> merge(MergedRows& out);
  void emit_range(const ActivePiece& active, size_t count, MergedRows& out) const;
  void emit_merged(int64_t time, MergedRows& out);

  std::span<RowSource* const> sources_;
  std::vector<FieldType> types_;
  std::vector<Piece> pieces_;  // by range.min, then source
  size_t next_piece_ = 0;
  std::vector<ActivePiece> active_;  // by source
  Piece lone_;
  std::optional<ActivePiece> lone_loaded_;
  bool in_lone_ = false;  // of next_rows()
};

}  // namespace varve
