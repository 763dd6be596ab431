#include "storage/disk_guard.h"

#include <gmock/gmock.h>

#include "tests/support/fault_file_system.h"
#include "tests/support/moved_clock.h"

namespace varve {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

class DiskGuardTest : public ::testing::Test {
 protected:
  void disk(uint64_t free_bytes) { files_.set_disk(free_bytes, 100'000 * kMiB); }

  FaultFileSystem files_;
  MovedClock clock_;
  DiskGuard guard_{files_, clock_, "/data", 512 * kMiB};
};

TEST_F(DiskGuardTest, ClosesBelowTheReserveNamingTheNumbersAndTheKey) {
  disk(512 * kMiB);
  guard_.check();
  EXPECT_EQ(guard_.reason(), "");
  disk(512 * kMiB - 1);
  guard_.check();
  EXPECT_THAT(guard_.reason(),
              AllOf(HasSubstr("/data"), HasSubstr("512.0 MiB"), HasSubstr("storage.disk_reserve")));
  EXPECT_EQ(guard_.free_bytes(), 512 * kMiB - 1);
}

TEST_F(DiskGuardTest, OpensAgainOnlyWithAQuarterMore) {
  disk(0);
  guard_.check();
  disk(640 * kMiB - 1);
  guard_.check();
  EXPECT_NE(guard_.reason(), "");
  disk(640 * kMiB);
  guard_.check();
  EXPECT_EQ(guard_.reason(), "");
  disk(513 * kMiB);
  guard_.check();
  EXPECT_EQ(guard_.reason(), "") << "open stays open";
}

TEST_F(DiskGuardTest, ASmallDiskKeepsAShareOfItself) {
  files_.set_disk(4 * kMiB, 64 * kMiB);
  guard_.check();
  EXPECT_EQ(guard_.reason(), "");
  EXPECT_EQ(guard_.reserve(), 64 * kMiB / 20);
  files_.set_disk(3 * kMiB, 64 * kMiB);
  guard_.check();
  EXPECT_NE(guard_.reason(), "");
}

TEST_F(DiskGuardTest, AWriteWithoutRoomClosesItUntilTheNextLook) {
  disk(10'000 * kMiB);
  guard_.check_when_due();
  guard_.note_full("write /data/wal/1: no space");
  EXPECT_THAT(guard_.reason(), HasSubstr("write /data/wal/1: no space"));
  guard_.check_when_due();
  EXPECT_NE(guard_.reason(), "") << "not due";
  clock_.pass(DiskGuard::kCheckNs);
  guard_.check_when_due();
  EXPECT_EQ(guard_.reason(), "");
}

TEST_F(DiskGuardTest, ADiskThatCannotBeAskedChangesNothing) {
  disk(0);
  guard_.check();
  disk(10'000 * kMiB);
  files_.fail(FileCall::kDiskSpace, 1, {ErrorCode::kIo, "gone"});
  guard_.check();
  EXPECT_NE(guard_.reason(), "");
  files_.fail(FileCall::kDiskSpace, 2, {ErrorCode::kIo, "gone"});
  guard_.check();
  EXPECT_NE(guard_.reason(), "");
  guard_.check();
  EXPECT_EQ(guard_.reason(), "");
}

TEST_F(DiskGuardTest, WithoutAReserveOnlyAFullDiskClosesIt) {
  DiskGuard none(files_, clock_, "/data", 0);
  disk(0);
  none.check();
  EXPECT_EQ(none.reason(), "");
  none.note_full("full");
  EXPECT_NE(none.reason(), "");
  none.check();
  EXPECT_EQ(none.reason(), "");
}

}  // namespace
}  // namespace varve
