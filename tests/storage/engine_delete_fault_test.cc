// Deletes when calls fail, power goes, and files are damaged. The files of the store live in memory here; its catalog,
// which is SQLite's business, in a real folder.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "storage/engine.h"
#include "storage/tombstone/format.h"
#include "tests/support/fault_file_system.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using Times = std::map<std::string, std::vector<int64_t>>;  // by site

class DeleteFaultTest : public testing::Test {
 protected:
  void new_world() {
    engine_.reset();
    folder_ = std::make_unique<test::TempDir>();
    files_ = std::make_unique<FaultFileSystem>();
  }

  Result<void> open() {
    EngineOptions options;
    options.data_directory = folder_->path().string();
    options.partition_ns = 100;
    options.file_system = files_.get();
    metrics_ = std::make_unique<MetricsRegistry>();
    options.metrics = metrics_.get();
    auto engine = Engine::open(options);
    if (!engine) return engine.error();
    engine_ = std::move(*engine);
    return {};
  }

  Result<Lsn> write(const Times& rows) {
    RowBatchBuilder builder("varve", "water");
    for (const auto& [site, times] : rows) {
      for (const int64_t time : times) {
        builder.begin_row();
        builder.tag("site", site);
        builder.field_double("v", 1.5);
        builder.end_row(time);
      }
    }
    std::vector<RowBatch> batches;
    batches.push_back(builder.finish());
    return engine_->append_and_wait(engine_->admit(std::move(batches)));
  }

  Result<DeleteOutcome> erase(TimeRange time, const std::string& site = {}) {
    DeleteRequest request{"varve", "water", time, nullptr};
    if (!site.empty()) {
      request.series_filter = [site](const SeriesTags& tags) -> Result<bool> {
        return tags.value("site") == site;
      };
    }
    return engine_->erase(std::move(request));
  }

  Times read() const {
    auto scan = engine_->scan({"varve", "water", {"v"}, {}, nullptr});
    EXPECT_TRUE(scan);
    Times rows;
    ScanBlock block;
    while (scan) {
      const auto more = (*scan)->next(block);
      EXPECT_TRUE(more) << more.error().message;
      if (!more || !*more) break;
      auto& times = rows[std::string((*scan)->tags(block.series).value("site"))];
      times.insert(times.end(), block.times.begin(), block.times.end());
    }
    return rows;
  }

  std::string tombstones() const { return (folder_->path() / "tombstones").string(); }
  std::vector<std::string> tombstone_files() const { return *files_->list(tombstones()); }

  std::unique_ptr<test::TempDir> folder_;
  std::unique_ptr<FaultFileSystem> files_;
  std::unique_ptr<MetricsRegistry> metrics_;
  std::unique_ptr<Engine> engine_;
};

// Rows in segments and in the memtable, then deletes that leave parts of some segments and nothing of another.
const Times kSegmentRows{{"a", {10, 20, 110, 120, 210}}, {"b", {15, 115, 215}}};
const Times kMemtableRows{{"a", {30, 130}}, {"b", {35}}};
const Times kLeft{{"a", {10, 130, 210}}, {"b", {15, 35, 215}}};

class DeleteFaultOfCall : public DeleteFaultTest, public testing::WithParamInterface<FileCall> {};

// From the nth call on all of its kind fail while a flush files the delete; then the power goes.
TEST_P(DeleteFaultOfCall, AnAcknowledgedDeleteSurvivesIt) {
  const FileCall call = GetParam();
  int nth = 0;
  for (bool reached = true; reached;) {
    SCOPED_TRACE("call " + std::to_string(++nth));
    new_world();
    ASSERT_TRUE(open());
    ASSERT_TRUE(write(kSegmentRows));
    ASSERT_TRUE(engine_->flush());
    ASSERT_TRUE(write(kMemtableRows));
    ASSERT_TRUE(erase({20, 30}));
    ASSERT_TRUE(erase({100, 129}));  // nothing is left of the segment of 100 to 199
    const int before = files_->calls(call);
    files_->fail(call, nth, {ErrorCode::kIo, "injected failure"}, 1 << 20);
    (void)engine_->flush();
    reached = files_->calls(call) >= before + nth;
    EXPECT_EQ(read(), kLeft);
    engine_.reset();
    files_->power_cut(static_cast<uint64_t>(nth));
    files_->clear_faults();
    const auto opened = open();
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(read(), kLeft);
    ASSERT_TRUE(engine_->flush());
    EXPECT_EQ(read(), kLeft);
    EXPECT_EQ(tombstone_files().size(), engine_->status().tombstones) << "a file nobody lists stays";
  }
  EXPECT_GT(nth, 1) << "the call was never made";
}

