// The rate of a growing count over the last kWindowNs. Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>

#include "storage/base/clock.h"

namespace varve {

class RateWindow {
 public:
  static constexpr int64_t kWindowNs = 10 * kNsPerSecond;
  static constexpr int64_t kSampleNs = kNsPerSecond / 2;  // between samples: some 20 are kept

  // A second; 0 until there are two samples.
  double add(int64_t now_ns, uint64_t count) {
    if (samples_.empty() || now_ns - samples_.back().time_ns >= kSampleNs)
      samples_.push_back({now_ns, count});
    while (samples_.size() > 1 && now_ns - samples_[1].time_ns >= kWindowNs) samples_.pop_front();
    const Sample& first = samples_.front();
    if (now_ns <= first.time_ns || count < first.count) return 0;
    return static_cast<double>(count - first.count) * kNsPerSecond /
           static_cast<double>(now_ns - first.time_ns);
  }

 private:
  struct Sample {
    int64_t time_ns;
    uint64_t count;
  };
  std::deque<Sample> samples_;
};

}  // namespace varve
