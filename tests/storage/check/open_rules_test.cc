// What an opening store does with files its catalog does not list, and when it refuses to start.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "storage/flush.h"
#include "storage/hold.h"
#include "storage/segment/writer.h"
#include "tests/storage/check/store_fixture.h"

namespace varve::test {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class OpenRules : public ::testing::Test {
 protected:
  void SetUp() override {
    build_store(data_);
    const auto state = read_catalog(real_file_system(), join_path(data_, "catalog.db"));
    ASSERT_TRUE(state);
    for (const CatalogTable& table : state->tables) {
      if (table.name != "water") continue;
      flushed_ = table.flushed_lsn;
      for (const CatalogSegment& segment : table.segments) ids_.push_back(segment.id);
    }
    log_first_ = state->replay_from_lsn;
  }

  // A segment of one row in segments/, which the catalog does not list.
  std::string plant(SegmentIdentity identity, const std::string& table = "water") {
    SegmentSchema schema;
    schema.database = "varve";
    schema.table = table;
    schema.tags = {"site"};
    schema.fields = {{"ph", FieldType::kDouble}};
    SegmentWriter writer(identity, schema, Effort::kFast);
    EXPECT_TRUE(writer.begin_series({{"site", "planted"}}));
    std::vector<ColumnVector> columns(1);
    columns[0].push_double(77);
    const std::vector<int64_t> times{5};
    EXPECT_TRUE(writer.append(times, columns, 0));
    const auto image = writer.finish();
    EXPECT_TRUE(image);
    const std::string name = "segments/" + segment_file_name(identity.id);
    write_file(join_path(data_, name), *image);
    return name;
  }
  bool there(const std::string& file) const { return fs::exists(join_path(data_, file)); }
  void expect_opens() {
    OpenStore store(data_);
    EXPECT_TRUE(store.ok()) << store.error();
  }
  void expect_removed(const std::string& file) {
    EXPECT_THAT(check(data_).problems, IsEmpty());
    EXPECT_THAT(check(data_).notes, Contains(HasSubstr(file)));
    expect_opens();
    EXPECT_FALSE(there(file));
    EXPECT_FALSE(there("quarantine/" + file));
  }
  void expect_set_aside(const std::string& file) {
    const std::string bytes = read_file(join_path(data_, file));
    EXPECT_THAT(check(data_).problems, Contains(HasSubstr(file)));
    expect_opens();
    EXPECT_FALSE(there(file));
    EXPECT_EQ(read_file(join_path(data_, "quarantine/" + file)), bytes);
    EXPECT_THAT(check(data_).problems, IsEmpty());
  }

