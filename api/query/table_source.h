// The rows a plan reads: a scan of the store, cut into chunks with the plan's slots filled, after the row filter.
// Tags are constants of a chunk (an absent tag is NULL), NaN is NULL. Columns are decoded when they are needed: those of
// the filter first, the others when a row has passed.
// One source opens the scan; with more threads, others assist() it and read the parts that it cuts.
// Errors:  kInternal for a failing scan; expression errors of the filters.
// Threads: one thread at a time. Views are valid until the next call.
#pragma once

#include <memory>
#include <vector>

#include "api/query/budget.h"
#include "api/query/plan.h"
#include "api/query/row_output.h"
#include "api/query/tag_chunk.h"
#include "storage/scan.h"

namespace varve {

struct SourceOptions {
  std::vector<size_t> slots;  // what rows() has; load() adds others
  bool use_statistics = false;
  bool newest_first = false;
  bool last_row_only = false;  // of each series, before the plan's row filter
};

class TableSource : public SlotLoader {
 public:
  enum class Step { kEnd, kRows, kBlock };  // kBlock: block() by its statistics

  TableSource(const SelectPlan& plan, QueryBudget& budget, EvalContext& context, SourceOptions options);

  // False: the table's types have changed since it was planned; plan again.
  QueryResult<bool> open(const Engine& engine, std::shared_ptr<const TablePin> pin = nullptr);
  QueryResult<void> assist(const TableSource& opened);  // reads nothing but the parts it is given
  QueryResult<std::unique_ptr<ScanPart>> cut(uint64_t rows, bool whole_series);
  void read(std::unique_ptr<ScanPart> part);
  // Begins anew with another range of time, within the plan's.
  void restart(TimeRange time);
  std::vector<ScanExtent> extents() const;  // where the rows of the plan's time range lie

  QueryResult<Step> next();
  // The block given as kBlock comes as rows instead: call next().
  QueryResult<void> refuse_block();
  void skip_series();  // no more rows of the current one

  const Chunk& rows() const { return *rows_; }                        // after kRows; may be empty
  QueryResult<void> load(const std::vector<size_t>& slots) override;  // into rows()
  const ScanBlock& block() const { return block_; }
  const Chunk& series_tags() const { return tags_.chunk(); }  // one row, the slots of tags
  SeriesId series() const { return block_.series; }
  const ScanCounters& counters() const { return scan_ ? scan_->counters() : no_counters_; }

 private:
  bool series_passes(
      const SeriesTags& tags);  // false also when the budget is spent; the failure is in context_
  QueryResult<void> begin_rows();
  QueryResult<void> load_slot(size_t slot);
  QueryResult<VectorView> field_view(size_t field);
  QueryResult<void> next_chunk();

  const SelectPlan& plan_;
  QueryBudget& budget_;
  EvalContext& context_;
  const SourceOptions options_;
  std::vector<size_t> filter_slots_;
  TagChunk tags_;
  std::unique_ptr<Scan> scan_;
  ScanCounters no_counters_;
  ScanBlock block_;
  std::optional<SeriesId> tags_of_;
  uint64_t series_filtered_ = 0;
  Chunk whole_block_;
  std::vector<uint8_t> loaded_;                  // by slot: 1 = in whole_block_
  std::vector<std::vector<uint8_t>> nan_masks_;  // by field
  std::vector<ColumnVector> no_values_;          // by field: one NULL
  size_t next_row_ = 0;
  Chunk chunk_;
  size_t chunk_begin_ = 0;  // of chunk_ in the block
  std::vector<uint32_t> selection_;
  CompactedChunk compacted_;
  const Chunk* rows_ = nullptr;
};

}  // namespace varve
