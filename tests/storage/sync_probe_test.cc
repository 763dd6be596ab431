#include "storage/sync_probe.h"

#include <gtest/gtest.h>

#include "tests/support/fault_file_system.h"
#include "tests/support/moved_clock.h"

namespace varve {
namespace {

// Every look at it takes 30 us more than the last.
class SlowingClock : public Clock {
 public:
  int64_t wall_ns() const override { return 0; }
  int64_t monotonic_ns() const override { return now_ += step_ += 30 * kNsPerUs; }

 private:
  mutable int64_t now_ = 0;
  mutable int64_t step_ = 0;
};

class SyncProbe : public ::testing::Test {
 protected:
  SyncProbe() { EXPECT_TRUE(files_.create_directories("/data")); }
  FaultFileSystem files_;
};

TEST_F(SyncProbe, TimesSyncsAndLeavesNothing) {
  files_.set_bytes("/data/sync-probe.tmp", "left by a crash");
  const auto times = measure_sync(files_, SlowingClock(), "/data");
  ASSERT_TRUE(times) << times.error().message;
  EXPECT_GT(times->count, 4);
  EXPECT_GT(times->p50_ns, 0);
  EXPECT_GT(times->p99_ns, times->p50_ns);
  EXPECT_EQ(files_.calls(FileCall::kSync), times->count + 1);
  EXPECT_TRUE(files_.list("/data")->empty());
}

TEST_F(SyncProbe, StopsInTimeOnASlowDisk) {
  const auto times = measure_sync(files_, SlowingClock(), "/data");
  ASSERT_TRUE(times);
  EXPECT_LT(times->count, kSyncProbes) << "3 looks of 0.03 ms, 0.06 ms ... each: 100 ms are over before";
}

TEST_F(SyncProbe, SuspectsADiskThatIsFasterThanDisksAre) {
  EXPECT_TRUE((SyncTimes{48, 49 * kNsPerUs, kNsPerMs}.suspect()));
  EXPECT_FALSE((SyncTimes{48, 50 * kNsPerUs, kNsPerMs}.suspect()));
}

TEST_F(SyncProbe, ReportsEveryFailingCall) {
  for (const FileCall call : {FileCall::kExists, FileCall::kCreate, FileCall::kPreallocate, FileCall::kAppend,
                              FileCall::kSync, FileCall::kRemove}) {
    files_.clear_faults();
    files_.fail(call, 1);
    EXPECT_FALSE(measure_sync(files_, real_clock(), "/data")) << static_cast<int>(call);
  }
  files_.clear_faults();
  EXPECT_TRUE(measure_sync(files_, real_clock(), "/data"));
}

TEST(SyncProbeOnDisk, WorksOnTheRealFileSystem) {
  const auto times = measure_sync(real_file_system(), real_clock(), ::testing::TempDir());
  ASSERT_TRUE(times) << times.error().message;
  EXPECT_GT(times->count, 0);
  EXPECT_LE(times->p50_ns, times->p99_ns);
}

}  // namespace
}  // namespace varve
