#include "storage/merge/filtered_source.h"

#include <algorithm>

namespace varve {
namespace {

struct RowRange {
  size_t from, to;
};

// The rows of `piece` that no range hides, as runs of rows.
std::vector<RowRange> rows_left(const LoadedPiece& piece, std::span<const TimeRange> hidden) {
  const int64_t* const begin = piece.times;
  const int64_t* const end = piece.times + piece.rows;
  std::vector<RowRange> left;
  const int64_t* at = begin;
  const auto keep_until = [&](const int64_t* to) {
    if (at < to) left.push_back({static_cast<size_t>(at - begin), static_cast<size_t>(to - begin)});
  };
  for (const TimeRange& range : hidden) {
    keep_until(std::lower_bound(at, end, range.min));
    at = std::upper_bound(at, end, range.max);
  }
  keep_until(end);
  return left;
}

// Puts just these rows in place of the piece's.
void gather(LoadedPiece& piece, const std::vector<RowRange>& left) {
  auto rows = std::make_shared<DecodedBlock>();
  rows->columns.resize(piece.columns.size());
  for (const RowRange& range : left) {
    rows->times.insert(rows->times.end(), piece.times + range.from, piece.times + range.to);
  }
  for (size_t c = 0; c < piece.columns.size(); ++c) {
    if (piece.columns[c] == nullptr) continue;
    rows->columns[c] = ColumnVector(piece.columns[c]->type);
    for (const RowRange& range : left) {
      rows->columns[c].push_range(*piece.columns[c], piece.offset + range.from, piece.offset + range.to);
    }
  }
  Piece all;
  all.to = rows->times.size();
  piece.point_to(all, std::move(rows));
}

class FilteredSource : public RowSource {
 public:
  FilteredSource(std::unique_ptr<RowSource> source, HiddenRows hidden)
      : source_(std::move(source)), hidden_(std::move(hidden)) {}

  Result<void> open() override { return source_->open(); }
  std::span<const SeriesId> series() const override { return source_->series(); }

  void add_pieces(size_t position, const TimeRange& range, uint32_t source_index,
                  std::vector<Piece>& out) const override {
    const auto first = static_cast<ptrdiff_t>(out.size());
    source_->add_pieces(position, range, source_index, out);
    const std::span<const TimeRange> hidden = hidden_.of(source_->series()[position]);
    out.erase(std::remove_if(out.begin() + first, out.end(),
                             [&](const Piece& piece) { return holds(hidden, piece.range); }),
              out.end());
  }

  Result<void> load(const Piece& piece, LoadedPiece& out) override {
    VARVE_TRY(source_->load(piece, out));
    whole_piece_ = true;
    if (!touched(piece)) return {};
    const std::vector<RowRange> left = rows_left(out, hidden_.of(piece.series));
    if (left.size() > 1) {
      gather(out, left);
      return {};
    }
    const RowRange rows = left.empty() ? RowRange{0, 0} : left.front();
    out.times += rows.from;
    out.offset += rows.from;
    if (rows.to - rows.from != out.rows) out.whole = {};
    out.rows = rows.to - rows.from;
    return {};
  }

  Result<void> load_times(const Piece& piece, LoadedPiece& out) override {
    if (touched(piece)) return load(piece, out);
    whole_piece_ = false;
    return source_->load_times(piece, out);
  }
  Result<const ColumnVector*> load_column(const LoadedPiece& piece, size_t field) override {
    return whole_piece_ ? piece.columns[field] : source_->load_column(piece, field);
  }

  bool statistics(const Piece& piece, std::span<ColumnStatistics> out) const override {
    return !touched(piece) && source_->statistics(piece, out);
  }
  std::optional<ColumnStatistics> field_statistics(const Piece& piece, size_t field) const override {
    return touched(piece) ? std::nullopt : source_->field_statistics(piece, field);
  }

 private:
  bool touched(const Piece& piece) const {
    const std::span<const TimeRange> hidden = hidden_.of(piece.series);
    return std::any_of(hidden.begin(), hidden.end(), [&](const TimeRange& range) {
      return range.overlaps(piece.range.min, piece.range.max);
    });
  }

  const std::unique_ptr<RowSource> source_;
  mutable HiddenRows hidden_;
  bool whole_piece_ = false;  // load_times() had to load it all
};

}  // namespace

std::unique_ptr<RowSource> without_hidden_rows(std::unique_ptr<RowSource> source, HiddenRows hidden) {
  if (hidden.none()) return source;
  return std::make_unique<FilteredSource>(std::move(source), std::move(hidden));
}

}  // namespace varve