  static constexpr uint64_t kFreeId = 0x777777;
  TempDir work_;
  const std::string data_ = (work_ / "data").string();
  std::vector<uint64_t> ids_;  // of water's segments
  Lsn flushed_ = 0;
  Lsn log_first_ = 0;
};

TEST_F(OpenRules, AnUnfinishedFlushIsRemovedWhenTheLogHasItsRows) {
  expect_removed(plant({kFreeId, log_first_, log_first_ + 5, log_first_ + 5, {}, {}}));
}

TEST_F(OpenRules, ASegmentThatOnlyItselfHoldsStopsTheStartAndIsTakenInByARepair) {
  const std::string file = plant({kFreeId, log_first_ + 5, log_first_ + 500, log_first_ + 500, {}, {}});
  {
    const OpenStore store(data_);
    ASSERT_FALSE(store.ok());
    EXPECT_THAT(store.error(), HasSubstr("which neither the catalog nor the log has"));
    EXPECT_THAT(store.error(), HasSubstr("`varve check --data " + data_ + " --repair`"));
  }
  EXPECT_TRUE(there(file));
  EXPECT_THAT(check(data_, true).problems, Contains(HasSubstr(file)));
  EXPECT_THAT(check(data_).problems, IsEmpty());
  OpenStore store(data_);
  ASSERT_TRUE(store.ok()) << store.error();
  EXPECT_EQ(store.values()["varve.water|site=planted|5|ph"], "d77");
}

TEST_F(OpenRules, ASegmentOfATableTheCatalogDoesNotKnowIsJudgedByTheLog) {
  expect_removed(plant({kFreeId, log_first_, log_first_ + 1, log_first_ + 1, {}, {}}, "unknown"));
  plant({kFreeId, 1, 2, 2, {}, {}}, "unknown");
  EXPECT_FALSE(OpenStore(data_).ok());
}

TEST_F(OpenRules, AnUnfinishedMergeIsRemovedWithItsParts) {
  const std::string part = plant({kFreeId, 1, flushed_, flushed_, {}, {}});
  const std::string last = plant({kFreeId + 1, 1, flushed_, flushed_, ids_, {kFreeId}});
  expect_removed(last);
  EXPECT_FALSE(there(part));
}

TEST_F(OpenRules, AMergeOfSegmentsThatAreNotListedIsSetAside) {
  expect_set_aside(plant({kFreeId, 1, flushed_, flushed_, {ids_[0], 0x555555}, {}}));
}

TEST_F(OpenRules, APartOfAnUnfinishedMergeIsRemovedWhenListedSegmentsCouldBeItsInputs) {
  expect_removed(plant({kFreeId, 1, flushed_, flushed_, {}, {}}));
}

TEST_F(OpenRules, ASegmentThatNothingExplainsIsSetAside) {
  expect_set_aside(plant({kFreeId, 2, flushed_, flushed_, {}, {}}));
}

TEST_F(OpenRules, AMergedInputBesideItsListedMergeIsRemoved) {
  const std::string input = plant({kFreeId, 1, 2, 2, {}, {}});
  const std::string merged = plant({kFreeId + 1, 1, flushed_, flushed_, {kFreeId}, {}});
  {
    const auto found = inspect_segment(real_file_system(), join_path(data_, "segments"),
                                       fs::path(merged).filename().string());
    ASSERT_TRUE(found && found->whole());
    const auto catalog = Catalog::open(join_path(data_, "catalog.db"));
    ASSERT_TRUE(catalog);
    auto state = (*catalog)->load();
    ASSERT_TRUE(state);
    for (CatalogTable& table : state->tables) {
      if (table.name == "water") table.segments.push_back(found->record());
    }
    ASSERT_TRUE((*catalog)->replace(*state));
  }
  expect_removed(input);
  EXPECT_TRUE(there(merged));
}

TEST_F(OpenRules, AnUnfinishedWriteIsRemoved) {
  const std::string file = "segments/0000000000777777.seg.tmp";
  write_file(join_path(data_, file), "half");
  expect_removed(file);
}

TEST_F(OpenRules, AnUnreadableFileNobodyListsIsSetAside) {
  const std::string file = "segments/0000000000777777.seg";
  write_file(join_path(data_, file), "no segment at all");
  expect_set_aside(file);
  write_file(join_path(data_, file), "and another one");  // the name in quarantine is taken
  expect_opens();
  EXPECT_EQ(read_file(join_path(data_, "quarantine/" + file)), "no segment at all");
  EXPECT_EQ(read_file(join_path(data_, "quarantine/" + file + "-2")), "and another one");
}

TEST_F(OpenRules, AMissingCatalogBesideSegmentsStopsTheStart) {
  fs::remove(join_path(data_, "catalog.db"));
  for (int i = 0; i < 2; ++i) {
    const OpenStore store(data_);
    ASSERT_FALSE(store.ok());
    EXPECT_THAT(store.error(), HasSubstr("catalog.db is missing"));
    EXPECT_THAT(store.error(), HasSubstr("--repair"));
  }
}

TEST_F(OpenRules, ALogThatBeginsTooLateStopsTheStart) {
  std::string log;
  for (const std::string& file : files_below(data_)) {
    if (file.ends_with(".wal")) log = join_path(data_, file);
  }
  {
    OpenStore store(data_);  // makes a second log file
    ASSERT_TRUE(store.ok());
    store.write(water_rows(3, "x", 1, 1));
    fs::copy(data_, work_ / "running", fs::copy_options::recursive);
  }
  const std::string running = (work_ / "running").string();
  fs::remove(join_path(running, "wal/" + fs::path(log).filename().string()));
  {
    const OpenStore store(running);
    ASSERT_FALSE(store.ok());
    EXPECT_THAT(store.error(), HasSubstr(fmt::format("needs the log from record {} on", log_first_)));
    EXPECT_THAT(store.error(), HasSubstr("--repair"));
  }
  const CheckReport repaired = check(running, true);
  EXPECT_THAT(repaired.losses,
              Contains(HasSubstr(fmt::format("log records {} to {}", log_first_, log_first_ + 19))));
  EXPECT_THAT(check(running).problems, IsEmpty());
  OpenStore store(running);
  ASSERT_TRUE(store.ok()) << store.error();
  EXPECT_TRUE(store.values().contains(fmt::format("varve.water|site=x|{}|ph", 3 * kNsPerDay)));
}

TEST_F(OpenRules, WhileTheStoreIsHeldNothingIsUnlinkedAndAfterwardsItIs) {
  const auto logs = [&] {
    size_t count = 0;
    for (const std::string& file : files_below(data_)) count += file.ends_with(".wal") ? 1 : 0;
    return count;
  };
  OpenStore store(data_);
  ASSERT_TRUE(store.ok());
  {
    const auto hold = hold_store(real_file_system(), data_, 0);
    ASSERT_TRUE(hold);
    ASSERT_TRUE(store.engine().flush());
    EXPECT_EQ(logs(), 2u);
    EXPECT_FALSE(hold_store(real_file_system(), data_, 0));
  }
  ASSERT_TRUE(store.engine().flush());
  EXPECT_EQ(logs(), 1u);
}

TEST_F(OpenRules, RemovalsPostponedByAHoldAreDoneAtTheNextStart) {
  const std::string file = plant({kFreeId, log_first_, log_first_ + 5, log_first_ + 5, {}, {}});
  {
    const auto hold = hold_store(real_file_system(), data_, 0);
    ASSERT_TRUE(hold);
    expect_opens();
    EXPECT_TRUE(there(file));
  }
  expect_opens();
  EXPECT_FALSE(there(file));
}

}  // namespace
}  // namespace varve::test
