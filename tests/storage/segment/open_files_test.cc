#include "storage/segment/open_files.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/temp_dir.h"

namespace varve {
namespace {

class OpenFilesTest : public ::testing::Test {
 protected:
  std::string path(int number) const { return (folder_ / std::to_string(number)).string(); }
  std::vector<std::shared_ptr<const ByteSource>> sources(OpenFiles& files, int count) {
    std::vector<std::shared_ptr<const ByteSource>> all;
    for (int i = 0; i < count; ++i) {
      EXPECT_TRUE(disk_.write_atomically(path(i), "file " + std::to_string(i)));
      auto source = files.source(path(i));
      EXPECT_TRUE(source) << source.error().message;
      all.push_back(std::move(*source));
    }
    return all;
  }
  static Result<std::string> read(const ByteSource& source) {
    std::string bytes(source.size(), '?');
    VARVE_TRY(source.read(0, {reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()}));
    return bytes;
  }

  test::TempDir folder_;
  FileSystem& disk_ = real_file_system();
};

TEST_F(OpenFilesTest, ReadsAnyNumberOfFilesWithFewOpen) {
  const auto files = std::make_shared<OpenFiles>(disk_, 3);
  const auto all = sources(*files, 10);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(read(*all[i]).value_or("failed"), "file " + std::to_string(i));
      EXPECT_EQ(files->open(), 3U);
    }
  }
}

TEST_F(OpenFilesTest, ClosesTheFileReadLongestAgo) {
  const auto files = std::make_shared<OpenFiles>(disk_, 2);
  const auto all = sources(*files, 3);  // 1 and 2 are open
  EXPECT_TRUE(read(*all[1]));
  EXPECT_TRUE(read(*all[0]));  // closes 2
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(disk_.remove(path(i)));
  EXPECT_TRUE(read(*all[0]));
  EXPECT_TRUE(read(*all[1]));
  const auto gone = read(*all[2]);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::kNotFound);
}

TEST_F(OpenFilesTest, AHeldFileIsReadAfterItsNameIsGone) {
  const auto files = std::make_shared<OpenFiles>(disk_, 1);
  const auto all = sources(*files, 2);
  ASSERT_TRUE(all[0]->hold());
  ASSERT_TRUE(disk_.remove(path(0)));
  EXPECT_TRUE(read(*all[1]));
  EXPECT_EQ(read(*all[0]).value_or("failed"), "file 0");
}

TEST_F(OpenFilesTest, ASourceThatGoesClosesItsFile) {
  const auto files = std::make_shared<OpenFiles>(disk_, 8);
  auto all = sources(*files, 3);
  EXPECT_EQ(files->open(), 3U);
  all.erase(all.begin());
  EXPECT_EQ(files->open(), 2U);
}

TEST_F(OpenFilesTest, AFileThatEndsEarlyIsCorruptAndAMissingOneNotFound) {
  const auto files = std::make_shared<OpenFiles>(disk_, 1);
  const auto all = sources(*files, 1);
  ASSERT_TRUE(disk_.truncate(path(0), 2));
  const auto short_read = read(*all[0]);
  ASSERT_FALSE(short_read);
  EXPECT_EQ(short_read.error().code, ErrorCode::kCorruption);
  const auto missing = files->source(path(7));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
}

TEST_F(OpenFilesTest, ServesManyThreads) {
  const auto files = std::make_shared<OpenFiles>(disk_, 3);
  const auto all = sources(*files, 8);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 400; ++i) {
        const int file = (i * (t + 1)) % 8;
        EXPECT_EQ(read(*all[file]).value_or("failed"), "file " + std::to_string(file));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(files->open(), 3U);
}

}  // namespace
}  // namespace varve
