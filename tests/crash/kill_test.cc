// kill -9 against the store: no acknowledged row is lost, none is there twice, none is invented.
// Sizes: VARVE_KILLS random kills, VARVE_KILL_ROUNDS rounds over the named points; VARVE_SEED repeats a run.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>

#include "tests/crash/kill_loop.h"
#include "tests/crash/workload.h"

namespace varve::test {
namespace {

constexpr size_t kPointsMin = 25;

TEST(KillPoints, AreNamedOnceAndAreMany) {
  const std::vector<std::string> points = kill_points_in_code();
  EXPECT_GE(points.size(), kPointsMin);
  EXPECT_EQ(std::adjacent_find(points.begin(), points.end()), points.end()) << "a name stands twice";
}

// A point is reached from a store with all that a crash can leave: a flush cut short, a log file just named.
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
      const std::vector<Kill> before = {{"flush.before_commit", 1 + static_cast<int64_t>(random() % 3)},
                                        {"log.before_header", 1}};
      for (const Kill& kill : before) ASSERT_EQ(life->cycle(kill).wrong, "") << "seed " << seed;
      // The second round passes some points once before it dies; where that is too late, it ends by itself.
      const Kill kill{points[i], round == 0 ? 1 : 1 + static_cast<int64_t>(random() % 4)};
      const CycleResult result = life->cycle(kill);
      ASSERT_EQ(result.wrong, "") << kill.point << ":" << kill.pass << ", seed " << seed;
      EXPECT_TRUE(result.killed || kill.pass > 1) << kill.point << " is never reached";
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
