// Damage to every kind of file and every region of it: what is said of it, what survives the repair.
#include "storage/check/check.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

#include "storage/segment/format.h"
#include "storage/wal/format.h"
#include "tests/storage/check/store_fixture.h"

namespace varve::test {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    build_store(master_);
    fs::copy(master_, work_ / "original", fs::copy_options::recursive);
    OpenStore store((work_ / "original").string());
    ASSERT_TRUE(store.ok()) << store.error();
    values_ = store.values();
    columns_ = store.columns();
    positions_ = store.engine().positions();
  }

  // A fresh copy of the store.
  std::string copy() {
    const std::string path = (work_ / ("copy" + std::to_string(++copies_))).string();
    fs::copy(master_, path, fs::copy_options::recursive);
    return path;
  }
  std::vector<std::string> segments() const {
    std::vector<std::string> names;
    for (const std::string& file : files_below(master_)) {
      if (file.ends_with(".seg")) names.push_back(file);
    }
    return names;
  }
  std::string log_file() const {
    for (const std::string& file : files_below(master_)) {
      if (file.ends_with(".wal")) return file;
    }
    return {};
  }

  // Repairs, and expects of the repaired store: clean, opens, and nothing missing or changed but what was said.
  CheckReport expect_repaired(const std::string& data) {
    const auto before = bytes_below(data);
    const CheckReport found = check(data);
    EXPECT_THAT(found.problems, Not(IsEmpty()));
    EXPECT_TRUE(before == bytes_below(data)) << "a check without repair changed the store";
    CheckReport report = check(data, true);
    EXPECT_EQ(report.problems, found.problems);
    const CheckReport after = check(data);
    EXPECT_THAT(after.problems, IsEmpty());
    OpenStore store(data);
    EXPECT_TRUE(store.ok()) << store.error();
    if (!store.ok()) return report;
    after_ = difference(values_, store.values());
    for (const auto* changed : {&after_.missing, &after_.wrong}) {
      for (const auto& [key, value] : *changed) {
        EXPECT_TRUE(says_lost(report, key)) << key << " " << value << " is not as before, and not reported";
      }
    }
    return report;
  }
  void expect_nothing_lost(const CheckReport& report) {
    EXPECT_THAT(report.losses, IsEmpty());
    EXPECT_THAT(after_.missing, IsEmpty());
    EXPECT_THAT(after_.wrong, IsEmpty());
  }

  TempDir work_;
  const std::string master_ = (work_ / "master").string();
  int copies_ = 0;
  Values values_;
  std::vector<std::string> columns_;
  std::vector<StreamPosition> positions_;
  Difference after_;
};

TEST_F(CheckTest, AWholeStoreIsCleanAndSummedUp) {
  const std::string data = copy();
  const auto before = bytes_below(data);
  const CheckReport report = check(data);
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.notes, IsEmpty());
  EXPECT_TRUE(before == bytes_below(data));
  ASSERT_EQ(report.tables.size(), 2u);
  EXPECT_EQ(report.tables[0].table, "pumps");
  EXPECT_EQ(report.tables[1].table, "water");
  EXPECT_EQ(report.tables[1].series, 32u);
  EXPECT_EQ(report.tables[1].segments, 3u);
  EXPECT_EQ(report.tables[1].rows, 6000u + 30 * 7 + 1500 + 900);
  EXPECT_EQ(report.tables[1].time.min, 0);
  EXPECT_EQ(report.tables[1].time.max, kNsPerDay + 1499 * kNsPerSecond);
  EXPECT_EQ(report.log_records, 20u);
  EXPECT_TRUE(before == bytes_below(data));
  const CheckReport repaired = check(data, true);
  EXPECT_THAT(repaired.repairs, IsEmpty());
}

