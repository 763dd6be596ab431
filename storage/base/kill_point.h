// Named places in the code where a test can have the process die.
//   VARVE_KILL=NAME:N varve serve ...   the N-th pass of kill_point("NAME") ends the process by SIGKILL
// A random kill rarely falls between two calls that must survive a crash together; a named point falls there each
// time. So a point stands on either side of each step whose order matters: write, sync, rename, commit, unlink.
// Costs one relaxed load where VARVE_KILL is not set. Each point is named once in the code, AREA.STEP: the kill tests
// find them there, and fail when their workload does not pass one.
// Errors:  a VARVE_KILL that is not NAME:N ends the process at start with exit code 2.
// Threads: any; passes of all threads count together.
// Source:  the white-box crash test of RocksDB (tools/db_crashtest.py, TEST_KILL_RANDOM), with names instead of odds.
#pragma once

#include <atomic>
#include <string_view>

namespace varve {

namespace kill_point_detail {
extern const std::atomic<bool> armed;
void pass(std::string_view name);
}  // namespace kill_point_detail

inline void kill_point(std::string_view name) {
  if (kill_point_detail::armed.load(std::memory_order_relaxed)) [[unlikely]] {
    kill_point_detail::pass(name);
  }
}

}  // namespace varve
