#include "storage/base/clock.h"

#include <ctime>

namespace varve {
namespace {

int64_t read_ns(clockid_t id) {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<int64_t>(now.tv_sec) * kNsPerSecond + now.tv_nsec;
}

class RealClock : public Clock {
 public:
  int64_t wall_ns() const override { return read_ns(CLOCK_REALTIME); }
  int64_t monotonic_ns() const override { return read_ns(CLOCK_MONOTONIC); }
};

}  // namespace

const Clock& real_clock() {
  static const RealClock instance;
  return instance;
}

}  // namespace varve
