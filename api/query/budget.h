// What one query may use: time, memory, result rows; and the switch that stops it.
// Memory is what operators report (groups, sort buffers, distinct rows, collected values), not every allocation.
// Errors:  timeout, cancelled, memory_limit, row_limit, each naming the configuration key.
// Threads: cancel() from any thread; the rest belongs to the query's thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "api/query/query.h"

namespace varve {

class QueryBudget {
 public:
  QueryBudget(const QueryOptions& options, const Clock& clock);

  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  int64_t started_ns() const { return started_ns_; }
  int64_t now_ns() const { return clock_.monotonic_ns(); }
  uint64_t max_rows() const { return options_.max_rows; }
  uint64_t max_memory_bytes() const { return options_.max_memory_bytes; }

  QueryResult<void> check() const;  // time and cancellation; call once per block
  QueryResult<void> count_rows(uint64_t rows);
  void forget_rows(uint64_t rows) { rows_ -= rows; }  // counted ones that were no answer but a step to it

 private:
  friend class MemoryUse;
  const QueryOptions options_;
  const Clock& clock_;
  const int64_t started_ns_;
  std::atomic<bool> cancelled_{false};
  uint64_t memory_bytes_ = 0;
  uint64_t rows_ = 0;
};

// One operator's share; given back when the operator goes.
class MemoryUse {
 public:
  explicit MemoryUse(QueryBudget& budget) : budget_(budget) {}
  ~MemoryUse() { budget_.memory_bytes_ -= bytes_; }
  MemoryUse(const MemoryUse&) = delete;
  MemoryUse& operator=(const MemoryUse&) = delete;
  QueryResult<void> set(uint64_t bytes);

 private:
  QueryBudget& budget_;
  uint64_t bytes_ = 0;
};

}  // namespace varve
