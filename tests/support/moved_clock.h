// The real clock, with either hand moved by a test while others read it.
// Threads: any.
#pragma once

#include <atomic>

#include "storage/base/clock.h"

namespace varve {

class MovedClock : public Clock {
 public:
  int64_t wall_ns() const override {
    const int64_t fixed = fixed_wall_ns_;
    return fixed != kNotFixed ? fixed : real_clock().wall_ns() + wall_offset_ns_;
  }
  int64_t monotonic_ns() const override { return real_clock().monotonic_ns() + monotonic_offset_ns_; }

  void move_wall(int64_t ns) { wall_offset_ns_ += ns; }
  void move_monotonic(int64_t ns) { monotonic_offset_ns_ += ns; }
  void pass(int64_t ns) {  // time goes by
    move_wall(ns);
    move_monotonic(ns);
  }
  void fix_wall(int64_t ns) { fixed_wall_ns_ = ns; }
  void free_wall() { fixed_wall_ns_ = kNotFixed; }

 private:
  static constexpr int64_t kNotFixed = INT64_MIN;
  std::atomic<int64_t> wall_offset_ns_{0};
  std::atomic<int64_t> monotonic_offset_ns_{0};
  std::atomic<int64_t> fixed_wall_ns_{kNotFixed};
};

}  // namespace varve
