#include "storage/clock_guard.h"

#include <gmock/gmock.h>

#include "tests/support/moved_clock.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kHour = 3600 * kNsPerSecond;

class ClockGuardTest : public ::testing::Test {
 protected:
  MovedClock clock_;
  ClockGuard guard_{clock_};
};

TEST_F(ClockGuardTest, TrustsAClockThatGoesOnHoweverLongTheProgramRuns) {
  for (int day = 0; day < 1000; ++day) {
    clock_.pass(kNsPerDay);
    EXPECT_TRUE(guard_.trusted_wall_ns());
  }
  EXPECT_EQ(guard_.reason(), "");
}

TEST_F(ClockGuardTest, FollowsSmallStepsForAnySum) {
  for (int step = 0; step < 100; ++step) {
    clock_.move_wall(kHour / 2);
    EXPECT_TRUE(guard_.trusted_wall_ns());
  }
}

TEST_F(ClockGuardTest, DistrustsAJumpUntilTheClockIsBack) {
  for (const int64_t jump : {kNsPerDay, -kNsPerDay, kHour + kNsPerSecond, -kHour - kNsPerSecond}) {
    clock_.move_wall(jump);
    EXPECT_FALSE(guard_.trusted_wall_ns());
    EXPECT_THAT(guard_.reason(), HasSubstr(jump > 0 ? "jumped ahead by" : "jumped back by"));
    clock_.pass(10 * kNsPerDay);
    EXPECT_FALSE(guard_.trusted_wall_ns()) << "time alone does not heal it";
    clock_.move_wall(-jump);
    EXPECT_TRUE(guard_.trusted_wall_ns());
    EXPECT_EQ(guard_.reason(), "");
  }
}

TEST_F(ClockGuardTest, DistrustsTheEndsOfTime) {
  for (const int64_t wall : {int64_t{0}, INT64_MAX, INT64_MAX - 1, int64_t{-1}, INT64_MIN + 1}) {
    clock_.fix_wall(wall);
    EXPECT_FALSE(guard_.trusted_wall_ns()) << wall;
    clock_.free_wall();
    EXPECT_TRUE(guard_.trusted_wall_ns()) << wall;
  }
}

TEST_F(ClockGuardTest, AStandingWallClockIsAJumpBackIntoThePast) {
  clock_.move_monotonic(2 * kHour);
  EXPECT_FALSE(guard_.trusted_wall_ns());
}

}  // namespace
}  // namespace varve
