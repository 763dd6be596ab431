#include "storage/base/units.h"

#include <gtest/gtest.h>

#include "storage/base/clock.h"

namespace varve {
namespace {

TEST(Units, ParsesDurations) {
  EXPECT_EQ(*parse_duration("0"), 0);
  EXPECT_EQ(*parse_duration("0s"), 0);
  EXPECT_EQ(*parse_duration("7ns"), 7);
  EXPECT_EQ(*parse_duration("7us"), 7'000);
  EXPECT_EQ(*parse_duration("500ms"), 500 * kNsPerMs);
  EXPECT_EQ(*parse_duration("60s"), 60 * kNsPerSecond);
  EXPECT_EQ(*parse_duration("5m"), 300 * kNsPerSecond);
  EXPECT_EQ(*parse_duration("1h"), 3600 * kNsPerSecond);
  EXPECT_EQ(*parse_duration("1d"), kNsPerDay);
  EXPECT_EQ(*parse_duration("2w"), 14 * kNsPerDay);
  EXPECT_EQ(*parse_duration("9223372036854775807ns"), INT64_MAX);
}

TEST(Units, RefusesOtherDurations) {
  for (const char* text : {"", "s", "5", "-1s", "+1s", "1.5s", "1s ", "1S", "1 y", "1min",
                           "9223372036854775808ns", "99999999999999999999s", "200000w", "1h30m", " 1s"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find("'" + std::string(text) + "'"), std::string::npos);
  }
}

TEST(Units, ParsesSizes) {
  EXPECT_EQ(*parse_bytes("0"), 0U);
  EXPECT_EQ(*parse_bytes("1048576"), 1U << 20);
  EXPECT_EQ(*parse_bytes("1KB"), 1000U);
  EXPECT_EQ(*parse_bytes("512MiB"), 512U << 20);
  EXPECT_EQ(*parse_bytes("2GiB"), 2ULL << 30);
  EXPECT_EQ(*parse_bytes("3GB"), 3'000'000'000U);
  EXPECT_EQ(*parse_bytes("18446744073709551615"), UINT64_MAX);
  for (const char* text :
       {"", "MiB", "1mib", "-1", "1.5GiB", "18446744073709551616", "99999999999999GiB", "1TiBB"}) {
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
}

TEST(Units, FormattedDurationsParseBack) {
  EXPECT_EQ(format_duration(0), "0");
  EXPECT_EQ(format_duration(60 * kNsPerSecond), "1m");
  EXPECT_EQ(format_duration(90 * kNsPerSecond), "90s");
  EXPECT_EQ(format_duration(kNsPerDay), "1d");
  for (const int64_t ns : {int64_t{1}, int64_t{1500}, 250 * kNsPerMs, 36 * 3600 * kNsPerSecond, INT64_MAX}) {
    EXPECT_EQ(*parse_duration(format_duration(ns)), ns);
  }
}

TEST(Units, SizesAreRoundedForPeople) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(12'900'000), "12.3 MiB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "16777216.0 TiB");
}

}  // namespace
}  // namespace varve
