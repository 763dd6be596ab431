#include "storage/merge/run_source.h"

#include <algorithm>

namespace varve {

RunSource::RunSource(std::shared_ptr<const SortedRun> run, std::vector<std::optional<size_t>> fields)
    : run_(std::move(run)) {
  for (const auto& field : fields) columns_.push_back(field ? run_->column(*field) : nullptr);
}

void RunSource::add_pieces(SeriesId series, const TimeRange& range, uint32_t source_index,
                           std::vector<Piece>& out) const {
  const auto [first, last] = run_->rows_of(series);
  const auto begin = run_->times().begin() + static_cast<ptrdiff_t>(first);
  const auto end = run_->times().begin() + static_cast<ptrdiff_t>(last);
  const auto from = std::lower_bound(begin, end, range.min);
  const auto to = std::upper_bound(from, end, range.max);
  if (from == to) return;
  Piece piece;
  piece.range = {*from, *(to - 1)};
  piece.source = source_index;
  piece.from = static_cast<uint64_t>(from - run_->times().begin());
  piece.to = static_cast<uint64_t>(to - run_->times().begin());
  out.push_back(piece);
}

Result<void> RunSource::load(const Piece& piece, LoadedPiece& out) {
  out.times = run_->times().data() + piece.from;
  out.rows = piece.to - piece.from;
  out.offset = piece.from;
  out.columns = columns_;
  return {};
}

}  // namespace varve
