// Runs the crash driver over one folder again and again, has it killed, and holds what is left against its ledgers.
// A folder's life is some cycles long; the next life has another plan. Each driver checks the store before it writes,
// so a cycle's kill is judged by the next cycle, or by finish().
// Threads: one.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace varve::test {

// Where the process dies.
struct Kill {
  std::string point = {};  // of the code, with its pass; empty = from outside
  int64_t pass = 1;
  bool from_start = false;  // the moment counts from the start of the process, not from when it is ready
  int64_t after_ms = 0;
  std::string how = {};  // the driver's HOW
};

struct CycleResult {
  bool ready = false;     // the driver opened and checked the store
  bool killed = false;    // by us, or by the point; else it ended by itself
  int64_t opened_ms = 0;  // of a ready one
  std::string wrong;      // empty = nothing is
};

class StoreLife {
 public:
  explicit StoreLife(uint64_t seed) : seed_(seed) {}

  CycleResult cycle(const Kill& kill);
  // Opens it once more, checks everything, drains the sink. Empty = all is well.
  std::string finish();

  std::string folder() const { return folder_.path(); }
  uint64_t seed() const { return seed_; }

 private:
  uint64_t seed_;
  TempDir folder_;
};

struct KillCounts {
  int64_t kills = 0;
  int64_t at_points = 0;
  int64_t judged = 0;  // kills followed by a check of the whole store
  int64_t clean_ends = 0;
  int64_t opened_ms_max = 0;
  std::string wrong;  // of the first cycle that was; the folder is kept beside it
};
// `kills` random kills: most 20 to 300 ms after the store is open, some while it opens, some at a random point.
// `progress` is called after each life.
KillCounts kill_at_random(uint64_t seed, int64_t kills,
                          const std::function<void(const KillCounts&)>& progress);

// The name in each kill_point("...") of the sources, sorted; a name that stands twice comes twice.
std::vector<std::string> kill_points_in_code();

}  // namespace varve::test
