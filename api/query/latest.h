// LATEST BY: keeps the row at the largest time per combination of the tags' values; of equal times the row met last.
// Without ORDER BY rows come in the order of those values.
// Errors:  memory_limit.
// Threads: one thread.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "api/query/budget.h"
#include "api/query/plan.h"
#include "api/query/row_output.h"

namespace varve {

class LatestRows {
 public:
  // `output_slots`: what outputs and ORDER BY read.
  LatestRows(const SelectPlan& plan, std::vector<size_t> output_slots, QueryBudget& budget);

  const std::vector<size_t>& slots() const { return slots_; }  // that add() reads
  // Rows of one series in ascending time.
  QueryResult<void> add(const Chunk& chunk, SeriesId series);
  QueryResult<void> finish(RowOutput& output);

 private:
  struct Row {
    int64_t time = 0;
    std::vector<Value> values;  // by slots_
  };

  const SelectPlan& plan_;
  QueryBudget& budget_;
  MemoryUse memory_;
  uint64_t bytes_ = 0;
  std::vector<size_t> slots_;
  std::vector<Row> rows_;
  std::unordered_map<std::string, uint32_t> row_of_;
  std::optional<SeriesId> series_;
  uint32_t series_row_ = 0;  // of the present series' tags
  std::string encoded_;
};

}  // namespace varve
