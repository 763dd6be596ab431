// Sorts rows by some of their columns. Rows are kept in runs of columns; each run is sorted when it is full and the
// runs are merged on the way out, so that time limits are looked at all along. With a limit, one run is kept and pruned
// to the best rows, and rows that cannot be among them are refused before they are copied.
// Equal rows keep their order of arrival.
// Errors:  memory_limit, timeout, cancelled.
// Threads: one thread.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "api/query/budget.h"
#include "api/query/vector.h"

namespace varve {

struct SortKey {
  size_t column = 0;
  bool descending = false;
  bool nulls_first = true;
};

// <0, 0, >0; NULL below everything.
int compare_entries(const VectorView& a, size_t row_a, const VectorView& b, size_t row_b);

class RowSorter {
 public:
  RowSorter(std::vector<FieldType> columns, std::vector<SortKey> keys, std::optional<uint64_t> limit,
            QueryBudget& budget);

  // Rows of a chunk that may be in the answer, judged by the key columns alone (others may be unset).
  void candidates(std::span<const VectorView> columns, size_t rows, std::vector<uint32_t>& selection) const;
  QueryResult<void> add(std::span<const VectorView> columns, size_t rows);
  // Sorts what there is, for another's take().
  void sort();
  // Adds the rows of a sorter of the same columns, keys and limit that has been sorted; they arrived later.
  QueryResult<void> take(RowSorter& later);
  // Hands out all rows in order, in batches; the callback answers false to stop.
  using Emit = std::function<QueryResult<bool>(std::span<const VectorView> columns, size_t rows)>;
  QueryResult<void> finish(const Emit& emit);

 private:
  struct Run {
    std::vector<ColumnVector> columns;
    std::vector<VectorView> views;  // of columns, made when the run is sorted
    std::vector<uint32_t> order;
    bool as_arrived = false;  // order is 0, 1, 2 ...
    size_t rows = 0;
    size_t bytes = 0;
  };

  bool candidates_by_number(std::span<const VectorView> columns, size_t rows,
                            std::vector<uint32_t>& selection) const;
  int compare(std::span<const VectorView> a, size_t row_a, std::span<const VectorView> b, size_t row_b) const;
  void sort_run(Run& run) const;
  void sort_by_int(Run& run) const;
  bool in_sequence() const;
  QueryResult<void> hand_out(const Run& run, const Emit& emit, bool& more);
  QueryResult<void> merge(const Emit& emit);
  void prune(Run& run);
  Run& open_run();
  QueryResult<void> account();

  std::vector<FieldType> types_;
  std::vector<SortKey> keys_;
  std::optional<uint64_t> limit_;  // set only when small enough to prune to
  QueryBudget& budget_;
  MemoryUse memory_;
  std::vector<Run> runs_;
  std::vector<ColumnVector> worst_;  // the last of the best rows so far, once there are enough
  std::vector<VectorView> worst_views_;
};

}  // namespace varve
