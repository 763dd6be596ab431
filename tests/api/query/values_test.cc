// Small pure parts of the query engine: intervals, buckets, LIKE, exact comparison, name hints.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdlib>
#include <random>

#include "api/query/interval.h"
#include "api/query/operators.h"
#include "api/query/text_value.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

TEST(Interval, ReadsWordsAndCompounds) {
  EXPECT_EQ(parse_interval("5m").value(), 300 * kNsPerSecond);
  EXPECT_EQ(parse_interval("1 hour").value(), 3600 * kNsPerSecond);
  EXPECT_EQ(parse_interval("90 Minutes").value(), 5400 * kNsPerSecond);
  EXPECT_EQ(parse_interval("1h30m").value(), 5400 * kNsPerSecond);
  EXPECT_EQ(parse_interval("1 day 12 hours").value(), 129'600 * kNsPerSecond);
  EXPECT_EQ(parse_interval("-2w").value(), -14 * kNsPerDay);
  EXPECT_EQ(parse_interval("0").value(), 0);
  EXPECT_EQ(parse_interval("250ms").value(), 250 * kNsPerMs);
}

TEST(Interval, RefusesWhatHasNoFixedLength) {
  for (const char* text : {"", " ", "m", "5", "5 moons", "1mo", "1 year", "1.5h", "--1h", "1h-1m",
                           "300000 weeks", "99999999999999999999s"}) {
    EXPECT_FALSE(parse_interval(text)) << text;
  }
}

TEST(BucketStart, CoversEveryTime) {
  EXPECT_EQ(bucket_start(7, 5, 0), 5);
  EXPECT_EQ(bucket_start(-1, 5, 0), -5);
  EXPECT_EQ(bucket_start(-5, 5, 0), -5);
  EXPECT_EQ(bucket_start(7, 5, 3), 3);
  EXPECT_EQ(bucket_start(8, 5, 3), 8);
  EXPECT_EQ(bucket_start(7, 5, 100), 5);
  EXPECT_EQ(bucket_start(INT64_MIN, 10, 0), INT64_MIN);
  EXPECT_EQ(bucket_start(INT64_MAX, 10, 0), INT64_MAX / 10 * 10);
  EXPECT_EQ(bucket_start(INT64_MAX, INT64_MAX, INT64_MIN), INT64_MAX - 1);
  EXPECT_EQ(bucket_start(INT64_MIN + 3, 2, INT64_MAX), INT64_MIN + 3);
}

TEST(Like, MatchesAsSqliteDoes) {
  EXPECT_TRUE(like_matches("abc", "ABC", -1));
  EXPECT_TRUE(like_matches("abc", "a%", -1));
  EXPECT_TRUE(like_matches("abc", "%b%", -1));
  EXPECT_TRUE(like_matches("", "%", -1));
  EXPECT_FALSE(like_matches("", "_", -1));
  EXPECT_TRUE(like_matches("\xc3\xa9", "_", -1));  // one character of two bytes
  EXPECT_TRUE(like_matches("a%b", "a\\%b", '\\'));
  EXPECT_FALSE(like_matches("axb", "a\\%b", '\\'));
  EXPECT_TRUE(like_matches("aXbXXc", "a%x%c", -1));
  EXPECT_FALSE(like_matches(std::string(5000, 'a'), "%a%a%a%a%a%a%a%b", -1));
}

TEST(CompareExact, IsExactWhereDoublesAreNot) {
  EXPECT_EQ(compare_exact(1, 1.0), 0);
  EXPECT_EQ(compare_exact((int64_t{1} << 53) + 1, 9007199254740992.0), 1);
  EXPECT_EQ(compare_exact(INT64_MAX, 9223372036854775808.0), -1);
  EXPECT_EQ(compare_exact(INT64_MIN, -9223372036854775808.0), 0);
  EXPECT_EQ(compare_exact(INT64_MIN, -1e300), 1);
  EXPECT_EQ(compare_exact(3, 3.5), -1);
  EXPECT_EQ(compare_exact(-3, -3.5), 1);
}

TEST(AppendDouble, WritesTheShortestTextThatReadsBack) {
  const auto text = [](double value) {
    std::string out;
    append_double(out, value);
    return out;
  };
  EXPECT_EQ(text(7.31), "7.31");
  EXPECT_EQ(text(-0.5), "-0.5");
  EXPECT_EQ(text(7), "7.0");
  EXPECT_EQ(text(100'000), "100000.0");
  EXPECT_EQ(text(0.0001), "0.0001");
  EXPECT_EQ(text(0.00001), "1e-05");
  EXPECT_EQ(text(0.1 + 0.2), "0.30000000000000004");
  EXPECT_EQ(text(-0.0), "-0.0");
  EXPECT_EQ(text(1e300), "1e+300");
  EXPECT_EQ(text(INFINITY), "Inf");
  std::mt19937_64 random(1);
  for (int n = 0; n < 100'000; ++n) {
    const double value = n % 2 == 0
                             ? std::bit_cast<double>(random())
                             : static_cast<double>(static_cast<int64_t>(random() >> (random() % 64))) / 1000;
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(std::strtod(text(value).c_str(), nullptr), value) << text(value);
  }
}

TEST(NearestHint, SuggestsOnlySlipsOfTheFingers) {
  const std::vector<std::string> names{"temperature", "ph", "turbidity", "Site"};
  EXPECT_EQ(nearest_hint("temprature", names), "did you mean `temperature`?");
  EXPECT_EQ(nearest_hint("pH", names), "did you mean `ph`?");
  EXPECT_EQ(nearest_hint("sitte", names), "did you mean `Site`?");
  EXPECT_EQ(nearest_hint("wind_speed", names), "");
  EXPECT_EQ(nearest_hint(std::string(100'000, 'x'), names), "");
}

}  // namespace
}  // namespace varve
