// The store on a disk that fills up and gets room again, without a restart.
#include <gmock/gmock.h>

#include "tests/storage/limited_store.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;

using EngineSpaceTest = LimitedStore;

TEST_F(EngineSpaceTest, IsReadOnlyBelowTheReserveAndRecoversByItselfThreeTimes) {
  auto engine = open();
  for (int64_t round = 0; round < 3; ++round) {
    ASSERT_TRUE(write(*engine, round));
    files_.set_disk(100 * kMiB, 100'000 * kMiB);
    wait_for(*engine, true);
    const auto refused = write(*engine, 1000 + round);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(refused.error().message, HasSubstr("100.0 MiB free"));
    EXPECT_THAT(refused.error().message, HasSubstr("storage.disk_reserve"));
    EXPECT_FALSE(engine->status().failed);
    EXPECT_EQ(times(*engine), acknowledged_) << "queries go on";
    const std::string metrics = metrics_->render();
    EXPECT_THAT(metrics, HasSubstr("varve_read_only 1\n"));
    EXPECT_THAT(metrics, HasSubstr("varve_disk_free_bytes 104857600\n"));
    files_.set_disk(10'000 * kMiB, 100'000 * kMiB);
    wait_for(*engine, false);
    EXPECT_THAT(metrics_->render(), HasSubstr("varve_read_only 0\n"));
  }
  ASSERT_TRUE(write(*engine, 7));
  engine.reset();
  engine = open();
  EXPECT_EQ(times(*engine), acknowledged_);
}

TEST_F(EngineSpaceTest, IsReadOnlyFromTheStartOnAFullDisk) {
  files_.set_disk(0, 100'000 * kMiB);
  auto engine = open();
  EXPECT_FALSE(write(*engine, 1));
}

TEST_F(EngineSpaceTest, ALogWithoutRoomRefusesTheWriteAndTakesTheNextOnceThereIsSome) {
  auto engine = open();
  for (const size_t written : {size_t{0}, size_t{20}, size_t{1'000'000}}) {
    ASSERT_TRUE(write(*engine, static_cast<int64_t>(written)));
    files_.fail(FileCall::kAppend, 1, kNoSpace, 1, written);
    const auto refused = write(*engine, 5);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(engine->status().read_only_reason, HasSubstr("no space left"));
    wait_for(*engine, false);
    write_soon(*engine, static_cast<int64_t>(written) + 1);
  }
  engine.reset();
  files_.power_cut();
  engine = open();
  EXPECT_EQ(times(*engine), acknowledged_);
}

TEST_F(EngineSpaceTest, AWriteAdmittedBeforeAFailureIsNotTakenBehindIt) {
  auto engine = open();
  AdmittedWrite before = admit(*engine, 1);
  files_.fail(FileCall::kAppend, 1, kNoSpace);
  ASSERT_FALSE(write(*engine, 2));
  wait_for(*engine, false);
  const auto late = engine->append_and_wait(std::move(before));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
  write_soon(*engine, 3);
}

TEST_F(EngineSpaceTest, AFlushWithoutRoomKeepsTheRowsAndLeavesNoFiles) {
  auto engine = open();
  ASSERT_TRUE(write(*engine, 1));
  ASSERT_TRUE(write(*engine, 3 * kNsPerDay));  // two partitions, two files
  const std::string segments = (directory_.path() / "segments").string();
  for (int nth = 1; nth <= 2; ++nth) {
    for (const FileCall call : {FileCall::kCreate, FileCall::kAppend}) {
      files_.fail(call, nth, kNoSpace, 1, 100);
      const auto failed = engine->flush();
      ASSERT_FALSE(failed);
      EXPECT_EQ(failed.error().code, ErrorCode::kExhausted);
      EXPECT_TRUE(files_.list(segments)->empty());
      EXPECT_FALSE(engine->status().failed);
      EXPECT_EQ(times(*engine), acknowledged_);
    }
  }
  ASSERT_TRUE(engine->flush());
  EXPECT_EQ(files_.list(segments)->size(), 2U);
  engine.reset();
  engine = open();
  EXPECT_EQ(times(*engine), acknowledged_);
}

TEST_F(EngineSpaceTest, FlushesThatFindNoRoomPushBackOnWritesInsteadOfGrowing) {
  options_.memtable_bytes_max = 4 << 10;
  auto engine = open();
  files_.fail(FileCall::kCreate, 1, kNoSpace, 1'000'000);
  bool pushed_back = false;
  for (int64_t time = 0; time < 100'000 && !pushed_back; ++time) pushed_back = !write(*engine, time);
  EXPECT_TRUE(pushed_back);
  EXPECT_LT(engine->status().memtable_bytes, 4 * options_.memtable_bytes_max);
  files_.clear_faults();
  write_soon(*engine, 100'000);
  EXPECT_EQ(times(*engine), acknowledged_);
}

TEST_F(EngineSpaceTest, AFailedSyncIsForGood) {
  auto engine = open();
  ASSERT_TRUE(write(*engine, 1));
  files_.fail(FileCall::kSync, 1);
  const auto failed = write(*engine, 2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  EXPECT_TRUE(engine->status().failed);
  EXPECT_NE(engine->status().read_only_reason, "");
  EXPECT_FALSE(write(*engine, 3));
  clock_.pass(3600 * kNsPerSecond);
  EXPECT_FALSE(write(*engine, 3));
  EXPECT_TRUE(engine->status().failed);
  EXPECT_EQ(times(*engine), acknowledged_) << "queries go on";
}

}  // namespace
}  // namespace varve
