#include "storage/catalog/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;

StoredToken token(const std::string& name, Role role = Role::kRead, std::vector<std::string> tables = {}) {
  return {name, std::string(64, 'a'), role, std::move(tables), 7};
}

class Tokens : public ::testing::Test {
 protected:
  std::string folder() const { return folder_.path().string(); }
  std::string file() const { return (folder_ / "tokens.db").string(); }
  std::unique_ptr<TokenStore> open() {
    auto store = TokenStore::open(folder());
    EXPECT_TRUE(store.has_value()) << store.error().message;
    return std::move(*store);
  }
  TempDir folder_;
};

TEST_F(Tokens, AreKeptAcrossAnOpen) {
  EXPECT_TRUE(open()->add(token("b", Role::kWrite, {"varve.water", "lab.*"})).has_value());
  EXPECT_TRUE(open()->add(token("a", Role::kAdmin)).has_value());
  const auto list = open()->list();
  ASSERT_TRUE(list.has_value());
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ((*list)[0].name, "a");
  EXPECT_EQ((*list)[0].role, Role::kAdmin);
  EXPECT_EQ((*list)[1].tables, (std::vector<std::string>{"varve.water", "lab.*"}));
  EXPECT_EQ((*list)[1].created_ns, 7);
  EXPECT_EQ(*open()->remove("a"), true);
  EXPECT_EQ(*open()->remove("a"), false);
  EXPECT_EQ(open()->list()->size(), 1u);
}

TEST_F(Tokens, ThatAreChangedElsewhereAreNoticed) {
  const auto here = open();
  const auto there = open();
  const int64_t before = *here->version();
  EXPECT_EQ(*here->version(), before);
  EXPECT_TRUE(there->add(token("a")).has_value());
  EXPECT_NE(*here->version(), before);
  EXPECT_EQ(here->list()->size(), 1u);
}

TEST_F(Tokens, HaveOneNameEachAndAPlainOne) {
  const auto store = open();
  EXPECT_TRUE(store->add(token("grafana-1.x_y")).has_value());
  EXPECT_THAT(store->add(token("grafana-1.x_y")).error().message, HasSubstr("there is a token"));
  for (const std::string wrong : {"", "a b", "a/b", "a\n", "\xc3\xa9", "'; DROP TABLE tokens; --"}) {
    EXPECT_EQ(store->add(token(wrong)).error().code, ErrorCode::kInvalidArgument) << wrong;
  }
  EXPECT_EQ(store->add(token(std::string(65, 'a'))).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(store->list()->size(), 1u);
}

TEST_F(Tokens, FileIsForItsOwnerAlone) {
  const mode_t before = ::umask(0);
  open();
  ::umask(before);
  struct stat facts {};
  ASSERT_EQ(::stat(file().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

TEST_F(Tokens, FileMustNotBeALink) {
  std::ofstream(folder_ / "elsewhere") << "";
  std::filesystem::create_symlink(folder_ / "elsewhere", file());
  EXPECT_EQ(TokenStore::open(folder()).error().code, ErrorCode::kIo);
}

TEST_F(Tokens, DamageIsNamedAndLetsNobodyIn) {
  ASSERT_TRUE(open()->add(token("a")).has_value());
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "UPDATE tokens SET role = 2", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  const auto raised = open()->list();
  ASSERT_FALSE(raised.has_value());
  EXPECT_EQ(raised.error().code, ErrorCode::kCorruption);
  EXPECT_THAT(raised.error().message, HasSubstr("tokens.db"));
  EXPECT_THAT(raised.error().message, HasSubstr("remove the file"));

  std::ofstream(file(), std::ios::trunc) << "this is no database, but it is long enough to look like one";
  EXPECT_EQ(TokenStore::open(folder()).error().code, ErrorCode::kCorruption);
}

TEST_F(Tokens, OfAnotherProgramAreLeftAlone) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(file().c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE theirs (x)", nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(db);
  EXPECT_THAT(TokenStore::open(folder()).error().message, HasSubstr("another program"));
}

TEST_F(Tokens, AreCopiedWithABackup) {
  std::filesystem::create_directory(folder_ / "copy");
  const std::string to = (folder_ / "copy").string();
  EXPECT_TRUE(copy_tokens(real_file_system(), folder(), to).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "copy" / "tokens.db")) << "there are none";
  ASSERT_TRUE(open()->add(token("a")).has_value());
  const mode_t before = ::umask(0);
  EXPECT_TRUE(copy_tokens(real_file_system(), folder(), to).has_value());
  ::umask(before);
  const auto copied = TokenStore::open(to);
  ASSERT_TRUE(copied.has_value());
  EXPECT_EQ((*copied)->list()->at(0).name, "a");
  struct stat facts {};
  ASSERT_EQ(::stat((to + "/tokens.db").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace varve::test
