#include "storage/merge/run_source.h"

#include <algorithm>

namespace varve {

// ---- encoded ----

RunSource::RunSource(std::shared_ptr<const EncodedRun> run, std::vector<std::optional<size_t>> fields)
    : run_(std::move(run)), fields_(std::move(fields)) {
  for (auto& field : fields_) {
    if (field && !run_->has_field(*field)) field = std::nullopt;
  }
}

void RunSource::add_pieces(size_t position, const TimeRange& range, uint32_t source_index,
                           std::vector<Piece>& out) const {
  const auto [first, last] = run_->rows_at(position);
  for (size_t block = run_->block_of(first); block < run_->blocks() && run_->block_begin(block) < last;
       ++block) {
    // Of a shared block this is the range of all its series: wider than needed, never too narrow.
    const TimeRange times = run_->block_times(block);
    if (!range.overlaps(times.min, times.max)) continue;
    const uint32_t begin = run_->block_begin(block);
    Piece piece;
    piece.range = times;
    piece.series = run_->series()[position];
    piece.source = source_index;
    piece.block = static_cast<uint32_t>(block);
    piece.from = std::max(first, begin) - begin;
    piece.to = std::min(last, begin + run_->block_rows(block)) - begin;
    out.push_back(piece);
  }
}

void RunSource::begin_block(uint32_t number) {
  if (decoded_ != nullptr && decoded_->block == number) return;
  auto block = reuse_or_make(std::move(decoded_), fields_.size());
  run_->read_times(number, block->times);
  block->block = number;
  decoded_ = std::move(block);
}

void RunSource::decode_field(size_t field) {
  if (!fields_[field] || decoded_->has_column[field] != 0) return;
  run_->read_field(decoded_->block, *fields_[field], decoded_->columns[field]);
  decoded_->has_column[field] = 1;
}

Result<void> RunSource::load(const Piece& piece, LoadedPiece& out) {
  begin_block(piece.block);
  for (size_t field = 0; field < fields_.size(); ++field) decode_field(field);
  out.point_to(piece, decoded_);
  return {};
}

Result<void> RunSource::load_times(const Piece& piece, LoadedPiece& out) {
  begin_block(piece.block);
  out.point_to_times(piece, decoded_);
  return {};
}

Result<const ColumnVector*> RunSource::load_column(const LoadedPiece&, size_t field) {
  decode_field(field);
  return fields_[field] ? &decoded_->columns[field] : nullptr;
}

// ---- plain ----

PlainRunSource::PlainRunSource(std::shared_ptr<const SortedRun> run,
                               const std::vector<std::optional<size_t>>& fields)
    : run_(std::move(run)) {
  for (const auto& field : fields) columns_.push_back(field ? run_->column(*field) : nullptr);
}

void PlainRunSource::add_pieces(size_t position, const TimeRange& range, uint32_t source_index,
                                std::vector<Piece>& out) const {
  const auto [first, last] = run_->rows_at(position);
  const auto begin = run_->times().begin() + static_cast<ptrdiff_t>(first);
  const auto end = run_->times().begin() + static_cast<ptrdiff_t>(last);
  const auto from = std::lower_bound(begin, end, range.min);
  const auto to = std::upper_bound(from, end, range.max);
  if (from == to) return;
  Piece piece;
  piece.range = {*from, *(to - 1)};
  piece.series = run_->series()[position];
  piece.source = source_index;
  piece.from = static_cast<uint64_t>(from - run_->times().begin());
  piece.to = static_cast<uint64_t>(to - run_->times().begin());
  out.push_back(piece);
}

Result<void> PlainRunSource::load(const Piece& piece, LoadedPiece& out) {
  out.times = run_->times().data() + piece.from;
  out.rows = piece.to - piece.from;
  out.offset = piece.from;
  out.columns = columns_;
  out.whole = {};
  return {};
}

}  // namespace varve