INSTANTIATE_TEST_SUITE_P(Calls, DeleteFaultOfCall,
                         testing::Values(FileCall::kCreate, FileCall::kAppend, FileCall::kSync,
                                         FileCall::kRename, FileCall::kRemove, FileCall::kSyncDirectory,
                                         FileCall::kOpenRead));

TEST_F(DeleteFaultTest, ADeleteThatCannotBeLoggedIsNotSeen) {
  new_world();
  ASSERT_TRUE(open());
  ASSERT_TRUE(write(kSegmentRows));
  files_->fail(FileCall::kSync, 1);
  const auto failed = erase({});
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kIo);
  EXPECT_EQ(read(), kSegmentRows);
  const auto stopped = erase({});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kUnavailable);
}

TEST_F(DeleteFaultTest, ADamagedOrMissingTombstoneStopsTheStartAndIsNamed) {
  new_world();
  ASSERT_TRUE(open());
  ASSERT_TRUE(write(kSegmentRows));
  ASSERT_TRUE(engine_->flush());
  ASSERT_TRUE(erase({20, 20}, "a"));
  engine_.reset();  // flushes
  ASSERT_EQ(tombstone_files().size(), 1U);
  const std::string path = join_path(tombstones(), tombstone_files()[0]);
  const std::string good = files_->bytes(path);
  const auto expect_refused = [&](const std::string& why) {
    const auto opened = open();
    ASSERT_FALSE(opened) << why;
    EXPECT_EQ(opened.error().code, ErrorCode::kCorruption);
    EXPECT_NE(opened.error().message.find(path), std::string::npos) << opened.error().message;
    EXPECT_NE(opened.error().message.find(why), std::string::npos) << opened.error().message;
  };
  std::string damaged = good;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  files_->set_bytes(path, damaged);
  expect_refused("do not match their checksum");
  auto other = *decode_tombstone(good);
  other.rows.table = "air";
  files_->set_bytes(path, encode_tombstone(other));
  expect_refused("another delete than the catalog says");
  ASSERT_TRUE(files_->remove(path));
  expect_refused("a delete of table `water` cannot be read");
  files_->set_bytes(path, good);
  ASSERT_TRUE(open());
  EXPECT_EQ(read().at("a"), (std::vector<int64_t>{10, 110, 120, 210}));
}

TEST_F(DeleteFaultTest, WhatAnUnfinishedDeleteLeftOverIsRemovedAtTheNextStart) {
  new_world();
  ASSERT_TRUE(open());
  ASSERT_TRUE(write(kSegmentRows));
  engine_.reset();
  files_->set_bytes(join_path(tombstones(), tombstone_file_name(999)),
                    encode_tombstone({999, 1000, {"varve", "water", {}, true, {}}}));
  files_->set_bytes(join_path(tombstones(), "00000000000003e8.del.tmp"), "half");
  ASSERT_TRUE(open());
  EXPECT_EQ(tombstone_files(), std::vector<std::string>());
  EXPECT_EQ(read(), kSegmentRows);
}

TEST_F(DeleteFaultTest, AFullDiskKeepsADeleteThatWasAcknowledged) {
  new_world();
  ASSERT_TRUE(open());
  ASSERT_TRUE(write(kSegmentRows));
  ASSERT_TRUE(engine_->flush());
  ASSERT_TRUE(erase({20, 120}));
  files_->fail(FileCall::kAppend, 1, {ErrorCode::kExhausted, "no space left on device"}, 1 << 20);
  EXPECT_FALSE(engine_->flush());
  const Times left{{"a", {10, 210}}, {"b", {15, 215}}};
  EXPECT_EQ(read(), left);
  files_->clear_faults();
  ASSERT_TRUE(engine_->flush());
  EXPECT_EQ(read(), left);
  EXPECT_EQ(tombstone_files().size(), 1U);
}

}  // namespace
}  // namespace varve
