#include "storage/merge/row_source.h"

#include <utility>

namespace varve {

void LoadedPiece::point_to(const Piece& piece, std::shared_ptr<const DecodedBlock> block) {
  times = block->times.data() + piece.from;
  rows = piece.to - piece.from;
  offset = piece.from;
  columns.clear();
  bool has_all = rows == block->times.size();
  for (const ColumnVector& column : block->columns) {
    const bool there = column.size() == block->times.size();
    columns.push_back(there ? &column : nullptr);
    has_all = has_all && there;
  }
  whole = has_all ? std::span<const ColumnVector>(block->columns) : std::span<const ColumnVector>();
  decoded = std::move(block);
}

void LoadedPiece::point_to_times(const Piece& piece, std::shared_ptr<const DecodedBlock> block) {
  times = block->times.data() + piece.from;
  rows = piece.to - piece.from;
  offset = piece.from;
  columns.clear();
  whole = {};
  decoded = std::move(block);
}

std::shared_ptr<DecodedBlock> reuse_or_make(std::shared_ptr<DecodedBlock>&& last, size_t columns) {
  std::shared_ptr<DecodedBlock> block = std::move(last);
  if (block == nullptr || block.use_count() != 1) block = std::make_shared<DecodedBlock>();
  block->columns.resize(columns);
  block->has_column.assign(columns, 0);
  return block;
}

}  // namespace varve
