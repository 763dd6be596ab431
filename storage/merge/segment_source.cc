#include "storage/merge/segment_source.h"

#include <algorithm>

namespace varve {
namespace {

// The table may have widened the column since: an int64 column serves as a double column too.
void fill_doubles(ColumnStatistics& statistics) {
  statistics.min = static_cast<double>(statistics.min_int);
  statistics.max = static_cast<double>(statistics.max_int);
  statistics.sum = static_cast<double>(statistics.sum_int);
  statistics.first = static_cast<double>(statistics.first_int);
  statistics.last = static_cast<double>(statistics.last_int);
}

}  // namespace

SegmentSource::SegmentSource(std::shared_ptr<const StoredSegment> segment, std::vector<std::string> fields,
                             size_t ahead_bytes_max)
    : segment_(std::move(segment)),
      field_names_(std::move(fields)),
      blocks_(segment_->shared_reader(), ahead_bytes_max) {}

Result<void> SegmentSource::open() {
  if (directory_ != nullptr) return {};
  VARVE_ASSIGN(const SegmentDirectory* directory, segment_->reader().directory());
  for (const std::string& name : field_names_) {
    fields_.push_back(segment_->reader().find_field(name));
    // Decoded here, so that damage in it is an error of the scan and not a block without statistics.
    statistics_.emplace_back();
    if (!fields_.back()) continue;
    VARVE_ASSIGN(statistics_.back(), segment_->reader().field_blocks(*fields_.back()));
  }
  directory_ = directory;
  return {};
}

void SegmentSource::add_pieces(size_t position, const TimeRange& range, uint32_t source_index,
                               std::vector<Piece>& out) const {
  const auto [first, last] = directory_->series_blocks(position);
  for (size_t block = first; block <= last; ++block) {
    // Of a shared block this is the range of all its series: wider than needed, never too narrow.
    const TimeRange rows{directory_->time_min[block], directory_->time_max[block]};
    if (!range.overlaps(rows.min, rows.max)) continue;
    const BlockSlice slice = directory_->slice(position, block);
    Piece piece;
    piece.range = rows;
    piece.series = segment_->series()[position];
    piece.source = source_index;
    piece.block = static_cast<uint32_t>(block);
    piece.from = slice.begin;
    piece.to = slice.end;
    out.push_back(piece);
  }
}

Result<void> SegmentSource::begin_block(uint32_t number) {
  if (decoded_ != nullptr && decoded_->block == number) return {};
  auto block = reuse_or_make(std::move(decoded_), fields_.size());
  VARVE_TRY(blocks_.read_times(number, block->times));
  block->block = number;
  decoded_ = std::move(block);
  return {};
}

Result<void> SegmentSource::decode_field(size_t field) {
  if (!fields_[field] || decoded_->has_column[field] != 0) return {};
  VARVE_TRY(blocks_.read_field(decoded_->block, *fields_[field], decoded_->columns[field]));
  decoded_->has_column[field] = 1;
  return {};
}

Result<void> SegmentSource::load(const Piece& piece, LoadedPiece& out) {
  VARVE_TRY(begin_block(piece.block));
  for (size_t field = 0; field < fields_.size(); ++field) VARVE_TRY(decode_field(field));
  out.point_to(piece, decoded_);
  return {};
}

Result<void> SegmentSource::load_times(const Piece& piece, LoadedPiece& out) {
  VARVE_TRY(begin_block(piece.block));
  out.point_to_times(piece, decoded_);
  return {};
}

Result<const ColumnVector*> SegmentSource::load_column(const LoadedPiece&, size_t field) {
  VARVE_TRY(decode_field(field));
  return fields_[field] ? &decoded_->columns[field] : nullptr;
}

bool SegmentSource::statistics(const Piece& piece, std::span<ColumnStatistics> out) const {
  if (piece.to - piece.from != directory_->block_rows(piece.block))
    return false;  // a slice of a shared block
  for (size_t i = 0; i < fields_.size(); ++i) {
    const auto statistics = field_statistics(piece, i);
    if (!statistics) return false;
    out[i] = *statistics;
  }
  return true;
}

std::optional<ColumnStatistics> SegmentSource::field_statistics(const Piece& piece, size_t field) const {
  if (piece.to - piece.from != directory_->block_rows(piece.block)) return std::nullopt;
  if (!fields_[field]) return ColumnStatistics{};
  const FieldBlocks& blocks = *statistics_[field];
  if (!blocks.usable(piece.block)) return std::nullopt;
  ColumnStatistics statistics = blocks.statistics(piece.block);
  if (blocks.type() == FieldType::kInt64) fill_doubles(statistics);
  return statistics;
}

}  // namespace varve
