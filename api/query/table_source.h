// The rows a plan reads: a scan of the store, cut into chunks with the plan's slots filled, after the row filter.
// Tags are constants of a chunk (an absent tag is NULL), NaN is NULL.
// Errors:  kInternal for a failing scan; expression errors of the filters.
// Threads: one thread. Views are valid until the next call.
#pragma once

#include <memory>
#include <vector>

#include "api/query/budget.h"
#include "api/query/plan.h"
#include "api/query/tag_chunk.h"
#include "storage/scan.h"

namespace varve {

class TableSource {
 public:
  enum class Step { kEnd, kRows, kBlock };  // kBlock: block() by its statistics

  TableSource(const SelectPlan& plan, QueryBudget& budget, EvalContext& context);

  // False: the table's types have changed since it was planned; plan again.
  // `needed_slots` are the ones read after the filter.
  QueryResult<bool> open(const Engine& engine, std::vector<size_t> needed_slots, bool use_statistics);
  QueryResult<Step> next();

  const Chunk& rows() const { return *rows_; }  // after kRows; may be empty
  const ScanBlock& block() const { return block_; }
  const Chunk& series_tags() const { return tags_.chunk(); }  // one row, the slots of tags
  SeriesId series() const { return block_.series; }
  const ScanCounters& counters() const { return scan_ ? scan_->counters() : no_counters_; }

 private:
  bool series_passes(
      const SeriesTags& tags);  // false also when the budget is spent; the failure is in context_
  QueryResult<void> begin_block();
  VectorView field_view(size_t field);
  QueryResult<void> next_chunk();

  const SelectPlan& plan_;
  QueryBudget& budget_;
  EvalContext& context_;
  std::vector<size_t> needed_slots_;
  TagChunk tags_;
  std::unique_ptr<Scan> scan_;
  ScanCounters no_counters_;
  ScanBlock block_;
  std::optional<SeriesId> tags_of_;
  uint64_t series_filtered_ = 0;
  Chunk whole_block_;
  std::vector<std::vector<uint8_t>> nan_masks_;  // by field
  size_t next_row_ = 0;
  Chunk chunk_;
  std::vector<uint32_t> selection_;
  CompactedChunk compacted_;
  const Chunk* rows_ = nullptr;
};

}  // namespace varve
