#include "storage/merge/series_merger.h"

#include <algorithm>

#include "storage/base/check.h"

namespace varve {

void MergedRows::clear() {
  times.clear();
  for (ColumnVector& column : columns) column.clear();
}

SeriesMerger::SeriesMerger(std::span<RowSource* const> sources, std::vector<FieldType> types)
    : sources_(sources), types_(std::move(types)) {}

MergedRows SeriesMerger::make_rows() const {
  MergedRows rows;
  for (const FieldType type : types_) rows.columns.emplace_back(type);
  return rows;
}

void SeriesMerger::start(std::vector<Piece> pieces) {
  pieces_ = std::move(pieces);
  std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) {
    return a.range.min != b.range.min ? a.range.min < b.range.min : a.source < b.source;
  });
  next_piece_ = 0;
  active_.clear();
  lone_loaded_ = std::nullopt;
  in_lone_ = false;
}

Result<void> SeriesMerger::open(const Piece& piece) {
  ActivePiece active;
  active.source = piece.source;
  VARVE_TRY(sources_[piece.source]->load(piece, active.rows));
  if (active.rows.rows == 0) return {};
  const auto place =
      std::upper_bound(active_.begin(), active_.end(), piece.source,
                       [](uint32_t source, const ActivePiece& a) { return source < a.source; });
  active_.insert(place, std::move(active));
  return {};
}

Result<SeriesMerger::Step> SeriesMerger::next(MergedRows& out) {
  VARVE_DCHECK(!lone_loaded_);
  if (active_.empty()) {
    if (next_piece_ == pieces_.size()) return Step::kEnd;
    const Piece& piece = pieces_[next_piece_];
    const bool overlaps =
        next_piece_ + 1 < pieces_.size() && pieces_[next_piece_ + 1].range.min <= piece.range.max;
    if (!overlaps) {
      lone_ = piece;
      ++next_piece_;
      return Step::kLonePiece;
    }
  }
  VARVE_TRY(merge(out));
  return Step::kRows;
}

Result<void> SeriesMerger::merge(MergedRows& out) {
  while (out.times.size() < kMergedRowsMax) {
    if (active_.empty()) {
      // The next piece may stand alone: leave it to next(), unless nothing was handed out yet.
      if (!out.times.empty() || next_piece_ == pieces_.size()) return {};
      VARVE_TRY(open(pieces_[next_piece_++]));
      continue;
    }
    int64_t now = INT64_MAX;
    for (const ActivePiece& active : active_) now = std::min(now, active.time());
    if (next_piece_ < pieces_.size() && pieces_[next_piece_].range.min <= now) {
      VARVE_TRY(open(pieces_[next_piece_++]));
      continue;
    }
    if (active_.size() == 1) {
      ActivePiece& only = active_.front();
      const int64_t* from = only.rows.times + only.at;
      const int64_t* to = only.rows.times + only.rows.rows;
      if (next_piece_ < pieces_.size()) to = std::lower_bound(from, to, pieces_[next_piece_].range.min);
      const size_t count = std::min(static_cast<size_t>(to - from), kMergedRowsMax - out.times.size());
      emit_range(only, count, out);
      only.at += count;
    } else {
      emit_merged(now, out);
    }
    std::erase_if(active_, [](const ActivePiece& active) { return active.at == active.rows.rows; });
  }
  return {};
}

void SeriesMerger::emit_range(const ActivePiece& active, size_t count, MergedRows& out) const {
  const int64_t* from = active.rows.times + active.at;
  out.times.insert(out.times.end(), from, from + count);
  const size_t row = active.rows.offset + active.at;
  for (size_t c = 0; c < types_.size(); ++c) {
    const ColumnVector* column = active.rows.columns[c];
    if (column == nullptr) {
      out.columns[c].push_nulls(count);
    } else {
      out.columns[c].push_range(*column, row, row + count);
    }
  }
}

void SeriesMerger::emit_merged(int64_t time, MergedRows& out) {
  out.times.push_back(time);
  for (size_t c = 0; c < types_.size(); ++c) {
    const ActivePiece* winner = nullptr;
    for (const ActivePiece& active : active_) {
      if (active.time() != time) continue;
      const ColumnVector* column = active.rows.columns[c];
      if (column != nullptr && column->is_valid(active.rows.offset + active.at)) winner = &active;
    }
    if (winner == nullptr) {
      out.columns[c].push_null();
    } else {
      out.columns[c].push_from(*winner->rows.columns[c], winner->rows.offset + winner->at);
    }
  }
  for (ActivePiece& active : active_) {
    if (active.time() == time) ++active.at;
  }
}

Result<const LoadedPiece*> SeriesMerger::lone_rows() {
  if (!lone_loaded_) {
    ActivePiece& loaded = lone_loaded_.emplace();
    VARVE_TRY(sources_[lone_.source]->load(lone_, loaded.rows));
  }
  return &lone_loaded_->rows;
}

Result<bool> SeriesMerger::take_lone(MergedRows& out) {
  VARVE_TRY(lone_rows());
  ActivePiece& piece = *lone_loaded_;
  const size_t count = std::min(kMergedRowsMax, piece.rows.rows - piece.at);
  emit_range(piece, count, out);
  piece.at += count;
  if (piece.at < piece.rows.rows) return true;
  lone_loaded_ = std::nullopt;
  return false;
}

Result<bool> SeriesMerger::next_rows(MergedRows& out) {
  out.clear();
  if (!in_lone_) {
    VARVE_ASSIGN(const Step step, next(out));
    if (step == Step::kEnd) return false;
    in_lone_ = step == Step::kLonePiece;
  }
  if (in_lone_) {
    VARVE_ASSIGN(in_lone_, take_lone(out));
  }
  return true;
}

}  // namespace varve
