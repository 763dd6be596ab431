// The tags of one series as expressions see them: a chunk of one row, the slots of tags filled, an absent tag NULL.
// Threads: one thread.
#pragma once

#include <vector>

#include "api/query/plan.h"
#include "storage/scan.h"

namespace varve {

// Filters look at the budget after this many series: a table may have a million.
constexpr uint64_t kSeriesPerCheck = 1024;

class TagChunk {
 public:
  explicit TagChunk(const std::vector<SlotSource>& slots);  // which must outlive it

  void fill(const SeriesTags& tags);
  // Fills, and says whether `filter`, of tags only, is true. A failure is in `context`.
  bool passes(const SeriesTags& tags, Scalar& filter, EvalContext& context);
  const Chunk& chunk() const { return chunk_; }

 private:
  const std::vector<SlotSource>& slots_;
  std::vector<ColumnVector> values_;  // by slot
  Chunk chunk_;
  std::vector<uint32_t> passed_;
};

}  // namespace varve
