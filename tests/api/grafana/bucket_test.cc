#include "api/grafana/bucket.h"

#include <gtest/gtest.h>

#include <random>

#include "storage/base/clock.h"

namespace varve::grafana {
namespace {

constexpr int64_t kHour = 3600 * kNsPerSecond;

std::string width(int64_t length_ns, int64_t interval_ns, uint64_t points) {
  return interval_text(automatic_bucket_ns({0, length_ns}, interval_ns, points));
}

TEST(GrafanaBucket, IsNiceAndFitsThePoints) {
  EXPECT_EQ(width(6 * kHour, 0, 500), "1m");
  EXPECT_EQ(width(6 * kHour, 30 * kNsPerSecond, 1000), "30s");
  EXPECT_EQ(width(6 * kHour, 30 * kNsPerSecond, 550), "1m")
      << "Grafana's own interval may give too many points";
  EXPECT_EQ(width(6 * kHour, 7 * kNsPerSecond, 10'000), "7s")
      << "the panel's smallest interval is taken as it is";
  EXPECT_EQ(width(6 * kHour, 7 * kNsPerSecond, 1500), "15s");
  EXPECT_EQ(width(30 * 24 * kHour, 0, 1000), "1h");
  EXPECT_EQ(width(365 * 24 * kHour, 0, 100), "7d");
  EXPECT_EQ(width(0, 0, 1), "1ms");
  EXPECT_EQ(width(kNsPerSecond, 0, 100'000), "1ms");
}

TEST(GrafanaBucket, NeverGivesMorePointsThanAskedFor) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 10'000; ++i) {
    Range range;
    range.from_ns = static_cast<int64_t>(random());
    range.to_ns = static_cast<int64_t>(random());
    if (i % 2 == 0) range.to_ns = range.from_ns / 2 + static_cast<int64_t>(random() % (1000 * kHour));
    if (range.from_ns > range.to_ns) std::swap(range.from_ns, range.to_ns);
    const uint64_t points = 4 + random() % 3000;
    const int64_t interval = static_cast<int64_t>(random() % kHour) * (i % 3 == 0 ? 0 : 1);
    const int64_t bucket = automatic_bucket_ns(range, interval, points);
    ASSERT_GE(bucket, interval);
    const uint64_t length = static_cast<uint64_t>(range.to_ns) - static_cast<uint64_t>(range.from_ns);
    ASSERT_LE(length / static_cast<uint64_t>(bucket) + 2, points) << length << " by " << bucket;
  }
}

TEST(GrafanaBucket, IsWrittenAsSqlReadsIt) {
  EXPECT_EQ(interval_text(24 * kHour), "1d");
  EXPECT_EQ(interval_text(90 * 60 * kNsPerSecond), "90m");
  EXPECT_EQ(interval_text(1500 * kNsPerMs), "1500ms");
  EXPECT_EQ(interval_text(1), "1ns");
}

}  // namespace
}  // namespace varve::grafana
