// Every format ever released stays readable, with the same answers, before and after a repair that has nothing to do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/golden/golden_store.h"
#include "tests/storage/check/store_fixture.h"

namespace varve::test {
namespace {

namespace fs = std::filesystem;
using ::testing::IsEmpty;

std::vector<std::string> formats() {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(VARVE_SOURCE_DIR "/tests/golden")) {
    if (entry.is_directory()) found.push_back(entry.path().string());
  }
  return found;
}

// Empty folders are not kept by version control.
void copy_store(const std::string& format, const std::string& to) {
  fs::copy(format + "/store", to, fs::copy_options::recursive);
  for (const char* folder : {"segments", "tombstones", "wal"}) fs::create_directories(to + "/" + folder);
}

TEST(GoldenStores, EveryFormatIsCleanAndAnswersAsItDid) {
  ASSERT_FALSE(formats().empty());
  for (const std::string& format : formats()) {
    SCOPED_TRACE(format);
    const TempDir work;
    const std::string data = (work / "data").string();
    copy_store(format, data);
    const CheckReport report = check(data);
    EXPECT_THAT(report.problems, IsEmpty());
    EXPECT_GT(report.log_records, 0u);
    EXPECT_EQ(describe_store(data), read_file(format + "/expected.txt"));
    EXPECT_EQ(describe_store(data), read_file(format + "/expected.txt")) << "flushed and opened again";
    EXPECT_THAT(check(data).problems, IsEmpty());
  }
}

TEST(GoldenStores, EveryFormatAnswersTheSameWithItsCatalogRebuilt) {
  for (const std::string& format : formats()) {
    SCOPED_TRACE(format);
    const TempDir work;
    const std::string data = (work / "data").string();
    copy_store(format, data);
    fs::remove(data + "/catalog.db");
    check(data, true);
    EXPECT_THAT(check(data).problems, IsEmpty());
    EXPECT_EQ(describe_store(data), read_file(format + "/expected.txt"));
  }
}

}  // namespace
}  // namespace varve::test
