// Keeps one message from flooding the log: of the same message kPerWindow lines pass in a window, the rest are counted
// and told in one line when the window is over.
// The same = equal component and text but for digits, so that a count or an offset in it does not make it another.
// Memory: kKeysMax messages are remembered; of one more the oldest is forgotten, and told first.
// Threads: one at a time (log.cc holds a lock).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace varve {

class LogRepeats {
 public:
  static constexpr int64_t kWindowNs = 60'000'000'000;
  static constexpr uint32_t kPerWindow = 5;  // guessed: enough to see a pattern, too few to fill a disk
  static constexpr size_t kKeysMax = 512;    // some 300 bytes each

  struct Line {
    int level = 0;
    std::string component;
    std::string message;
  };
  // A message of which lines were held back.
  struct Summary {
    Line last;
    uint64_t held_back = 0;
  };

  // True: write it. `level` is kept for the summary only.
  bool allow(const Line& line, int64_t now_ns);
  // Summaries of windows that are over, oldest first; of all windows when `all`. Each is given once.
  std::vector<Summary> due(int64_t now_ns, bool all = false);

 private:
  struct Entry {
    int64_t begun_ns = 0;
    uint64_t lines = 0;  // in this window, held back ones included
    Line last;
  };
  static uint64_t key_of(const Line& line);
  void forget_oldest();

  std::unordered_map<uint64_t, Entry> entries_;
  std::vector<Summary> pending_;     // of forgotten entries
  int64_t next_due_ns_ = INT64_MAX;  // no window ends before
};

}  // namespace varve
