#include "api/query/time_buckets.h"

#include <gtest/gtest.h>

#include <random>

#include "storage/base/clock.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

int64_t at(std::string_view text) {
  return parse_timestamp(text).value();
}

BucketRule rule(std::string_view width, std::string_view zone = "UTC") {
  BucketRule made = parse_bucket_width(width, 0).value();
  EXPECT_TRUE(set_time_zone(made, zone, 0)) << zone;
  return made;
}

// Every moment lies in exactly one bucket, and a bucket's start and end say so.
void expect_a_grid(const BucketRule& grid, int64_t time) {
  const int64_t start = grid.start_of(time);
  const int64_t end = grid.end_of(start);
  ASSERT_LE(start, time) << time;
  ASSERT_LT(time, end) << time;
  ASSERT_EQ(grid.start_of(start), start) << time;
  ASSERT_EQ(grid.start_of(end - 1), start) << time;
  ASSERT_EQ(grid.start_of(end), end) << time;
}

// Zones that skip and repeat an hour, half an hour (Lord Howe), midnight (Sao Paulo, Havana), a whole day (Apia), that
// have odd local mean times before 1912, and summer time turned round (Dublin, Casablanca).
constexpr std::string_view kZones[] = {
    "UTC",           "Europe/Paris",        "America/New_York", "Asia/Kolkata",
    "Pacific/Apia",  "Australia/Lord_Howe", "America/Havana",   "America/Sao_Paulo",
    "Europe/Dublin", "Africa/Casablanca",   "Asia/Kathmandu",   "Antarctica/Troll"};
constexpr std::string_view kWidths[] = {"1m", "15m", "45m",     "1h",        "90m",   "2h",
                                        "4h", "5h",  "12h",     "36h",       "1d",    "3d",
                                        "1w", "2w",  "1 month", "1 quarter", "1 year"};

TEST(BucketRule, CutsAllOfTimeIntoBucketsInEveryZone) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int64_t> anywhere(at("1890-01-01"), at("2037-12-31"));
  for (const std::string_view zone : kZones) {
    for (const std::string_view width : kWidths) {
      SCOPED_TRACE(std::string(width) + " in " + std::string(zone));
      const BucketRule grid = rule(width, zone);
      for (int i = 0; i < 200; ++i) {
        int64_t time = anywhere(random);
        expect_a_grid(grid, time);
        const int64_t change =
            grid.zone.period_at(time).begin;  // around the last time the clock was set, too
        if (change <= at("1890-01-01")) continue;
        for (const int64_t minutes : {-181, -90, -61, -31, -1, 0, 1, 29, 31, 59, 61, 90, 181}) {
          expect_a_grid(grid, change + minutes * 60 * kNsPerSecond);
        }
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(BucketRule, BucketsOfOneHourAreOneHourInParis) {
  const BucketRule hours = rule("1h", "Europe/Paris");
  for (int64_t time = at("2025-10-25T20:00:00Z"); time < at("2025-10-26T06:00:00Z");
       time += 3600 * kNsPerSecond) {
    EXPECT_EQ(hours.start_of(time + 1), time);
    EXPECT_EQ(hours.end_of(time), time + 3600 * kNsPerSecond);
  }
}

TEST(BucketRule, DaysThatMidnightMissesBeginWhenTheClockJumps) {
  // Sao Paulo went from 24:00 to 01:00 on 2018-11-04; Apia had no 2011-12-30.
  EXPECT_EQ(rule("1d", "America/Sao_Paulo").start_of(at("2018-11-04T12:00:00Z")), at("2018-11-04T03:00:00Z"));
  const BucketRule days = rule("1d", "Pacific/Apia");
  EXPECT_EQ(days.start_of(at("2011-12-30T09:59:00Z")), at("2011-12-29T10:00:00Z"));
  EXPECT_EQ(days.end_of(at("2011-12-29T10:00:00Z")), at("2011-12-30T10:00:00Z"));
  EXPECT_EQ(days.end_of(at("2011-12-30T10:00:00Z")), at("2011-12-31T10:00:00Z"));
}

TEST(BucketRule, HoldsAtTheEndsOfTime) {
  for (const std::string_view zone : {"UTC", "Europe/Paris"}) {
    for (const std::string_view width : kWidths) {
      const BucketRule grid = rule(width, zone);
      EXPECT_EQ(grid.start_of(INT64_MIN), INT64_MIN) << width;
      EXPECT_GT(grid.end_of(INT64_MIN), INT64_MIN) << width;
      EXPECT_LE(grid.start_of(INT64_MAX), INT64_MAX) << width;
      EXPECT_GE(grid.end_of(grid.start_of(INT64_MAX)), grid.start_of(INT64_MAX)) << width;
    }
  }
}

TEST(BucketRule, SaysWhetherStatisticsCanFollow) {
  EXPECT_TRUE(rule("1d").is_fixed());
  EXPECT_TRUE(rule("1w", "Etc/UTC").is_fixed());
  EXPECT_FALSE(rule("1d", "Europe/Paris").is_fixed());
  EXPECT_FALSE(rule("1 month").is_fixed());
}

TEST(TimeZone, NamesTheNearestZone) {
  EXPECT_EQ(TimeZone::find("europe/paris").error().message,
            "'europe/paris' is not a time zone; did you mean 'Europe/Paris'?");
  EXPECT_EQ(TimeZone::find("nowhere").error().message,
            "'nowhere' is not a time zone; use e.g. 'Europe/Paris' or 'UTC'");
  EXPECT_EQ(TimeZone::find("Europe/Paris")->name(), "Europe/Paris");
  EXPECT_EQ(TimeZone().name(), "UTC");
}

}  // namespace
}  // namespace varve
