// Signals as values: blocked in every thread and taken by the main one, so no code runs inside a handler.
// Threads: construct on the main thread before others start (they inherit the mask); wait() there.
#pragma once

#include <signal.h>

#include <cstdint>
#include <optional>

namespace varve {

class Signals {
 public:
  Signals();  // blocks SIGINT, SIGTERM and SIGHUP for good, ignores SIGXFSZ
  // The next signal within `timeout_ns`, or nullopt.
  std::optional<int> wait(int64_t timeout_ns) const;

 private:
  sigset_t set_;
};

}  // namespace varve
