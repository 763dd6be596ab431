#include "storage/catalog/catalog.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "storage/base/file.h"
#include "storage/catalog/database.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class CatalogTest : public ::testing::Test {
 protected:
  void open() {
    catalog_.reset();
    auto opened = Catalog::open(path_);
    ASSERT_TRUE(opened) << opened.error().message;
    catalog_ = std::move(*opened);
  }
  CatalogState load() {
    auto state = catalog_->load();
    EXPECT_TRUE(state) << state.error().message;
    return state ? std::move(*state) : CatalogState();
  }
  // Copies the file and its log as a crash would leave them, and opens the copy.
  void crash_and_reopen() {
    FileSystem& files = real_file_system();
    const std::string copy = (folder_ / ("copy" + std::to_string(++copies_) + ".db")).string();
    for (const char* suffix : {"", "-wal"}) {
      const auto bytes = files.read_all(path_ + suffix);
      if (!bytes) continue;
      ASSERT_TRUE(files.write_atomically(copy + suffix, *bytes));
    }
    path_ = copy;
    open();
  }

  CatalogSegment segment(int64_t time_min) {
    CatalogSegment made;
    made.id = *catalog_->allocate_segment_id();
    made.file = std::to_string(made.id) + ".seg";
    made.rows = 1000;
    made.bytes = 4096;
    made.series = 7;
    made.time_min = time_min;
    made.time_max = time_min + 999;
    made.first_lsn = 3;
    made.last_lsn = 9;
    return made;
  }
  static CatalogChange change_of(uint32_t table_id) {
    CatalogChange change;
    change.table_id = table_id;
    change.database = "varve";
    change.table = "table " + std::to_string(table_id);
    return change;
  }
  static CatalogChange flush_of(uint32_t table_id, Lsn flushed_lsn) {
    CatalogChange change = change_of(table_id);
    change.progress.emplace().flushed_lsn = flushed_lsn;
    return change;
  }
  void commit(const CatalogChange& change) {
    const auto committed = catalog_->commit(change);
    ASSERT_TRUE(committed) << committed.error().message;
  }

  test::TempDir folder_;
  std::string path_ = (folder_ / "catalog.db").string();
  int copies_ = 0;
  std::unique_ptr<Catalog> catalog_;
};

