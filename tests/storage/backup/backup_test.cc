#include "storage/backup/backup.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "storage/hold.h"
#include "tests/storage/check/store_fixture.h"
#include "tests/support/sanitized.h"

namespace varve::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BackupTest : public ::testing::Test {
 protected:
  Result<BackupReport> backup(const std::string& data, const std::string& to,
                              int64_t hold_timeout_ns = 60 * kNsPerSecond) {
    BackupOptions options;
    options.data_directory = data;
    options.to = to;
    options.hold_timeout_ns = hold_timeout_ns;
    return back_up(options);
  }
  static Values values_of(const std::string& data) {
    OpenStore store(data);
    EXPECT_TRUE(store.ok()) << store.error();
    return store.ok() ? store.values() : Values();
  }

  TempDir work_;
  const std::string data_ = (work_ / "data").string();
  const std::string to_ = (work_ / "backup").string();
};

TEST_F(BackupTest, AStoppedStoreIsCopiedWholeAndLinked) {
  build_store(data_);
  const auto before = bytes_below(data_);
  const auto report = backup(data_, to_ + "/");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->tables, 2u);
  EXPECT_GT(report->rows, 8000u);
  EXPECT_GT(report->linked_bytes, 0u);
  EXPECT_EQ(report->last_lsn, report->replay_from_lsn + 19);
  for (const std::string& file : files_below(to_)) {
    if (file.ends_with(".seg")) {
      EXPECT_TRUE(fs::equivalent(join_path(data_, file), join_path(to_, file))) << file;
    }
  }
  EXPECT_FALSE(fs::exists(to_ + ".partial"));
  EXPECT_THAT(check(to_).problems, IsEmpty());
  EXPECT_THAT(check(to_).notes, IsEmpty());
  for (const auto& [file, bytes] : before) EXPECT_EQ(read_file(join_path(data_, file)), bytes) << file;
  const std::string restored = (work_ / "restored").string();
  fs::copy(to_, restored, fs::copy_options::recursive);
  EXPECT_EQ(values_of(restored), values_of(data_));
}

TEST_F(BackupTest, EveryRowAcknowledgedBeforeItBeganIsInTheCopyOfABusyStore) {
  constexpr int kBackups = kSanitized ? 2 : 6;
  OpenStore store(data_);
  ASSERT_TRUE(store.ok());
  std::atomic<int64_t> acknowledged{0};
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int64_t i = 0; !stop; ++i) {
      RowBatchBuilder builder("varve", "busy");
      for (int row = 0; row < 50; ++row) {
        builder.begin_row();
        builder.tag("site", fmt::format("s{}", row));
        builder.field_int("n", i);
        builder.end_row(i);
      }
      store.write(builder.finish());
      acknowledged = i + 1;
    }
  });
  std::thread flusher([&] {
    while (!stop) EXPECT_TRUE(store.engine().flush());
  });
  for (int round = 0; round < kBackups; ++round) {
    const int64_t wanted = acknowledged + 20;
    while (acknowledged < wanted) std::this_thread::yield();
    const int64_t before = acknowledged;
    const std::string to = to_ + std::to_string(round);
    const auto report = backup(data_, to);
    ASSERT_TRUE(report) << report.error().message;
    const CheckReport checked = check(to);
    EXPECT_THAT(checked.problems, IsEmpty());
    EXPECT_THAT(checked.notes, IsEmpty());
    const Values values = values_of(to);
    for (int64_t i = 0; i < before; ++i) {
      ASSERT_TRUE(values.contains(fmt::format("varve.busy|site=s49|{}|n", i))) << i << " of " << before;
    }
    EXPECT_EQ(values.size() % 50, 0u) << "half a write";
  }
  stop = true;
  writer.join();
  flusher.join();
}

TEST_F(BackupTest, RefusesAFolderThatIsNotEmptyAndSaysWhatIsInTheWay) {
  build_store(data_);
  fs::create_directory(to_);
  ASSERT_TRUE(backup(data_, to_)) << "an empty folder will do";
  const auto again = backup(data_, to_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(again.error().message, HasSubstr("is not empty"));
  fs::create_directory(to_ + "2.partial");
  const auto unfinished = backup(data_, to_ + "2");
  ASSERT_FALSE(unfinished);
  EXPECT_THAT(unfinished.error().message, HasSubstr("left over by an unfinished backup"));
  const auto nothing = backup((work_ / "nothing").string(), to_ + "3");
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, ErrorCode::kNotFound);
}

TEST_F(BackupTest, WaitsForTheHoldAndGivesUpInTime) {
  build_store(data_);
  const auto hold = hold_store(real_file_system(), data_, 0);
  ASSERT_TRUE(hold);
  const auto refused = backup(data_, to_, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(fs::exists(to_));
  EXPECT_FALSE(fs::exists(to_ + ".partial"));
}

TEST_F(BackupTest, ADamagedCatalogIsNotBackedUp) {
  build_store(data_);
  write_file(join_path(data_, "catalog.db"), std::string(8192, 'x'));
  const auto refused = backup(data_, to_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kCorruption);
  EXPECT_FALSE(fs::exists(to_));
}

TEST_F(BackupTest, ATornTailOfTheLogStaysBehind) {
  build_store(data_);
  for (const std::string& file : files_below(data_)) {
    if (file.ends_with(".wal"))
      write_file(join_path(data_, file), read_file(join_path(data_, file)) + "half a record");
  }
  ASSERT_FALSE(check(data_).notes.empty());
  ASSERT_TRUE(backup(data_, to_));
  EXPECT_THAT(check(to_).notes, IsEmpty());
  EXPECT_EQ(values_of(to_), values_of(data_));
}

}  // namespace
}  // namespace varve::test
