// The store on a disk that fills up and gets room again, without a restart.
#include <gmock/gmock.h>

#include <set>
#include <thread>

#include "storage/disk_guard.h"
#include "storage/engine.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/moved_clock.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;
const Error kNoSpace{ErrorCode::kExhausted, "no space left"};

// The catalog is a real file, all others are in `files_`.
class EngineSpaceTest : public ::testing::Test {
 protected:
  std::unique_ptr<Engine> open() {
    EngineOptions options = options_;
    options.data_directory = directory_.path().string();
    options.file_system = &files_;
    options.clock = &clock_;
    metrics_ = std::make_unique<MetricsRegistry>();
    options.metrics = metrics_.get();
    auto engine = Engine::open(options);
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? std::move(*engine) : nullptr;
  }

  static AdmittedWrite admit(Engine& engine, int64_t time) {
    RowBatchBuilder builder("varve", "water");
    builder.begin_row();
    builder.tag("site", "a");
    builder.field_int("v", time);
    builder.end_row(time);
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    return engine.admit(std::move(batches));
  }
  // Notes the row when it is acknowledged.
  Result<Lsn> write(Engine& engine, int64_t time) {
    auto done = engine.append_and_wait(admit(engine, time));
    if (done) acknowledged_.insert(time);
    return done;
  }
  // Once everybody has heard of earlier failures.
  void write_soon(Engine& engine, int64_t time) {
    while (!write(engine, time)) clock_.pass(DiskGuard::kCheckNs);
  }
  // The disk is looked at once a second: time passes until the store says so too.
  void wait_for(Engine& engine, bool read_only) {
    while (engine.status().read_only_reason.empty() == read_only) {
      clock_.pass(DiskGuard::kCheckNs);
      std::this_thread::yield();
    }
  }
  static std::set<int64_t> times(const Engine& engine) {
    ScanRequest request;
    request.database = "varve";
    request.table = "water";
    request.fields = {"v"};
    auto scan = engine.scan(request);
    EXPECT_TRUE(scan);
    std::set<int64_t> found;
    ScanBlock block;
    while (scan && *(*scan)->next(block)) {
      for (size_t row = 0; row < block.rows; ++row) found.insert(block.times[row]);
    }
    return found;
  }

  test::TempDir directory_;
  FaultFileSystem files_;
  MovedClock clock_;
  std::unique_ptr<MetricsRegistry> metrics_;
  EngineOptions options_;
  std::set<int64_t> acknowledged_;
};

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
