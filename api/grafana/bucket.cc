#include "api/grafana/bucket.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/clock.h"

namespace varve::grafana {
namespace {

constexpr int64_t kMinute = 60 * kNsPerSecond;
constexpr int64_t kHour = 60 * kMinute;
constexpr int64_t kDay = 24 * kHour;
constexpr int64_t kNice[] = {kNsPerMs,
                             2 * kNsPerMs,
                             5 * kNsPerMs,
                             10 * kNsPerMs,
                             20 * kNsPerMs,
                             50 * kNsPerMs,
                             100 * kNsPerMs,
                             200 * kNsPerMs,
                             500 * kNsPerMs,
                             kNsPerSecond,
                             2 * kNsPerSecond,
                             5 * kNsPerSecond,
                             10 * kNsPerSecond,
                             15 * kNsPerSecond,
                             20 * kNsPerSecond,
                             30 * kNsPerSecond,
                             kMinute,
                             2 * kMinute,
                             5 * kMinute,
                             10 * kMinute,
                             15 * kMinute,
                             20 * kMinute,
                             30 * kMinute,
                             kHour,
                             2 * kHour,
                             3 * kHour,
                             6 * kHour,
                             12 * kHour,
                             kDay,
                             2 * kDay,
                             7 * kDay,
                             14 * kDay,
                             30 * kDay,
                             90 * kDay,
                             365 * kDay};

// The most buckets a range of this length can touch, wherever it begins.
bool fits(uint64_t length_ns, int64_t width_ns, uint64_t points) {
  return length_ns / static_cast<uint64_t>(width_ns) + 2 <= std::max<uint64_t>(points, 2);
}

}  // namespace

int64_t automatic_bucket_ns(const Range& range, int64_t interval_ns, uint64_t max_data_points) {
  const uint64_t length = static_cast<uint64_t>(range.to_ns) - static_cast<uint64_t>(range.from_ns);
  if (interval_ns > 0 && fits(length, interval_ns, max_data_points)) return interval_ns;
  for (const int64_t width : kNice) {
    if (width >= interval_ns && fits(length, width, max_data_points)) return width;
  }
  // Decades of data on a handful of points: whole years.
  const int64_t year = std::end(kNice)[-1];
  int64_t width = year;
  while (width < INT64_MAX - year && !fits(length, width, max_data_points)) width += year;
  return width;
}

std::string interval_text(int64_t ns) {
  struct Unit {
    int64_t ns;
    const char* name;
  };
  for (const Unit unit : {Unit{kDay, "d"}, Unit{kHour, "h"}, Unit{kMinute, "m"}, Unit{kNsPerSecond, "s"},
                          Unit{kNsPerMs, "ms"}}) {
    if (ns % unit.ns == 0) return fmt::format("{}{}", ns / unit.ns, unit.name);
  }
  return fmt::format("{}ns", ns);
}

}  // namespace varve::grafana
