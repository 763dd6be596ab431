// Watches the wall clock for jumps, because retention deletes by it. Wall and monotonic time must go on together: a
// wall clock that moved more than kJumpMax against the monotonic one since the last look is not trusted until it is
// back, or the program is restarted with the clock as it then is. Smaller steps (leap seconds, NTP) are followed.
// A machine that slept looks like a jump: the monotonic clock stands still meanwhile.
// Threads: trusted_wall_ns() from one at a time; the rest from any.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "storage/base/clock.h"

namespace varve {

class ClockGuard {
 public:
  static constexpr int64_t kJumpMax = 3600 * kNsPerSecond;

  explicit ClockGuard(const Clock& clock);

  std::optional<int64_t> trusted_wall_ns();  // looks now; nothing = the wall clock is not to be trusted
  std::string reason() const;                // why not; empty = it is

 private:
  const Clock& clock_;
  int64_t trusted_offset_;  // of the wall clock to the monotonic one

  mutable std::mutex mutex_;  // guards reason_
  std::string reason_;
};

}  // namespace varve
