// The rows of a segment, block by block, as a source for merging.
// A block of one series is one piece; of a block shared by small series each series has its slice.
// Memory: one decoded block, 8 KiB a wanted field, and what the BlockReader reads ahead.
// Errors: kCorruption naming segment, column and block. Threads: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "storage/merge/row_source.h"
#include "storage/stored_segment.h"

namespace varve {

class SegmentSource : public RowSource {
 public:
  // `fields`: names of the wanted fields. Call open() before anything else.
  SegmentSource(std::shared_ptr<const StoredSegment> segment, std::vector<std::string> fields,
                size_t ahead_bytes_max = kReadAheadBytesMax);
  Result<void> open() override;

  std::span<const SeriesId> series() const override { return segment_->series(); }
  void add_pieces(size_t position, const TimeRange& range, uint32_t source_index,
                  std::vector<Piece>& out) const override;
  Result<void> load(const Piece& piece, LoadedPiece& out) override;
  Result<void> load_times(const Piece& piece, LoadedPiece& out) override;
  Result<const ColumnVector*> load_column(const LoadedPiece& piece, size_t field) override;
  bool statistics(const Piece& piece, std::span<ColumnStatistics> out) const override;
  std::optional<ColumnStatistics> field_statistics(const Piece& piece, size_t field) const override;

 private:
  Result<void> begin_block(uint32_t block);
  Result<void> decode_field(size_t field);  // of the begun block, if the segment has it

  const std::shared_ptr<const StoredSegment> segment_;
  const std::vector<std::string> field_names_;
  const SegmentDirectory* directory_ = nullptr;
  std::vector<std::optional<size_t>> fields_;           // of the segment, by wanted field
  std::vector<std::optional<FieldBlocks>> statistics_;  // the same
  BlockReader blocks_;
  std::shared_ptr<DecodedBlock> decoded_;  // the last one: small series share a block
};

}  // namespace varve
