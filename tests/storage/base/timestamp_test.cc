#include "storage/base/timestamp.h"

#include <gmock/gmock.h>

#include <random>

#include "storage/base/clock.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

TEST(Timestamp, ParsesTheFormsPeopleWrite) {
  const int64_t noon = 1'751'373'015 * kNsPerSecond;  // 2025-07-01T12:30:15Z
  for (const char* text :
       {"2025-07-01T12:30:15Z", "2025-07-01 12:30:15", "2025-07-01t12:30:15z", "2025-07-01T12:30:15",
        "2025-07-01T14:30:15+02:00", "2025-07-01T14:30:15+0200", "2025-07-01T14:30:15+02",
        "2025-07-01T07:00:15-05:30", "2025-07-01T12:30:15.000Z", "2025-07-01T12:30:15,0Z"}) {
    const auto parsed = parse_timestamp(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(*parsed, noon) << text;
  }
  EXPECT_EQ(*parse_timestamp("2025-07-01"), noon - (12 * 3600 + 30 * 60 + 15) * kNsPerSecond);
  EXPECT_EQ(*parse_timestamp("2025-07-01T12:30"), noon - 15 * kNsPerSecond);
  EXPECT_EQ(*parse_timestamp("2025-07-01 12:30:15.250"), noon + 250 * kNsPerMs);
  EXPECT_EQ(*parse_timestamp("1970-01-01T00:00:00.000000001Z"), 1);
  EXPECT_EQ(*parse_timestamp("1969-12-31T23:59:59.999999999Z"), -1);
  EXPECT_EQ(*parse_timestamp("1970-01-01T00:00:00.1234567899Z"), 123'456'789) << "digits past ns are dropped";
}

TEST(Timestamp, RefusesWhatIsNotATime) {
  for (const char* text : {"",
                           "2025",
                           "2025-7-1",
                           "2025-07-01T",
                           "2025-07-01T12",
                           "2025-07-01T12:",
                           "2025-07-01T12:30:",
                           "2025-07-01T12:30:15.",
                           "2025-07-01T12:30:15.Z",
                           "2025-07-01T12:30:15ZZ",
                           "2025-07-01T12:30:15 Z",
                           "2025-07-01X12:30:15",
                           "2025-07-01T12:30:15+",
                           "2025-07-01T12:30:15+2",
                           "2025-07-01T12:30:15+02:",
                           "2025-07-01T12:30:15+02:0",
                           "2025-07-01T12:30:15+24:00",
                           "2025-07-01T12:30:15+02:60",
                           "2025-13-01",
                           "2025-00-01",
                           "2025-07-32",
                           "2025-07-00",
                           "2025-06-31",
                           "2025-02-29",
                           "1900-02-29",
                           "2025-07-01T24:00:00",
                           "2025-07-01T12:60:00",
                           "2025-07-01T12:30:61",
                           "-025-07-01",
                           "2025/07/01",
                           "now",
                           "2025-07-01\n",
                           "1677-09-20",
                           "1677-09-21T00:12:43.145224191Z",
                           "2262-04-12",
                           "2262-04-11T23:47:16.854775808Z",
                           "0001-01-01",
                           "9999-12-31",
                           "1677-09-21T00:12:43.145224192+00:01",
                           "2262-04-11T23:47:16.854775807-00:01"}) {
    const auto parsed = parse_timestamp(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(parsed.error().message, HasSubstr("'" + std::string(text) + "' is not a time"));
  }
  EXPECT_FALSE(parse_timestamp(std::string_view("2025-07-01\0", 11)));
}

TEST(Timestamp, LeapDaysAreWhereTheGregorianCalendarHasThem) {
  for (const int year : {1680, 1904, 2000, 2024, 2248}) {
    EXPECT_TRUE(parse_timestamp(std::to_string(year) + "-02-29")) << year;
  }
  for (const int year : {1700, 1800, 1900, 2023, 2100, 2200}) {
    EXPECT_FALSE(parse_timestamp(std::to_string(year) + "-02-29")) << year;
  }
  EXPECT_EQ(days_from_civil(1970, 1, 1), 0);
  EXPECT_EQ(days_from_civil(2000, 3, 1), 11017);
  EXPECT_EQ(days_from_civil(1969, 12, 31), -1);
  EXPECT_EQ(*parse_timestamp("2000-03-01") - *parse_timestamp("2000-02-28"), 2 * kNsPerDay);
}

TEST(Timestamp, FormatsAsManyDigitsAsTheValueNeeds) {
  EXPECT_EQ(format_timestamp(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(format_timestamp(250 * kNsPerMs), "1970-01-01T00:00:00.250Z");
  EXPECT_EQ(format_timestamp(1500), "1970-01-01T00:00:00.000001500Z");
  EXPECT_EQ(format_timestamp(25'000), "1970-01-01T00:00:00.000025Z");
  EXPECT_EQ(format_timestamp(-1), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(format_timestamp(INT64_MAX), "2262-04-11T23:47:16.854775807Z");
  EXPECT_EQ(format_timestamp(INT64_MIN), "1677-09-21T00:12:43.145224192Z");
}

TEST(Timestamp, RoundTripsEverywhere) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::vector<int64_t> times;
  for (int64_t near = 0; near < 3000; ++near) {
    for (const int64_t scale : {int64_t{1}, kNsPerMs, kNsPerSecond}) {
      times.push_back(INT64_MAX - near * scale);
      times.push_back(INT64_MIN + near * scale);
      times.push_back(near * scale);
      times.push_back(-near * scale);
    }
  }
  for (int i = 0; i < 100'000; ++i) times.push_back(static_cast<int64_t>(random()) >> (random() % 40));
  for (const int64_t time : times) {
    const auto back = parse_timestamp(format_timestamp(time));
    ASSERT_TRUE(back) << format_timestamp(time) << ": " << back.error().message;
    ASSERT_EQ(*back, time);
    ASSERT_EQ(*from_civil(to_civil(time)), time);
  }
}

TEST(Timestamp, EveryDayOfTheRangeFollowsTheOneBefore) {
  CivilTime last = to_civil(-106'751 * kNsPerDay);
  for (int64_t day = -106'750; day <= 106'751; ++day) {
    const CivilTime now = to_civil(day * kNsPerDay);
    ASSERT_EQ(days_from_civil(now.year, now.month, now.day), day);
    const bool next_day = now.day == last.day + 1 && now.month == last.month && now.year == last.year;
    const bool next_month = now.day == 1 && now.month == last.month + 1 && now.year == last.year;
    const bool next_year = now.day == 1 && now.month == 1 && last.month == 12 && now.year == last.year + 1;
    ASSERT_TRUE(next_day || next_month || next_year) << day;
    last = now;
  }
}

}  // namespace
}  // namespace varve
