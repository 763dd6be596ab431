// The kill tests are worth what their checker sees: each planted bug must be caught, for its own reason.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/crash/kill_loop.h"
#include "tests/crash/ledger.h"
#include "tests/crash/workload.h"

namespace varve::test {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class Checker : public testing::Test {
 protected:
  // The driver writes for a while and is killed.
  void write_and_kill(const std::string& how = {}) {
    const CycleResult result = life_.cycle({.after_ms = 300, .how = how});
    ASSERT_TRUE(result.killed) << result.wrong;
  }
  // It writes its time out and closes the store.
  void write_and_close() {
    const CycleResult result = life_.cycle({.point = "no.such_point"});
    ASSERT_FALSE(result.killed);
    ASSERT_EQ(result.wrong, "");
  }

  std::vector<fs::path> files_in(const std::string& below) const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(fs::path(life_.folder()) / below)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  StoreLife life_{test_seed()};
};

TEST_F(Checker, FindsNothingWrongWithASoundStore) {
  write_and_kill();
  write_and_close();
  EXPECT_EQ(life_.finish(), "");
}

TEST_F(Checker, SeesAnAcknowledgementBeforeTheWrite) {
  ASSERT_TRUE(life_.cycle({.point = "log.before_write", .pass = 20, .how = "acknowledges_early"}).killed);
  EXPECT_THAT(life_.finish(), HasSubstr("were acknowledged, the store has"));
}

TEST_F(Checker, SeesALostRow) {
  write_and_kill("loses_a_row");
  EXPECT_THAT(life_.finish(), HasSubstr("is lost"));
}

TEST_F(Checker, SeesARowThatIsThereTwice) {
  write_and_kill("writes_a_row_twice");
  EXPECT_THAT(life_.finish(), AnyOf(HasSubstr("is there twice"), HasSubstr("has time")));
}

TEST_F(Checker, SeesAChangedValue) {
  write_and_kill("changes_a_value");
  EXPECT_THAT(life_.finish(), HasSubstr("has another value"));
}

TEST_F(Checker, SeesRowsThatWereNeverSent) {
  write_and_kill("invents_steps");
  EXPECT_THAT(life_.finish(), HasSubstr("but only 0 steps were sent"));
}

TEST_F(Checker, SeesACursorSavedBeforeItsDelivery) {
  ASSERT_TRUE(life_.cycle({.point = "cursor.after_save", .pass = 2, .how = "saves_before_delivery"}).killed);
  EXPECT_THAT(life_.finish(), HasSubstr("never came"));
}

TEST_F(Checker, SeesALedgerWithAStepNeverSent) {
  write_and_kill();
  LedgerFile(writer_ledger_path(life_.folder() + "/ledger", 0)).acknowledged(1'000'000);
  EXPECT_THAT(life_.finish(), HasSubstr("was acknowledged, never sent"));
}

TEST_F(Checker, SeesALogThatIsGone) {
  ASSERT_TRUE(life_.cycle({.point = "flush.before_commit", .pass = 3}).killed);
  for (const fs::path& file : files_in("data/wal")) fs::remove(file);
  EXPECT_THAT(life_.finish(), AnyOf(HasSubstr("were acknowledged, the store has"), HasSubstr("FAILED")));
}

TEST_F(Checker, SeesASegmentSwappedForAnOlderOne) {
  write_and_close();
  const auto segments = files_in("data/segments");
  ASSERT_GE(segments.size(), 2U);
  fs::copy_file(segments.front(), segments.back(), fs::copy_options::overwrite_existing);
  EXPECT_THAT(life_.finish(), HasSubstr("FAILED"));
}

TEST_F(Checker, SeesACatalogRestoredFromAnOlderCopy) {
  write_and_close();
  const fs::path catalog = fs::path(life_.folder()) / "data/catalog.db";
  fs::copy_file(catalog, catalog.string() + ".old");
  write_and_close();
  fs::rename(catalog.string() + ".old", catalog);
  EXPECT_THAT(life_.finish(), AnyOf(HasSubstr("were acknowledged, the store has"), HasSubstr("FAILED")));
}

}  // namespace
}  // namespace varve::test
