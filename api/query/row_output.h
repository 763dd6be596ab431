// The last stage of a plan: computes outputs, drops duplicates, orders, applies LIMIT and OFFSET, and hands batches to
// the sink. Without DISTINCT and ORDER BY nothing is kept. Batches are cut where their strings get long. RowCollector
// does the first half of it for a part of the rows, on another thread.
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

// Columns of a chunk may be loaded when they are needed.
class SlotLoader {
 public:
  virtual ~SlotLoader() = default;
  virtual QueryResult<void> load(const std::vector<size_t>& slots) = 0;
};

// The outputs of a plan and what it orders by, computed.
class OutputColumns {
 public:
  OutputColumns(const SelectPlan& plan, EvalContext& context);

  // Slots to be there before rows are pushed; a SlotLoader gives the others.
  const std::vector<size_t>& first_slots() const { return keys_first_ ? key_slots_ : slots_; }
  std::unique_ptr<RowSorter> make_sorter(QueryBudget& budget) const;  // null without ORDER BY
  const std::vector<FieldType>& types() const { return types_; }

  QueryResult<void> evaluate(const Chunk& chunk, bool keys_only = false);
  std::span<const VectorView> columns() const { return columns_; }
  // Keys first: with a small LIMIT nearly every row is refused by its keys, and its outputs are never computed.
  // The columns then are of the rows that may be in the answer: so many.
  QueryResult<size_t> evaluate_candidates(const Chunk& chunk, const RowSorter& sorter, SlotLoader* loader);

 private:
  const SelectPlan& plan_;
  EvalContext& context_;
  std::vector<VectorView> columns_;   // outputs, then ORDER BY expressions that are no output
  std::vector<Scalar*> expressions_;  // one per column
  std::vector<FieldType> types_;      // the same
  std::vector<bool> is_sort_key_;     // the same
  std::vector<SortKey> keys_;
  std::vector<size_t> slots_;  // all of them use
  std::vector<size_t> key_slots_;
  bool keys_first_ = false;
  CompactedChunk compacted_;
  std::vector<uint32_t> selection_;
};

// Some rows of an answer, computed, and sorted if there is an order.
class RowCollector {
 public:
  RowCollector(const SelectPlan& plan, QueryBudget& budget, EvalContext& context);

  const std::vector<size_t>& first_slots() const { return output_.first_slots(); }
  QueryResult<void> push(const Chunk& chunk, SlotLoader& loader);

  struct Rows {
    explicit Rows(QueryBudget& budget) : memory(budget) {}
    std::unique_ptr<RowSorter> sorter;  // else:
    std::vector<ColumnVector> columns;
    size_t rows = 0;
    MemoryUse memory;
  };
  std::unique_ptr<Rows> finish();  // and begins anew

 private:
  void begin();

  QueryBudget& budget_;
  const bool distinct_;
  OutputColumns output_;
  std::unique_ptr<Rows> rows_;
};

class RowOutput {
 public:
  RowOutput(const SelectPlan& plan, QueryBudget& budget, ResultSink& sink, EvalContext& context);

  const std::vector<size_t>& first_slots() const { return output_.first_slots(); }
  QueryResult<void> begin();
  QueryResult<bool> push(const Chunk& chunk, SlotLoader* loader = nullptr);  // false: no more rows are wanted
  QueryResult<bool> push(RowCollector::Rows& rows);
  QueryResult<void> finish();
  uint64_t rows() const { return rows_emitted_; }
  uint64_t rows_pushed() const { return rows_pushed_; }  // before DISTINCT, OFFSET and LIMIT

 private:
  QueryResult<void> drop_duplicates(std::vector<VectorView>& columns, size_t& rows);
  QueryResult<bool> pass_on(std::span<const VectorView> columns, size_t rows);
  QueryResult<void> hand_out(std::span<const VectorView> columns, size_t from, size_t rows);
  QueryResult<bool> emit(std::span<const VectorView> columns, size_t rows);

  const SelectPlan& plan_;
  QueryBudget& budget_;
  ResultSink& sink_;
  OutputColumns output_;
  std::unique_ptr<RowSorter> sorter_;
  std::unordered_set<std::string> seen_;
  uint64_t seen_bytes_ = 0;
  MemoryUse seen_memory_;
  std::vector<ColumnVector> distinct_columns_;
  uint64_t to_skip_ = 0;
  uint64_t rows_pushed_ = 0;
  uint64_t rows_emitted_ = 0;
  ResultBatch batch_;
  MemoryUse batch_memory_;
};

}  // namespace varve
