// Wall time and monotonic time behind one interface, so that tests can move both.
// Threads: may be shared.
#pragma once

#include <cstdint>

namespace varve {

constexpr int64_t kNsPerUs = 1'000;
constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kNsPerDay = 86'400 * kNsPerSecond;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t wall_ns() const = 0;       // since the Unix epoch, UTC; may jump
  virtual int64_t monotonic_ns() const = 0;  // never goes back; for durations and deadlines
};

const Clock& real_clock();

}  // namespace varve
