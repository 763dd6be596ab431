// The last stage of a plan: computes outputs, drops duplicates, orders, applies LIMIT and OFFSET, and hands batches to
// the sink. Without DISTINCT and ORDER BY nothing is kept. Batches are cut where their strings get long.
// Errors:  those of expressions and of the budget; cancelled when the sink stops.
// Threads: one thread.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "api/query/budget.h"
#include "api/query/plan.h"
#include "api/query/row_sorter.h"

namespace varve {

// Appends a form of the entry that is equal for equal values of one type, and only then.
void append_encoded(std::string& out, const VectorView& view, size_t row);

class RowOutput {
 public:
  RowOutput(const SelectPlan& plan, QueryBudget& budget, ResultSink& sink, EvalContext& context);

  QueryResult<void> begin();
  QueryResult<bool> push(const Chunk& chunk);  // false: no more rows are wanted
  QueryResult<void> finish();
  uint64_t rows() const { return rows_emitted_; }

 private:
  QueryResult<bool> push_sorted(const Chunk& chunk);
  QueryResult<void> evaluate(const Chunk& chunk, bool keys_only);
  QueryResult<void> drop_duplicates(size_t& rows);
  QueryResult<void> hand_out(std::span<const VectorView> columns, size_t from, size_t rows);
  QueryResult<bool> emit(std::span<const VectorView> columns, size_t rows);

  const SelectPlan& plan_;
  QueryBudget& budget_;
  ResultSink& sink_;
  EvalContext& context_;
  std::vector<VectorView> columns_;   // outputs, then ORDER BY expressions that are no output
  std::vector<Scalar*> expressions_;  // one per column
  std::vector<bool> is_sort_key_;
  std::vector<size_t> slots_;  // all of them use
  std::unique_ptr<RowSorter> sorter_;
  CompactedChunk compacted_;
  std::vector<uint32_t> selection_;
  std::unordered_set<std::string> seen_;
  uint64_t seen_bytes_ = 0;
  MemoryUse seen_memory_;
  std::vector<ColumnVector> distinct_columns_;
  uint64_t to_skip_ = 0;
  uint64_t rows_emitted_ = 0;
  ResultBatch batch_;
  MemoryUse batch_memory_;
};

}  // namespace varve
