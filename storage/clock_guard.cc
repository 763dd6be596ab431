#include "storage/clock_guard.h"

#include <fmt/format.h>

#include "storage/base/log.h"
#include "storage/base/units.h"

namespace varve {
namespace {

// Both hands are within 292 years of 0; their distance may not be.
int64_t distance(int64_t to, int64_t from) {
  int64_t result = 0;
  if (__builtin_sub_overflow(to, from, &result)) return to > from ? INT64_MAX : INT64_MIN;
  return result;
}

int64_t size_of(int64_t distance_ns) {
  if (distance_ns == INT64_MIN) return INT64_MAX;
  return distance_ns < 0 ? -distance_ns : distance_ns;
}

}  // namespace

ClockGuard::ClockGuard(const Clock& clock)
    : clock_(clock), trusted_offset_(distance(clock.wall_ns(), clock.monotonic_ns())) {}

std::optional<int64_t> ClockGuard::trusted_wall_ns() {
  const int64_t wall_ns = clock_.wall_ns();
  const int64_t offset = distance(wall_ns, clock_.monotonic_ns());
  const int64_t moved = distance(offset, trusted_offset_);
  const bool trusted = size_of(moved) <= kJumpMax;
  const std::lock_guard lock(mutex_);
  if (trusted) {
    trusted_offset_ = offset;
    if (!reason_.empty()) log_info("store", "the wall clock is back: retention goes on");
    reason_.clear();
    return wall_ns;
  }
  const bool news = reason_.empty();
  reason_ = fmt::format(
      "the wall clock jumped {} by {}; retention deletes nothing until it is back or varve is restarted",
      moved > 0 ? "ahead" : "back", format_duration(size_of(moved) / kNsPerSecond * kNsPerSecond));
  if (news) log_warn("store", reason_);
  return std::nullopt;
}

std::string ClockGuard::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

}  // namespace varve
