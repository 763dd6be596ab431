// What the virtual tables and functions of one running statement share.
// Threads: one thread.
#pragma once

#include <optional>
#include <span>

#include "api/query/budget.h"
#include "api/query/sqlite/memory_count.h"
#include "api/query/time_buckets.h"

namespace varve {

struct StatementContext {
  const Engine& engine;
  QueryBudget& budget;
  QueryMemory& memory;
  QueryStats& stats;
  std::span<const BucketRule> buckets;
  std::optional<QueryError> error;  // why a callback told SQLite to stop
  bool types_changed = false;       // a table has other columns than when the statement was prepared

  void fail(QueryError failure) {
    if (!error) error = std::move(failure);
  }
};

}  // namespace varve
