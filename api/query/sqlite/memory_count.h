// How much memory SQLite has on this thread, and where it stops: every allocation SQLite makes (sorters, groups,
// temporary tables, page caches, statements, values) is counted for the query that runs on the thread; the one that
// would pass the limit is refused, and SQLite ends the statement.
// SQLite's allocator can only be replaced while nothing of it is in use, so that is done before main() begins.
// Threads: one QueryMemory on a thread at a time; what it counts must be freed on the same thread.
#pragma once

#include <cstdint>

namespace varve {

class QueryMemory {
 public:
  explicit QueryMemory(uint64_t bytes_max);
  ~QueryMemory();
  QueryMemory(const QueryMemory&) = delete;
  QueryMemory& operator=(const QueryMemory&) = delete;

  // Memory of ours that counts, too. False, with nothing taken, when it does not fit.
  bool take(uint64_t bytes);
  void give_back(uint64_t bytes);

  uint64_t bytes() const;
  bool refused() const;  // an allocation was refused
  void refuse_nothing();  // while the connection is closed

  static bool counts();  // the allocator is in place
};

}  // namespace varve
