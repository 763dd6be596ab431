// kill -9 against the store: no acknowledged row is lost, none is there twice, none is invented.
// Sizes: VARVE_KILLS random kills, VARVE_KILL_ROUNDS rounds over the named points; VARVE_SEED repeats a run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "tests/crash/kill_loop.h"
#include "tests/crash/workload.h"
#include "tests/support/process.h"

namespace varve::test {
namespace {

constexpr size_t kPointsMin = 25;

TEST(KillPoints, AreNamedOnceAndAreMany) {
  const std::vector<std::string> points = kill_points_in_code();
  EXPECT_GE(points.size(), kPointsMin);
  EXPECT_EQ(std::adjacent_find(points.begin(), points.end()), points.end()) << "a name stands twice";
}

TEST(KillPoints, AVariableThatNamesNoneEndsTheProcessAtItsStart) {
  for (const char* const wrong : {"flush", "flush:", ":1", "flush:0", "flush:1x", ""}) {
    Process driver({VARVE_CRASH_DRIVER, "check", "unused", "1"}, {.environment = {{"VARVE_KILL", wrong}}});
    EXPECT_EQ(driver.wait(seconds(30)), 2) << wrong;
    EXPECT_EQ(driver.err(), fmt::format("varve: VARVE_KILL={}: want NAME:N, N from 1\n", wrong));
  }
}

// Ways to leave a store that the next start has work with; a point of opening is passed after one of them.
const std::vector<std::vector<Kill>> kApproaches = {
    {{"log.before_header"}},    // a log file without a header
    {{"flush.before_commit"}},  // segments nobody lists
    {{"flush.before_publish", 2}, {"flush.before_commit"}},
};

// Brings a life to the point and has it die there. False: no approach passed it, tried again on a machine too busy to
// come there in time.
bool die_at(StoreLife& life, const std::string& point, int64_t pass, std::string& wrong) {
  const int tries = pass == 1 ? 3 : 1;  // a later pass need not be there
  for (int tried = 0; tried < tries; ++tried) {
    for (const auto& approach : kApproaches) {
      for (const Kill& kill : approach) {
        wrong = life.cycle(kill).wrong;
        if (!wrong.empty()) return false;
      }
      const std::string how = &approach == &kApproaches.back() ? "tight" : "";
      const CycleResult result = life.cycle({.point = point, .pass = pass, .how = how});
      wrong = result.wrong;
      if (result.killed || !wrong.empty()) return result.killed;
    }
  }
  return false;
}

TEST(KillPoints, EachIsReachedByTheWorkloadAndLosesNothing) {
  const uint64_t seed = test_seed();
  const int64_t rounds = test_size("VARVE_KILL_ROUNDS", 2);
  const std::vector<std::string> points = kill_points_in_code();
  constexpr size_t kPointsPerLife = 8;
  std::mt19937_64 random(seed);
  for (int64_t round = 0; round < rounds; ++round) {
    std::unique_ptr<StoreLife> life;
    for (size_t i = 0; i < points.size(); ++i) {
      if (i % kPointsPerLife == 0) life = std::make_unique<StoreLife>(random());
      // From the second round on some passes are survived first.
      const int64_t pass = round == 0 ? 1 : 1 + static_cast<int64_t>(random() % 4);
      std::string wrong;
      const bool died = die_at(*life, points[i], pass, wrong);
      ASSERT_EQ(wrong, "") << points[i] << ":" << pass << ", life " << life->seed() << ", seed " << seed;
      EXPECT_TRUE(died || pass > 1) << points[i] << " is never reached";
      if (i % kPointsPerLife == kPointsPerLife - 1 || i + 1 == points.size()) {
        ASSERT_EQ(life->finish(), "") << "life " << life->seed() << ", seed " << seed;
      }
    }
  }
}

TEST(Kill9, AtRandomMomentsLosesNothing) {
  const uint64_t seed = test_seed();
  const KillCounts counts = kill_at_random(seed, test_size("VARVE_KILLS", 200), [](const KillCounts& so_far) {
    fmt::print("{} kills ({} at points), {} judged, slowest open {} ms\n", so_far.kills, so_far.at_points,
               so_far.judged, so_far.opened_ms_max);
    std::fflush(stdout);
  });
  EXPECT_EQ(counts.wrong, "");
  EXPECT_EQ(counts.judged, counts.kills);
}

}  // namespace
}  // namespace varve::test