TEST_F(CatalogTest, ANewOneIsEmptyAndKeepsItsStoreId) {
  open();
  const CatalogState first = load();
  EXPECT_EQ(first.store_id.size(), 32U);
  EXPECT_EQ(first.store_id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_THAT(first.tables, IsEmpty());
  EXPECT_THAT(first.positions, IsEmpty());
  EXPECT_EQ(first.positions_lsn, 0U);
  EXPECT_EQ(first.replay_from_lsn, 0U);
  open();
  EXPECT_EQ(load().store_id, first.store_id);
  catalog_.reset();
  ASSERT_TRUE(real_file_system().remove(path_));
  open();
  EXPECT_NE(load().store_id, first.store_id) << "another store, another id";
}

TEST_F(CatalogTest, PublishesEverythingOfAFlushAtOnceAndDurably) {
  open();
  CatalogChange flush = flush_of(4, 9);
  flush.columns = {{"sensor", ColumnKind::kTag, FieldType::kDouble},
                   {"level", ColumnKind::kField, FieldType::kDouble},
                   {"count", ColumnKind::kField, FieldType::kInt64},
                   {"note", ColumnKind::kField, FieldType::kString}};
  flush.added_segments = {segment(INT64_MIN), segment(5)};
  flush.progress->positions = {{"kafka:readings", 3, 1234}, {"kafka:readings", 0, -1}};
  flush.progress->positions_lsn = 9;
  flush.progress->replay_from_lsn = 8;
  commit(flush);
  crash_and_reopen();
  const CatalogState found = load();
  EXPECT_EQ(found.positions_lsn, 9U);
  EXPECT_EQ(found.replay_from_lsn, 8U);
  ASSERT_EQ(found.positions.size(), 2U);
  EXPECT_EQ(found.positions[0].next_offset, -1);
  EXPECT_EQ(found.positions[1].stream, "kafka:readings");
  EXPECT_EQ(found.positions[1].partition, 3);
  EXPECT_EQ(found.positions[1].next_offset, 1234);
  ASSERT_EQ(found.tables.size(), 1U);
  const CatalogTable& table = found.tables[0];
  EXPECT_EQ(table.id, 4U);
  EXPECT_EQ(table.database, "varve");
  EXPECT_EQ(table.name, "table 4");
  EXPECT_EQ(table.flushed_lsn, 9U);
  ASSERT_EQ(table.columns.size(), 4U);
  EXPECT_EQ(table.columns[0].name, "sensor");
  EXPECT_EQ(table.columns[0].kind, ColumnKind::kTag);
  EXPECT_EQ(table.columns[2].type, FieldType::kInt64);
  EXPECT_EQ(table.columns[3].name, "note");
  ASSERT_EQ(table.segments.size(), 2U);
  const CatalogSegment& first = table.segments[0];
  EXPECT_EQ(first.id, flush.added_segments[0].id);
  EXPECT_EQ(first.file, flush.added_segments[0].file);
  EXPECT_EQ(first.rows, 1000U);
  EXPECT_EQ(first.bytes, 4096U);
  EXPECT_EQ(first.series, 7U);
  EXPECT_EQ(first.time_min, INT64_MIN);
  EXPECT_EQ(first.time_max, INT64_MIN + 999);
  EXPECT_EQ(first.first_lsn, 3U);
  EXPECT_EQ(first.last_lsn, 9U);
}

TEST_F(CatalogTest, ALaterFlushAddsSegmentsAndColumnsAndWidens) {
  open();
  CatalogChange flush = flush_of(1, 1);
  flush.columns = {{"z", ColumnKind::kField, FieldType::kInt64}, {"a", ColumnKind::kTag, FieldType::kDouble}};
  flush.added_segments = {segment(0)};
  flush.progress->positions = {{"s", 0, 200}, {"s", 1, 10}};
  commit(flush);
  flush = flush_of(1, 7);
  flush.columns = {{"z", ColumnKind::kField, FieldType::kDouble},
                   {"a", ColumnKind::kTag, FieldType::kDouble},
                   {"m", ColumnKind::kField, FieldType::kBool}};
  flush.added_segments = {segment(10)};
  flush.progress->positions = {{"s", 0, 50}};  // a topic made anew starts again
  commit(flush);
  commit(flush_of(2, 3));
  const CatalogState found = load();
  ASSERT_EQ(found.tables.size(), 2U);
  const CatalogTable& table = found.tables[0];
  EXPECT_EQ(table.flushed_lsn, 7U);
  EXPECT_EQ(table.segments.size(), 2U);
  ASSERT_EQ(table.columns.size(), 3U);
  EXPECT_EQ(table.columns[0].name, "z");
  EXPECT_EQ(table.columns[0].type, FieldType::kDouble);
  EXPECT_EQ(table.columns[2].name, "m");
  EXPECT_EQ(found.tables[1].flushed_lsn, 3U);
  ASSERT_EQ(found.positions.size(), 2U) << "streams that are not named stay";
  EXPECT_EQ(found.positions[0].next_offset, 50);
}

TEST_F(CatalogTest, AFailedPublicationChangesNothing) {
  open();
  CatalogChange good = flush_of(1, 1);
  good.added_segments = {segment(0)};
  commit(good);
  const auto refused = [&](const std::function<void(CatalogChange&)>& spoil) {
    CatalogChange bad = flush_of(1, 50);
    bad.columns = {{"new", ColumnKind::kField, FieldType::kBool}};
    bad.added_segments = {segment(10), segment(20)};
    bad.progress->positions = {{"s", 0, 1}};
    bad.progress->positions_lsn = 50;
    spoil(bad);
    const auto published = catalog_->commit(bad);
    ASSERT_FALSE(published);
    EXPECT_EQ(published.error().code, ErrorCode::kInvalidArgument) << published.error().message;
    const CatalogState found = load();
    ASSERT_EQ(found.tables.size(), 1U);
    EXPECT_EQ(found.tables[0].flushed_lsn, 1U);
    EXPECT_THAT(found.tables[0].columns, IsEmpty());
    EXPECT_EQ(found.tables[0].segments.size(), 1U);
    EXPECT_THAT(found.positions, IsEmpty());
    EXPECT_EQ(found.positions_lsn, 0U);
  };
  refused([&](auto& bad) { bad.added_segments[1].id = good.added_segments[0].id; });
  refused([&](auto& bad) { bad.added_segments[1].id = bad.added_segments[0].id; });
  refused([&](auto& bad) { bad.table_id = 2, bad.table = good.table; });
}

TEST_F(CatalogTest, NeverGivesASegmentIdTwice) {
  open();
  std::set<uint64_t> ids;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::thread> threads;
    std::mutex mutex;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 50; ++i) {
          const auto id = catalog_->allocate_segment_id();
          const std::lock_guard lock(mutex);
          EXPECT_TRUE(id && ids.insert(*id).second);
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CatalogChange flush = flush_of(1, 1);
    flush.added_segments = {segment(round)};
    commit(flush);
    CatalogChange drop = change_of(1);
    drop.removed_segments = {flush.added_segments[0].id};
    commit(drop);
    EXPECT_TRUE(ids.insert(flush.added_segments[0].id).second);
    crash_and_reopen();
  }
}

