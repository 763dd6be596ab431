#include "tests/support/fault_vfs.h"

#include <gtest/gtest.h>

#include "storage/catalog/catalog.h"

namespace varve {
namespace {

constexpr const char* kPath = "/d/catalog.db";

class FaultVfsTest : public testing::Test {
 protected:
  FaultVfsTest() { EXPECT_TRUE(files_.create_directories("/d")); }

  std::optional<Lsn> saved(std::string_view name) {
    auto catalog = Catalog::open(kPath, vfs_.name());
    EXPECT_TRUE(catalog) << catalog.error().message;
    if (!catalog) return std::nullopt;
    auto cursor = (*catalog)->cursor(name);
    EXPECT_TRUE(cursor) << cursor.error().message;
    return cursor ? *cursor : std::nullopt;
  }

  FaultFileSystem files_;
  FaultVfs vfs_{files_};
};

TEST_F(FaultVfsTest, ACommittedChangeSurvivesAPowerCut) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Lsn lsn = 10 + seed;
    {
      auto catalog = Catalog::open(kPath, vfs_.name());
      ASSERT_TRUE(catalog) << "seed " << seed << ": " << catalog.error().message;
      ASSERT_TRUE((*catalog)->save_cursor("sink", lsn));
      files_.cut_now();
    }
    files_.power_cut(seed);
    EXPECT_EQ(saved("sink"), lsn) << "seed " << seed;
  }
}

TEST_F(FaultVfsTest, ACommitWhoseSyncDoesNothingIsLost) {
  { ASSERT_TRUE(Catalog::open(kPath, vfs_.name())); }
  {
    auto catalog = Catalog::open(kPath, vfs_.name());
    ASSERT_TRUE(catalog);
    files_.lie([](FileCall call, std::string_view) { return call == FileCall::kSync; });
    ASSERT_TRUE((*catalog)->save_cursor("sink", 7));
    files_.cut_now();
  }
  files_.lie({});
  files_.power_cut();
  EXPECT_EQ(saved("sink"), std::nullopt);
}

TEST_F(FaultVfsTest, WhatACatalogShowsAfterAKillSurvivesAPowerCut) {
  {
    auto catalog = Catalog::open(kPath, vfs_.name());
    ASSERT_TRUE(catalog);
    files_.lie([](FileCall call, std::string_view) { return call == FileCall::kSync; });
    ASSERT_TRUE((*catalog)->save_cursor("sink", 7));
    files_.cut_now();
  }
  files_.lie({});
  files_.kill();
  {
    auto catalog = Catalog::open(kPath, vfs_.name());
    ASSERT_TRUE(catalog);
    EXPECT_EQ(*(*catalog)->cursor("sink"), 7U);
    files_.cut_now();
  }
  files_.power_cut();
  EXPECT_EQ(saved("sink"), 7U);
}

TEST_F(FaultVfsTest, AFailingCallFailsTheCommitAndNamesTheFile) {
  auto catalog = Catalog::open(kPath, vfs_.name());
  ASSERT_TRUE(catalog);
  files_.fail(FileCall::kWriteInPlace, 1, exhausted("No space left on device"));
  const auto full = (*catalog)->save_cursor("sink", 7);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kExhausted);
  EXPECT_NE(full.error().message.find(kPath), std::string::npos) << full.error().message;
  files_.fail(FileCall::kSync, 1);
  EXPECT_EQ((*catalog)->save_cursor("sink", 7).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace varve
