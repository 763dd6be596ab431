#include <gtest/gtest.h>

#include <cstdio>

#include "storage/base/log.h"
#include "tests/storage/fault/failing_calls.h"

namespace varve::test {
namespace {

constexpr uint64_t kSeed = 7;
constexpr int kCallsMax = 20'000;  // a workload that never ends would be a fault of this test

// Every call in turn until the workload has no such call left. Returns how many there were.
int fail_every_call(Failure failure) {
  const uint64_t first = seed_to_replay().value_or(kSeed);
  const uint64_t seeds = grown(1);
  std::printf("seeds %llu to %llu; VARVE_SEED=n replays one\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + seeds - 1));
  set_log_level(LogLevel::kOff);
  int calls = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    for (int nth = 1; nth < kCallsMax; nth += kSweepStep) {
      const FailingCall outcome = run_failing_call(seed, failure, nth);
      EXPECT_FALSE(outcome.wrong) << "seed " << seed << ", call " << nth << " (" << outcome.call
                                  << "): " << *outcome.wrong;
      if (!outcome.struck || testing::Test::HasFailure()) break;
      calls += kSweepStep;
    }
  }
  set_log_level(LogLevel::kInfo);
  std::printf("%d calls failed\n", calls);
  return calls;
}

TEST(FailingCall, AnIoErrorAnywhereLosesNothingAcknowledged) {
  EXPECT_GT(fail_every_call(Failure::kIo), 300);
}

TEST(FailingCall, AFullDiskLosesNothingAcknowledgedAndIsForgottenWhenSpaceReturns) {
  EXPECT_GT(fail_every_call(Failure::kDiskFull), 100);
}

TEST(FailingCall, AShortWriteLosesNothingAcknowledged) {
  EXPECT_GT(fail_every_call(Failure::kShortWrite), 50);
}

TEST(FailingCall, AFailedSyncLosesNothingAcknowledged) {
  EXPECT_GT(fail_every_call(Failure::kSync), 40);
}

}  // namespace
}  // namespace varve::test
