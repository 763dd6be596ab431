// A memtable run as a source of rows.
// Threads: one thread at a time.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "storage/memtable/sorted_run.h"
#include "storage/merge/row_source.h"

namespace varve {

class RunSource : public RowSource {
 public:
  // `fields`: the table's field indexes wanted, nullopt = a field the table lacks.
  RunSource(std::shared_ptr<const SortedRun> run, std::vector<std::optional<size_t>> fields);

  void add_pieces(SeriesId series, const TimeRange& range, uint32_t source_index,
                  std::vector<Piece>& out) const override;
  Result<void> load(const Piece& piece, LoadedPiece& out) override;
  bool statistics(const Piece&, std::span<ColumnStatistics>) const override { return false; }

 private:
  std::shared_ptr<const SortedRun> run_;
  std::vector<const ColumnVector*> columns_;
};

}  // namespace varve