TEST_F(CatalogTest, DropsSegmentsForGood) {
  open();
  CatalogChange flush = flush_of(1, 1);
  flush.added_segments = {segment(0), segment(1), segment(2)};
  commit(flush);
  CatalogChange drop = change_of(1);
  drop.removed_segments = {flush.added_segments[0].id, flush.added_segments[2].id};
  commit(drop);
  drop.removed_segments.pop_back();
  commit(drop);  // dropping again is fine
  crash_and_reopen();
  CatalogState found = load();
  ASSERT_EQ(found.tables[0].segments.size(), 1U);
  EXPECT_EQ(found.tables[0].segments[0].id, flush.added_segments[1].id);
  EXPECT_EQ(found.tables[0].flushed_lsn, 1U) << "a change without progress keeps it";
  EXPECT_THAT(found.removals, UnorderedElementsAre("segments/" + flush.added_segments[0].file,
                                                   "segments/" + flush.added_segments[2].file));
  ASSERT_TRUE(catalog_->finish_removals({"segments/" + flush.added_segments[0].file, "segments/unknown"}));
  crash_and_reopen();
  EXPECT_THAT(load().removals, UnorderedElementsAre("segments/" + flush.added_segments[2].file));
}

TEST_F(CatalogTest, AMergePutsSegmentsInThePlaceOfOthersAtOnce) {
  open();
  CatalogChange flush = flush_of(1, 9);
  flush.added_segments = {segment(0), segment(1)};
  commit(flush);
  CatalogChange merge = change_of(1);
  merge.added_segments = {segment(0)};
  merge.added_segments[0].applied_lsn = 12;
  merge.removed_segments = {flush.added_segments[0].id, flush.added_segments[1].id};
  commit(merge);
  crash_and_reopen();
  const CatalogTable table = load().tables[0];
  ASSERT_EQ(table.segments.size(), 1U);
  EXPECT_EQ(table.segments[0].id, merge.added_segments[0].id);
  EXPECT_EQ(table.segments[0].applied_lsn, 12U);
  EXPECT_EQ(table.flushed_lsn, 9U);
}

TEST_F(CatalogTest, KeepsTombstonesUntilTheyAreRemoved) {
  open();
  CatalogChange change = flush_of(3, 8);
  change.added_tombstones = {{*catalog_->allocate_segment_id(), "a.del", 5},
                             {*catalog_->allocate_segment_id(), "b.del", 7}};
  commit(change);
  crash_and_reopen();
  ASSERT_EQ(load().tables[0].tombstones.size(), 2U);
  EXPECT_EQ(load().tables[0].tombstones[0].file, "a.del");
  EXPECT_EQ(load().tables[0].tombstones[1].lsn, 7U);
  CatalogChange drop = change_of(3);
  drop.removed_tombstones = {change.added_tombstones[0].id};
  commit(drop);
  EXPECT_EQ(load().tables[0].tombstones.size(), 1U);
  EXPECT_THAT(load().removals, UnorderedElementsAre("tombstones/a.del"));
}

TEST_F(CatalogTest, SkipsIdsThatFilesUseAlready) {
  open();
  const uint64_t first = *catalog_->allocate_segment_id();
  ASSERT_TRUE(catalog_->skip_segment_ids(first));
  ASSERT_TRUE(catalog_->skip_segment_ids(1000));
  EXPECT_EQ(*catalog_->allocate_segment_id(), 1001U);
  ASSERT_TRUE(catalog_->skip_segment_ids(5));
  EXPECT_EQ(*catalog_->allocate_segment_id(), 1002U);
}

