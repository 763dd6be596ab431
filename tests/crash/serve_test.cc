// The server itself, from outside: killed, with a sync that fails, on a disk that is full.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <fstream>
#include <random>
#include <sstream>

#include "tests/crash/serve_load.h"
#include "tests/crash/workload.h"

namespace varve::test {
namespace {

using testing::HasSubstr;
using Outcome = ServeLoad::Outcome;

constexpr int kWriters = 4;
constexpr auto kLimit = seconds(60);
const std::string kSmallFlushes = "flush_rows = 2000\nflush_age = \"200ms\"\n";

std::vector<std::string> lines_in(const std::filesystem::path& path) {
  std::vector<std::string> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(Serve, KilledUnderLoadKeepsEveryRowItAnswered204For) {
  std::mt19937_64 random(test_seed());
  TempDir folder;
  ServeNode node(folder / "data", kSmallFlushes);
  ServeLoad load(node.url(), kWriters);
  const int64_t kills = test_size("VARVE_SERVE_KILLS", 10);
  for (int64_t i = 0; i < kills; ++i) {
    node.start();
    ASSERT_EQ(load.check(node), "") << "after kill " << i;
    load.start();
    std::this_thread::sleep_for(milliseconds(50 + random() % 400));
    node.process().kill();
    load.stop();
  }
  node.start();
  EXPECT_EQ(load.check(node), "");
  EXPECT_GT(load.count(Outcome::kAcknowledged), 0);
}

// Runs a node whose N-th sync of a file with `part` in its path fails; it must end, and lose nothing it acknowledged.
void expect_sync_failure_ends_it(const std::string& part, uint64_t number) {
  TempDir folder;
  ServeNode node(folder / "data", kSmallFlushes);
  Process::Options options;
  options.environment = {{"LD_PRELOAD", VARVE_IO_SHIM},
                         {"VARVE_SHIM_FAIL_SYNC", fmt::format("{}:{}", part, number)},
                         {"VARVE_SHIM_SYNC_LOG", folder / "syncs"}};
  ServeLoad load(node.url(), kWriters);
  node.start(options);
  load.start();
  const auto code = node.process().wait(kLimit);
  load.stop();
  ASSERT_TRUE(code.has_value()) << "goes on after a failed sync\n" << node.process().log_tail();
  EXPECT_GT(*code, 0);
  EXPECT_LT(*code, 128) << "died of a signal\n" << node.process().log_tail();
  EXPECT_THAT(node.process().err(),
              ::testing::AnyOf(HasSubstr("Input/output error"), HasSubstr("disk I/O error")));
  const auto syncs = lines_in(folder / "syncs");
  ASSERT_FALSE(syncs.empty());
  EXPECT_TRUE(syncs.front().starts_with("failed ")) << syncs.front();
  if (part == "/wal/") {
    // Whatever is acknowledged has been synced, so no sync of the log means no acknowledgement.
    EXPECT_EQ(syncs.size(), 1U) << "syncs the log again: " << syncs[1];
  }
  EXPECT_GT(load.count(Outcome::kAcknowledged), 0);
  node.start();
  EXPECT_EQ(load.check(node), "") << "sync " << number << " of " << part;
}

TEST(Serve, EndsWhenALogSyncFailsAndLosesNothingAcknowledged) {
  std::mt19937_64 random(test_seed());
  expect_sync_failure_ends_it("/wal/", 5 + random() % 100);
}

TEST(Serve, EndsWhenACatalogSyncFailsAndLosesNothingAcknowledged) {
  std::mt19937_64 random(test_seed());
  expect_sync_failure_ends_it("/catalog.db", 20 + random() % 20);
}

// A disk that can be filled: a tmpfs where mounting is allowed, else one that the shim says is full.
class SmallDisk {
 public:
  static constexpr uint64_t kBytes = 64 << 20;

  SmallDisk() {
    std::filesystem::create_directory(data());
    const std::string options = fmt::format("size={}", kBytes);
    mounted_ = ::mount("tmpfs", data().c_str(), "tmpfs", 0, options.c_str()) == 0;
    fmt::print("the disk is {}\n",
               mounted_ ? "a tmpfs of 64 MiB" : "the shim's: mounting is not allowed here");
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(data().c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  std::filesystem::path data() const { return folder_ / "disk"; }
  Process::Options environment() const {
    Process::Options options;
    if (!mounted_) options.environment = {{"LD_PRELOAD", VARVE_IO_SHIM}, {"VARVE_SHIM_FULL_WHILE", flag()}};
    return options;
  }

  // The last bytes too, unless the node takes some away meanwhile.
  void fill() const {
    std::ofstream out(flag(), std::ios::binary | std::ios::app);
    const std::string block(64 << 10, 'x');
    while (mounted_ && out.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
    }
  }
  void free() const { std::filesystem::remove(flag()); }

 private:
  std::filesystem::path flag() const { return mounted_ ? data() / "dummy" : folder_ / "full"; }

  TempDir folder_;
  bool mounted_ = false;
};

TEST(Serve, OnAFullDiskRefusesWritesAnswersQueriesAndGoesOnWhenThereIsRoom) {
  constexpr int kTimes = 3;
  SmallDisk disk;
  ServeNode node(disk.data() / "data", kSmallFlushes);
  node.start(disk.environment());
  ServeLoad load(node.url(), 2);
  for (int i = 0; i < kTimes; ++i) {
    const int64_t acknowledged = load.count(Outcome::kAcknowledged);
    const int64_t refused = load.count(Outcome::kRefused);
    load.start();
    ASSERT_TRUE(wait_until([&] { return load.count(Outcome::kAcknowledged) > acknowledged + 20; }, kLimit))
        << "no write is taken, time " << i << ": " << load.last_refusal();
    disk.fill();
    ASSERT_TRUE(wait_until([&] { return load.count(Outcome::kRefused) > refused + 50; }, kLimit))
        << "time " << i;
    EXPECT_THAT(load.last_refusal(), testing::AnyOf(HasSubstr("disk"), HasSubstr("space")))
        << load.last_refusal();
    load.stop();
    EXPECT_EQ(load.check(node), "") << "while full, time " << i;
    disk.free();
    ASSERT_TRUE(node.process().running()) << node.process().log_tail();
  }
  load.start();
  const int64_t acknowledged = load.count(Outcome::kAcknowledged);
  EXPECT_TRUE(wait_until([&] { return load.count(Outcome::kAcknowledged) > acknowledged + 20; }, kLimit))
      << load.last_refusal();
  load.stop();
  EXPECT_EQ(load.check(node), "");
  EXPECT_EQ(node.process().kill(), 128 + SIGKILL);
  node.start(disk.environment());
  EXPECT_EQ(load.check(node), "") << "after a restart";
}

}  // namespace
}  // namespace varve::test
