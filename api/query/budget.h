// What one query may use: time, memory, result rows; the switch that stops it; and what it has used so far.
// Queries of one service share what all of them together may take: the one whose growth passes that ends.
// Memory is what operators report (groups, sort buffers, distinct rows, collected values, strings that expressions
// make), not every allocation: a query's true growth stays near the limit, not below it to the byte.
// Errors:  timeout, cancelled, memory_limit, total_memory_limit, row_limit, each naming the configuration key.
// Threads: any; a query's threads share one budget.
#pragma once

#include <atomic>
#include <cstdint>

#include "api/query/query.h"

namespace varve {

// Bytes that all queries of a service have taken.
using SharedBytes = std::atomic<uint64_t>;

class QueryBudget {
 public:
  // `stop` is the switch others hold as well; null = one of our own. `all_bytes` outlives the budget; null = it is alone.
  QueryBudget(const QueryOptions& options, const Clock& clock, StopSwitch stop = nullptr,
              SharedBytes* all_bytes = nullptr);
  // Asked by check() from time to time; true cancels the query. Before other threads know the budget.
  void watch_reader(std::function<bool()> gone) { reader_gone_ = std::move(gone); }
  QueryBudget(const QueryBudget&) = delete;
  QueryBudget& operator=(const QueryBudget&) = delete;

  void cancel() { stop_->store(true, std::memory_order_relaxed); }
  int64_t started_ns() const { return started_ns_; }
  int64_t now_ns() const { return clock_.monotonic_ns(); }
  uint64_t max_rows() const { return options_.max_rows; }
  uint64_t max_memory_bytes() const { return options_.max_memory_bytes; }
  uint64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
  uint64_t peak_memory_bytes() const { return peak_memory_bytes_.load(std::memory_order_relaxed); }
  uint64_t rows_scanned() const { return rows_scanned_.load(std::memory_order_relaxed); }

  QueryResult<void> check() const;  // time, cancellation, and the reader; call once per block
  QueryResult<void> count_rows(uint64_t rows);
  void forget_rows(uint64_t rows) { rows_ -= rows; }  // counted ones that were no answer but a step to it
  void add_scanned(uint64_t rows) { rows_scanned_.fetch_add(rows, std::memory_order_relaxed); }

 private:
  friend class MemoryUse;
  QueryResult<void> take_memory(uint64_t bytes);  // nothing is taken when it does not fit
  void give_back_memory(uint64_t bytes);
  bool reader_left(int64_t now) const;
  const QueryOptions options_;
  const Clock& clock_;
  const int64_t started_ns_;
  const StopSwitch stop_;
  SharedBytes* const all_bytes_;
  std::function<bool()> reader_gone_;
  mutable std::atomic<int64_t> next_look_ns_;  // at the reader
  std::atomic<uint64_t> memory_bytes_{0};
  std::atomic<uint64_t> peak_memory_bytes_{0};
  std::atomic<uint64_t> rows_{0};
  std::atomic<uint64_t> rows_scanned_{0};
};

// One operator's share; given back when the operator goes. Call set() before the memory is taken wherever a single step
// may take much.
// Threads: one thread each.
class MemoryUse {
 public:
  explicit MemoryUse(QueryBudget& budget) : budget_(budget) {}
  ~MemoryUse() { budget_.give_back_memory(bytes_); }
  MemoryUse(const MemoryUse&) = delete;
  MemoryUse& operator=(const MemoryUse&) = delete;
  QueryResult<void> set(uint64_t bytes);
  QueryResult<void> add(uint64_t bytes) { return set(bytes_ + bytes); }
  uint64_t bytes() const { return bytes_; }

 private:
  QueryBudget& budget_;
  uint64_t bytes_ = 0;
};

}  // namespace varve