TEST_F(CheckTest, AFolderThatIsNoStoreIsAnError) {
  CheckOptions options;
  options.data_directory = (work_ / "nothing").string();
  fs::create_directory(options.data_directory);
  const auto report = check_store(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(report.error().message, HasSubstr("is not the data folder of a varve store"));
}

TEST_F(CheckTest, ARunningStoreIsRefused) {
  const std::string data = copy();
  OpenStore store(data);
  ASSERT_TRUE(store.ok());
  CheckOptions options;
  options.data_directory = data;
  const auto report = check_store(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(report.error().message, HasSubstr("is in use by a running varve"));
}

// ---- segments ----

TEST_F(CheckTest, EveryRegionOfEverySegmentIsWatchedAndOnlyItsLossIsLost) {
  constexpr int kPlaces = 9;
  for (const std::string& file : segments()) {
    const std::string whole = read_file(join_path(master_, file));
    for (int place = 0; place < kPlaces; ++place) {
      std::string bytes = whole;
      const size_t at = bytes.size() * static_cast<size_t>(place) / (kPlaces - 1);
      bytes[std::min(at, bytes.size() - 1)] ^= 0x10;
      SCOPED_TRACE(fmt::format("{} byte {} of {}", file, at, bytes.size()));
      const std::string data = copy();
      write_file(join_path(data, file), bytes);
      const CheckReport report = expect_repaired(data);
      EXPECT_THAT(report.problems, Contains(HasSubstr(file)));
      EXPECT_FALSE(report.lost.empty());
      EXPECT_EQ(read_file(join_path(data, "quarantine/" + file)), bytes);
      EXPECT_THAT(read_file(join_path(data, "quarantine/" + file + ".txt")), HasSubstr("lost: "));
      EXPECT_FALSE(fs::exists(join_path(data, file)));
    }
  }
}

TEST_F(CheckTest, ADamagedFieldPageCostsThatFieldOfThatBlock) {
  // The last data page of the segment of day 1 belongs to its last field.
  for (const std::string& file : segments()) {
    std::string bytes = read_file(join_path(master_, file));
    const auto footer = parse_segment_footer(bytes.substr(bytes.size() - kSegmentFooterBytes), bytes.size());
    ASSERT_TRUE(footer);
    if (footer->time_min < kNsPerDay || footer->rows != 1500) continue;
    bytes[footer->index_offset - 1] ^= 1;
    const std::string data = copy();
    write_file(join_path(data, file), bytes);
    const CheckReport report = expect_repaired(data);
    ASSERT_EQ(report.lost.size(), 1u);
    EXPECT_EQ(report.lost[0].loss.series, "site=a");
    EXPECT_EQ(report.lost[0].loss.column, "note");
    EXPECT_EQ(report.lost[0].loss.rows, 1500u - 1024);
    EXPECT_EQ(report.lost[0].loss.time.min, kNsPerDay + 1024 * kNsPerSecond);
    EXPECT_EQ(report.lost[0].loss.time.max, kNsPerDay + 1499 * kNsPerSecond);
    for (int i = 1024; i < 1500; ++i) {
      const std::string key = fmt::format("varve.water|site=a|{}|note", kNsPerDay + i * kNsPerSecond);
      EXPECT_EQ(after_.missing.contains(key), i % 7 != 0) << key;
    }
    EXPECT_THAT(after_.wrong, IsEmpty());
    EXPECT_THAT(report.losses,
                Contains(HasSubstr("site=a: column note: 476 rows from 1970-01-02T00:17:04Z to ")));
    return;
  }
  FAIL() << "no segment of day 1";
}

TEST_F(CheckTest, ADamagedTimePageCostsTheRowsOfItsBlock) {
  for (const std::string& file : segments()) {
    std::string bytes = read_file(join_path(master_, file));
    const auto footer = parse_segment_footer(bytes.substr(bytes.size() - kSegmentFooterBytes), bytes.size());
    ASSERT_TRUE(footer);
    if (footer->time_min < kNsPerDay || footer->rows != 1500) continue;
    bytes[kSegmentHeaderBytes] ^= 1;
    const std::string data = copy();
    write_file(join_path(data, file), bytes);
    const CheckReport report = expect_repaired(data);
    ASSERT_EQ(report.lost.size(), 1u);
    EXPECT_EQ(report.lost[0].loss.column, "");
    EXPECT_EQ(report.lost[0].loss.rows, 1024u);
    for (int i = 0; i < 1500; ++i) {
      const std::string key = fmt::format("varve.water|site=a|{}|ph", kNsPerDay + i * kNsPerSecond);
      EXPECT_EQ(after_.missing.contains(key), i < 1024) << key;
    }
    return;
  }
  FAIL() << "no segment of day 1";
}

TEST_F(CheckTest, AMissingCutOrForeignSegmentIsLostWholeAndNamed) {
  const std::string file = segments()[0];
  const std::string whole = read_file(join_path(master_, file));
  const std::map<std::string, std::function<void(const std::string&)>> damages = {
      {"missing", [](const std::string& path) { fs::remove(path); }},
      {"empty", [](const std::string& path) { write_file(path, ""); }},
      {"cut", [&](const std::string& path) { write_file(path, whole.substr(0, whole.size() / 2)); }},
      {"longer", [&](const std::string& path) { write_file(path, whole + "x"); }},
      {"another's",
       [&](const std::string& path) { write_file(path, read_file(join_path(master_, segments()[1]))); }},
  };
  for (const auto& [name, damage] : damages) {
    SCOPED_TRACE(name);
    const std::string data = copy();
    damage(join_path(data, file));
    const CheckReport report = expect_repaired(data);
    EXPECT_THAT(report.problems, Contains(HasSubstr(file)));
    EXPECT_FALSE(after_.missing.empty());
    ASSERT_EQ(report.lost.size(), 1u);
    EXPECT_EQ(report.lost[0].file, file.substr(file.find('/') + 1));
    EXPECT_EQ(report.lost[0].loss.series, "");
  }
}

TEST_F(CheckTest, RowsThatTheLogStillHasAreNotLost) {
  // A segment flushed from the log tail: its records are still there.
  const std::string data = (work_ / "recent").string();
  std::vector<std::string> before;
  {
    OpenStore store(copy());
    ASSERT_TRUE(store.ok());
    ASSERT_TRUE(store.engine().flush());
    before = files_below((work_ / "copy1").string());
    store.write(water_rows(5, "new", 100, 1));
    ASSERT_TRUE(store.engine().flush());
    values_ = store.values();
    fs::copy(work_ / "copy1", data, fs::copy_options::recursive);
  }
  std::vector<std::string> names;
  for (const std::string& file : files_below(data)) {
    const bool is_new = std::find(before.begin(), before.end(), file) == before.end();
    if (file.ends_with(".seg") && is_new) names.push_back(file);
  }
  ASSERT_EQ(names.size(), 1u);
  for (const std::string& name : names) fs::remove(join_path(data, name));
  expect_nothing_lost(expect_repaired(data));
}

// ---- catalog ----

TEST_F(CheckTest, ALostOrDamagedCatalogIsRebuiltWithTheSameAnswers) {
  const std::string whole = read_file(join_path(master_, "catalog.db"));
  std::map<std::string, std::function<void(const std::string&)>> damages = {
      {"missing", [](const std::string& path) { fs::remove(path); }},
      {"empty", [](const std::string& path) { write_file(path, ""); }},
      {"cut", [&](const std::string& path) { write_file(path, whole.substr(0, whole.size() / 2)); }},
      {"garbage", [&](const std::string& path) { write_file(path, std::string(whole.size(), 'x')); }},
  };
  for (const char* text : {"water", "pumps", "store_id", ".seg"}) {
    damages["changed " + std::string(text)] = [&, text](const std::string& path) {
      std::string bytes = whole;
      const size_t at = bytes.find(text);
      ASSERT_NE(at, std::string::npos);
      bytes[at] ^= 1;
      write_file(path, bytes);
    };
  }
  for (const auto& [name, damage] : damages) {
    SCOPED_TRACE(name);
    const std::string data = copy();
    damage(join_path(data, "catalog.db"));
    expect_nothing_lost(expect_repaired(data));
    EXPECT_EQ(fs::exists(join_path(data, "quarantine/catalog.db")), name != "missing");
    OpenStore store(data);
    ASSERT_TRUE(store.ok()) << store.error();
    EXPECT_EQ(store.columns(), columns_);
    ASSERT_EQ(store.engine().positions().size(), 1u);
    EXPECT_EQ(store.engine().positions()[0].next_offset, positions_[0].next_offset);
    // It goes on: nothing that is written now is taken for something older.
    store.write(water_rows(1, "a", 1, 99));
    EXPECT_EQ(store.values()[fmt::format("varve.water|site=a|{}|ph", kNsPerDay)], "d99");
    ASSERT_TRUE(store.engine().flush());
    EXPECT_EQ(store.values()[fmt::format("varve.water|site=a|{}|ph", kNsPerDay)], "d99");
  }
}

TEST_F(CheckTest, ACatalogOlderThanItsFilesIsFoundAndRebuilt) {
  const std::string data = copy();
  {
    OpenStore store(data);
    ASSERT_TRUE(store.ok());
    store.write(water_rows(4, "d", 300, 2));
  }
  {
    OpenStore store(data);  // a new log file; the old one goes
    store.write(water_rows(4, "e", 300, 2));
    ASSERT_TRUE(store.engine().flush());
    values_ = store.values();
  }
  write_file(join_path(data, "catalog.db"), read_file(join_path(master_, "catalog.db")));
  {
    OpenStore store(data);
    ASSERT_FALSE(store.ok());
    EXPECT_THAT(store.error(), HasSubstr("--repair"));
  }
  const CheckReport report = expect_repaired(data);
  EXPECT_THAT(after_.missing, IsEmpty());
  EXPECT_THAT(after_.wrong, IsEmpty());
}

// ---- log ----

TEST_F(CheckTest, DamageInTheLogCostsItsRecordsAndIsFilled) {
  const std::string file = log_file();
  const std::string whole = read_file(join_path(master_, file));
  const size_t middle = kWalFirstRecordOffset + (whole.size() - kWalFirstRecordOffset) / 2;
  for (const bool header_copies : {false, true}) {
    std::string bytes = whole;
    if (header_copies) {
      bytes[3] ^= 1;
      bytes[kWalHeaderCopyOffset + 3] ^= 1;
    } else {
      bytes[middle] ^= 1;
    }
    const std::string data = copy();
    write_file(join_path(data, file), bytes);
    CheckReport report = check(data, true);
    EXPECT_FALSE(report.problems.empty());
    EXPECT_THAT(report.losses, Contains(HasSubstr("log record")));
    EXPECT_THAT(check(data).problems, IsEmpty());
    EXPECT_EQ(read_file(join_path(data, "quarantine/" + file)), bytes);
    OpenStore store(data);
    ASSERT_TRUE(store.ok()) << store.error();
    const Difference changed = difference(values_, store.values());
    EXPECT_THAT(changed.wrong, IsEmpty());
    EXPECT_EQ(changed.missing.size(), header_copies ? 40u : 2u);
    store.write(water_rows(7, "z", 3, 1));
  }
}

TEST_F(CheckTest, ATornTailIsANoteAndNoProblem) {
  const std::string data = copy();
  write_file(join_path(data, log_file()), read_file(join_path(master_, log_file())) + "half a record");
  const CheckReport report = check(data);
  EXPECT_THAT(report.problems, IsEmpty());
  EXPECT_THAT(report.notes, Contains(HasSubstr("cut short by a crash")));
}

TEST_F(CheckTest, AMissingLogIsFoundAndTheStoreOpensAfterRepair) {
  const std::string data = copy();
  fs::remove_all(join_path(data, "wal"));
  {
    const OpenStore store(data);
    ASSERT_FALSE(store.ok());
    EXPECT_THAT(store.error(), HasSubstr("the log is gone"));
  }
  const CheckReport report = check(data, true);
  EXPECT_THAT(report.problems, Contains(HasSubstr("the log is gone")));
  EXPECT_THAT(report.losses, Contains(HasSubstr("log records")));
  EXPECT_THAT(check(data).problems, IsEmpty());
  OpenStore store(data);
  ASSERT_TRUE(store.ok()) << store.error();
  const Difference changed = difference(values_, store.values());
  EXPECT_EQ(changed.missing.size(), 40u);
  EXPECT_THAT(changed.wrong, IsEmpty());
}

}  // namespace
}  // namespace varve::test
