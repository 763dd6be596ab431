#include <gtest/gtest.h>

#include <cstdio>

#include "storage/base/log.h"
#include "tests/storage/fault/power_cuts.h"

namespace varve::test {
namespace {

constexpr uint64_t kShards = 8;

class PowerCut : public testing::TestWithParam<uint64_t> {};

TEST_P(PowerCut, LosesNoAcknowledgedRowAndInventsNone) {
  const auto replay = seed_to_replay();
  const uint64_t count = replay ? 1 : power_cuts() / kShards;
  const uint64_t first = replay.value_or(GetParam() * count);
  std::printf("seeds %llu to %llu; VARVE_SEED=n replays one\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + count - 1));
  if (!replay) set_log_level(LogLevel::kOff);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const auto wrong = run_power_cuts(seed);
    ASSERT_FALSE(wrong) << "seed " << seed << ": " << *wrong;
  }
  set_log_level(LogLevel::kInfo);
}

INSTANTIATE_TEST_SUITE_P(Shards, PowerCut, testing::Range<uint64_t>(0, kShards));

}  // namespace
}  // namespace varve::test
