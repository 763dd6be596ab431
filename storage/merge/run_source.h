// The runs of a memtable as sources of rows: encoded ones, and the plain one of the newest rows.
// Threads: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "storage/memtable/encoded_run.h"
#include "storage/merge/row_source.h"

namespace varve {

// `fields` of both: the table's field indexes wanted, nullopt = a field the table lacks.
class RunSource : public RowSource {
 public:
  RunSource(std::shared_ptr<const EncodedRun> run, std::vector<std::optional<size_t>> fields);

  std::span<const SeriesId> series() const override { return run_->series(); }
  void add_pieces(size_t position, const TimeRange& range, uint32_t source_index,
                  std::vector<Piece>& out) const override;
  Result<void> load(const Piece& piece, LoadedPiece& out) override;
  Result<void> load_times(const Piece& piece, LoadedPiece& out) override;
  Result<const ColumnVector*> load_column(const LoadedPiece& piece, size_t field) override;
  bool statistics(const Piece&, std::span<ColumnStatistics>) const override { return false; }

 private:
  void begin_block(uint32_t block);
  void decode_field(size_t field);  // of the begun block, if the run has it

  std::shared_ptr<const EncodedRun> run_;
  std::vector<std::optional<size_t>> fields_;  // nullopt: the run has no value of it
  std::shared_ptr<DecodedBlock> decoded_;      // the last one: small series share a block
};

class PlainRunSource : public RowSource {
 public:
  PlainRunSource(std::shared_ptr<const SortedRun> run, const std::vector<std::optional<size_t>>& fields);

  std::span<const SeriesId> series() const override { return run_->series(); }
  void add_pieces(size_t position, const TimeRange& range, uint32_t source_index,
                  std::vector<Piece>& out) const override;
  Result<void> load(const Piece& piece, LoadedPiece& out) override;
  bool statistics(const Piece&, std::span<ColumnStatistics>) const override { return false; }

 private:
  std::shared_ptr<const SortedRun> run_;
  std::vector<const ColumnVector*> columns_;
};

}  // namespace varve