// One bit of every 31st byte of the file: an error, or the same catalog.
TEST_F(CatalogTest, NoFlippedBitChangesWhatItSays) {
  open();
  CatalogChange flush = flush_of(1, 9);
  flush.columns = {{"sensor", ColumnKind::kTag, FieldType::kDouble},
                   {"level", ColumnKind::kField, FieldType::kDouble}};
  flush.added_segments = {segment(0), segment(5)};
  flush.added_tombstones = {{*catalog_->allocate_segment_id(), "a.del", 5}};
  flush.progress->positions = {{"kafka:readings", 3, 1234}};
  flush.progress->positions_lsn = 9;
  flush.progress->replay_from_lsn = 8;
  commit(flush);
  ASSERT_TRUE(catalog_->save_cursor("mirror", 7));
  const auto text = [](const CatalogState& state) {
    std::string out = state.store_id +
                      fmt::format(" {} {} {}", state.positions_lsn, state.replay_from_lsn, state.cursors_lsn);
    for (const auto& p : state.positions)
      out += fmt::format(" {} {} {}", p.stream, p.partition, p.next_offset);
    for (const auto& t : state.tables) {
      out += fmt::format(" table {} {} {} {}", t.id, t.database, t.name, t.flushed_lsn);
      for (const auto& c : t.columns) out += fmt::format(" {} {} {}", c.name, int(c.kind), int(c.type));
      for (const auto& s : t.segments) {
        out += fmt::format(" {} {} {} {} {} {} {} {} {} {}", s.id, s.file, s.rows, s.bytes, s.series,
                           s.time_min, s.time_max, s.first_lsn, s.last_lsn, s.applied_lsn);
      }
      for (const auto& d : t.tombstones) out += fmt::format(" {} {} {}", d.id, d.file, d.lsn);
    }
    return out;
  };
  const std::string expected = text(load());
  catalog_.reset();
  const std::string good = *real_file_system().read_all(path_);
  int refused = 0;
  for (size_t at = 0; at < good.size(); at += 31) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << (at % 8)));
    std::filesystem::remove(path_ + "-wal");
    std::ofstream(path_, std::ios::binary) << bad;
    auto opened = Catalog::open(path_);
    const auto loaded = opened ? (*opened)->load() : Result<CatalogState>(opened.error());
    if (loaded) {
      ASSERT_EQ(text(*loaded), expected) << "byte " << at;
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 10);
}

TEST_F(CatalogTest, KeepsCursors) {
  open();
  EXPECT_EQ(*catalog_->cursor("mirror"), std::nullopt);
  ASSERT_TRUE(catalog_->save_cursor("mirror", 7));
  ASSERT_TRUE(catalog_->save_cursor("mirror", 9));
  ASSERT_TRUE(catalog_->save_cursor("other", 0));
  crash_and_reopen();
  EXPECT_EQ(*catalog_->cursor("mirror"), Lsn{9});
  EXPECT_EQ(*catalog_->cursor("other"), Lsn{0});
  EXPECT_EQ(load().cursors_lsn, 9U);
}

TEST_F(CatalogTest, KeepsNamesOfDatabases) {
  open();
  EXPECT_THAT(load().databases, IsEmpty());
  ASSERT_TRUE(catalog_->remove_database("never there"));
  for (const char* name : {"b", "a", "b", "'; DROP TABLE databases; --"}) {
    ASSERT_TRUE(catalog_->add_database(name));
  }
  crash_and_reopen();
  EXPECT_THAT(load().databases, ElementsAre("'; DROP TABLE databases; --", "a", "b"));
  ASSERT_TRUE(catalog_->replace({}));  // as after a repair
  ASSERT_TRUE(catalog_->remove_database("a"));
  crash_and_reopen();
  EXPECT_THAT(load().databases, ElementsAre("'; DROP TABLE databases; --", "b"));
}

TEST_F(CatalogTest, ALostNameOfADatabaseIsDamage) {
  open();
  ASSERT_TRUE(catalog_->add_database("a"));
  for (const char* sql :
       {"DELETE FROM databases", "UPDATE databases SET name = 'b'", "DROP TABLE databases"}) {
    const std::string before = path_;
    crash_and_reopen();
    catalog_.reset();
    {
      const auto database = Database::open(path_, {});
      ASSERT_TRUE(database);
      ASSERT_TRUE((*database)->execute(sql)) << sql;
    }
    open();
    const auto state = catalog_->load();
    EXPECT_FALSE(state) << sql;
    path_ = before;
  }
}

