// Copies of a catalog, and a catalog whose whole content is replaced.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "storage/catalog/catalog.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

CatalogState some_state() {
  CatalogState state;
  CatalogTable table;
  table.id = 3;
  table.database = "varve";
  table.name = "water";
  table.columns = {{"site", ColumnKind::kTag, FieldType::kString},
                   {"ph", ColumnKind::kField, FieldType::kDouble}};
  table.flushed_lsn = 8;
  table.segments = {{5, "5.seg", 100, 1000, 3, -7, 9, 1, 8, 8}};
  table.tombstones = {{6, "6.del", 4}};
  state.tables = {table};
  state.removals = {"segments/4.seg"};
  state.positions = {{"stream", 2, 77}};
  state.positions_lsn = 9;
  state.replay_from_lsn = 5;
  return state;
}

void expect_same(const CatalogState& a, const CatalogState& b) {
  ASSERT_EQ(a.tables.size(), b.tables.size());
  for (size_t i = 0; i < a.tables.size(); ++i) {
    EXPECT_EQ(a.tables[i].id, b.tables[i].id);
    EXPECT_EQ(a.tables[i].name, b.tables[i].name);
    EXPECT_EQ(a.tables[i].flushed_lsn, b.tables[i].flushed_lsn);
    EXPECT_EQ(a.tables[i].columns.size(), b.tables[i].columns.size());
    ASSERT_EQ(a.tables[i].segments.size(), b.tables[i].segments.size());
    EXPECT_EQ(a.tables[i].segments[0].file, b.tables[i].segments[0].file);
    EXPECT_EQ(a.tables[i].segments[0].time_min, b.tables[i].segments[0].time_min);
    EXPECT_EQ(a.tables[i].tombstones.size(), b.tables[i].tombstones.size());
  }
  EXPECT_EQ(a.removals, b.removals);
  ASSERT_EQ(a.positions.size(), b.positions.size());
  EXPECT_EQ(a.positions[0].next_offset, b.positions[0].next_offset);
  EXPECT_EQ(a.positions_lsn, b.positions_lsn);
  EXPECT_EQ(a.replay_from_lsn, b.replay_from_lsn);
}

class CatalogCopyTest : public ::testing::Test {
 protected:
  std::map<std::string, std::string> bytes() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      all[entry.path().filename().string()] = *real_file_system().read_all(entry.path().string());
    }
    return all;
  }
  test::TempDir folder_;
  const std::string path_ = (folder_ / "catalog.db").string();
};

TEST_F(CatalogCopyTest, ReplacePutsAWholeStateInPlaceOfAnotherAndKeepsCursors) {
  const auto catalog = Catalog::open(path_);
  ASSERT_TRUE(catalog);
  ASSERT_TRUE((*catalog)->save_cursor("sink", 3));
  const std::string store_id = (*catalog)->load()->store_id;
  ASSERT_TRUE((*catalog)->replace(some_state()));
  expect_same(*(*catalog)->load(), some_state());
  CatalogState other = some_state();
  other.tables[0].id = 1;
  other.tables[0].columns.pop_back();
  other.tables[0].segments[0].file = "9.seg";
  other.removals.clear();
  ASSERT_TRUE((*catalog)->replace(other));
  const auto now = (*catalog)->load();
  ASSERT_TRUE(now);
  expect_same(*now, other);
  EXPECT_EQ(now->store_id, store_id);
  EXPECT_EQ(now->cursors_lsn, 3u);
}

TEST_F(CatalogCopyTest, ReadingACatalogLeftByACrashChangesNoByteOfIt) {
  auto catalog = Catalog::open(path_);
  ASSERT_TRUE(catalog);
  ASSERT_TRUE((*catalog)->replace(some_state()));
  // As a crash would leave them: the commit is in the log of the database alone.
  for (const char* suffix : {"", "-wal"}) {
    const auto left = real_file_system().read_all(path_ + suffix);
    ASSERT_TRUE(left);
    ASSERT_TRUE(real_file_system().write_atomically((folder_ / "crashed.db").string() + suffix, *left));
  }
  catalog->reset();
  const auto before = bytes();
  const auto state = read_catalog(real_file_system(), (folder_ / "crashed.db").string());
  ASSERT_TRUE(state) << state.error().message;
  expect_same(*state, some_state());
  EXPECT_EQ(bytes(), before);
}

TEST_F(CatalogCopyTest, ReadingADamagedOrEmptyCatalogSaysSoByItsOwnName) {
  for (const std::string& content : {std::string(), std::string(8192, 'x')}) {
    ASSERT_TRUE(real_file_system().write_atomically(path_, content));
    const auto state = read_catalog(real_file_system(), path_);
    ASSERT_FALSE(state);
    EXPECT_EQ(state.error().code, ErrorCode::kCorruption);
    EXPECT_THAT(state.error().message, HasSubstr("the catalog " + path_));
    EXPECT_EQ(bytes().size(), 1u);
  }
  EXPECT_EQ(read_catalog(real_file_system(), path_ + "x").error().code, ErrorCode::kNotFound);
}

TEST_F(CatalogCopyTest, ACopyOfACatalogInUseIsWholeAndOneFile) {
  const auto catalog = Catalog::open(path_);
  ASSERT_TRUE(catalog);
  ASSERT_TRUE((*catalog)->replace(some_state()));
  ASSERT_TRUE((*catalog)->save_cursor("sink", 3));
  const test::TempDir other;
  const std::string copy = (other / "copy.db").string();
  const auto copied = copy_catalog(real_file_system(), path_, copy);
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_FALSE(std::filesystem::exists(copy + "-wal"));
  const auto opened = Catalog::open(copy);
  ASSERT_TRUE(opened);
  expect_same(*(*opened)->load(), some_state());
  EXPECT_EQ((*opened)->load()->store_id, (*catalog)->load()->store_id);
  EXPECT_EQ((*opened)->load()->cursors_lsn, 3u);
  EXPECT_FALSE(copy_catalog(real_file_system(), path_, copy)) << "it exists";
}

}  // namespace
}  // namespace varve