TEST_F(CatalogTest, HostileNamesAreOnlyNames) {
  open();
  const std::vector<std::string> names = {"'; DROP TABLE tables; --",
                                          "\"",
                                          "",
                                          "a\nb",
                                          "%_*?",
                                          std::string("a\0b", 3),
                                          std::string("a\0c", 3),
                                          "\xff\xfe",
                                          "Größe",
                                          "GRÖSSE",
                                          "a",
                                          "A",
                                          "a ",
                                          std::string(100'000, 'x')};
  for (size_t i = 0; i < names.size(); ++i) {
    CatalogChange flush = flush_of(static_cast<uint32_t>(i), 1);
    flush.database = flush.table = names[i];
    flush.columns = {{names[i], ColumnKind::kTag, FieldType::kDouble}};
    flush.progress->positions = {{names[i], 0, 1}};
    commit(flush);
    ASSERT_TRUE(catalog_->save_cursor(names[i], i));
  }
  ASSERT_TRUE(catalog_->save_cursor(std::string_view(), 2)) << "an empty view is an empty name";
  open();
  const CatalogState found = load();
  ASSERT_EQ(found.tables.size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    EXPECT_EQ(found.tables[i].database, names[i]);
    EXPECT_EQ(found.tables[i].name, names[i]);
    ASSERT_EQ(found.tables[i].columns.size(), 1U);
    EXPECT_EQ(found.tables[i].columns[0].name, names[i]);
    EXPECT_EQ(*catalog_->cursor(names[i]), Lsn{i});
  }
  EXPECT_EQ(found.positions.size(), names.size());
}

TEST_F(CatalogTest, RefusesWhatIsNotACatalogAndSaysWhatToDo) {
  ASSERT_TRUE(real_file_system().write_atomically(path_, std::string(8192, 'x')));
  const auto garbage = Catalog::open(path_);
  ASSERT_FALSE(garbage);
  EXPECT_EQ(garbage.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(garbage.error().message, HasSubstr(path_));
  EXPECT_THAT(garbage.error().message, HasSubstr("varve check --repair"));
  EXPECT_EQ(*real_file_system().read_all(path_), std::string(8192, 'x')) << "left as it was";
}

TEST_F(CatalogTest, RefusesAnotherProgramsOrANewerFile) {
  open();
  catalog_.reset();
  const std::string good = *real_file_system().read_all(path_);
  std::string foreign = good;
  foreign[68] = 'X';  // application id, in SQLite's file header
  ASSERT_TRUE(real_file_system().write_atomically(path_, foreign));
  EXPECT_EQ(Catalog::open(path_).error().code, ErrorCode::kCorruption);
  std::string newer = good;
  newer[63] = 9;  // user version
  ASSERT_TRUE(real_file_system().write_atomically(path_, newer));
  const auto opened = Catalog::open(path_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kUnsupported);
  EXPECT_THAT(opened.error().message, HasSubstr("version 9"));
}

TEST_F(CatalogTest, RefusesTheFileOfAnotherProgram) {
  // A plain SQLite file: ours without its mark.
  open();
  commit(flush_of(1, 1));
  catalog_.reset();
  std::string bytes = *real_file_system().read_all(path_);
  bytes.replace(60, 4, 4, '\0');  // user version
  bytes.replace(68, 4, 4, '\0');  // application id
  ASSERT_TRUE(real_file_system().write_atomically(path_, bytes));
  const auto opened = Catalog::open(path_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(opened.error().message, HasSubstr("another program"));
  EXPECT_TRUE(*real_file_system().read_all(path_) == bytes) << "left as it was";
}

// Every page overwritten in turn: an error with a name, or a catalog that still answers; never a crash.
TEST_F(CatalogTest, SurvivesDamageToAnyPage) {
  open();
  for (int i = 0; i < 200; ++i) {
    CatalogChange flush = flush_of(static_cast<uint32_t>(i), 1);
    flush.columns = {{"v", ColumnKind::kField, FieldType::kDouble}};
    flush.added_segments = {segment(i)};
    commit(flush);
  }
  catalog_.reset();
  const std::string good = *real_file_system().read_all(path_);
  constexpr size_t kPageBytes = 4096;
  int refused = 0;
  for (size_t page = 0; page < good.size() / kPageBytes; ++page) {
    std::string bad = good;
    for (size_t i = 0; i < kPageBytes; ++i)
      bad[page * kPageBytes + i] = static_cast<char>((i * 131 + page) & 0xff);
    ASSERT_TRUE(real_file_system().write_atomically(path_, bad));
    auto opened = Catalog::open(path_);
    const auto loaded = opened ? (*opened)->load() : Result<CatalogState>(opened.error());
    if (loaded) continue;
    ++refused;
    EXPECT_EQ(loaded.error().code, ErrorCode::kCorruption) << loaded.error().message;
  }
  EXPECT_GT(refused, 3);
}

TEST_F(CatalogTest, SaysWhenTheFolderIsMissing) {
  const auto opened = Catalog::open((folder_ / "no" / "catalog.db").string());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kIo);
  EXPECT_THAT(opened.error().message, HasSubstr("/no/catalog.db"));
}

}  // namespace
}  // namespace varve
