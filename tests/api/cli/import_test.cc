// `varve import` against a real server: from a CSV file to rows, and what is said about those that do not fit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/http_client.h"
#include "tests/support/process.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;

constexpr seconds kPatience{90};

class CsvImport : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string config = (folder_ / "varve.toml").string();
    std::ofstream(config) << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n[storage]\ndata = \""
                          << (folder_ / "data").string() << "\"\n";
    server_ = std::make_unique<Process>(
        std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", config});
    ASSERT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, kPatience))
        << server_->log_tail();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  Finished import(const std::string& csv, std::vector<std::string> more = {}) {
    const std::string path = (folder_ / "a.csv").string();
    std::ofstream(path) << csv;
    std::vector<std::string> argv{VARVE_BINARY, "import",        "--csv", path,    "--table",
                                  "m",          "--time-column", "When",  "--url", url()};
    argv.insert(argv.end(), more.begin(), more.end());
    return run(argv, kPatience);
  }
  std::string query(const std::string& sql) {
    return run({VARVE_BINARY, "query", sql, "--url", url(), "--format", "csv"}, kPatience).out;
  }

  TempDir folder_;
  uint16_t port_ = free_port();
  std::unique_ptr<Process> server_;
};

TEST_F(CsvImport, StoresEveryRowAndChoosesTags) {
  const std::string csv =
      "When,Site Name,Water Temp,ok,note\n"
      "2025-01-01 12:00:00,\"Pier, \"\"north\"\"=1\",20.5,true,\"a \"\"word\"\"\"\n"
      "2025-01-01 12:00:01,bay,,false,\n";
  const Finished done = import(csv, {"--tags", "site_name", "--time-zone", "Europe/Paris"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("2 rows stored in m"));
  EXPECT_THAT(done.out, HasSubstr("tags: site_name\nfields: note, ok, water_temp\n"));
  EXPECT_EQ(query("SELECT time, site_name, water_temp, ok, note FROM m ORDER BY time"),
            "time,site_name,water_temp,ok,note\r\n"
            "2025-01-01T11:00:00Z,\"Pier, \"\"north\"\"=1\",20.5,true,\"a \"\"word\"\"\"\r\n"
            "2025-01-01T11:00:01Z,bay,,false,\r\n");
  EXPECT_EQ(import(csv, {"--tags", "site_name", "--time-zone", "Europe/Paris"}).exit_code, 0);
  EXPECT_THAT(query("SELECT count(*) FROM m"), HasSubstr("\n2\r\n")) << "the same points again";
  EXPECT_EQ(import("When,Site,v\n2025-01-01,a,1\n").exit_code, 0);
  EXPECT_THAT(query("DESCRIBE m"), HasSubstr("site,tag,string")) << "text with few values";
}

TEST_F(CsvImport, SendsManyRowsInBatches) {
  std::string csv = "When,Site,v\n";
  for (int i = 0; i < 60'000; ++i) {
    csv += std::to_string(1735689600 + i) + ",site" + std::to_string(i % 7) + "," + std::to_string(i) + "\n";
  }
  const Finished done = import(csv);
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(query("SELECT count(*), sum(v) FROM m"), HasSubstr("60000,1799970000.0"));
}

TEST_F(CsvImport, NamesRowsItCannotStoreAndStoresTheOthers) {
  const Finished done = import(
      "When,Site,v\n2025-01-01,a,1\nyesterday,a,2\n,a,3\n2025-01-02,a\n2025-01-03,a,\n2025-01-04,a,5\n",
      {"--tags", "site"});
  EXPECT_EQ(done.exit_code, 1);
  EXPECT_THAT(done.err, HasSubstr("refused: row 2: yesterday is no time"));
  EXPECT_THAT(done.err, HasSubstr("refused: row 3: it has no time"));
  EXPECT_THAT(done.err, HasSubstr("refused: row 4: not as many cells as the header"));
  EXPECT_THAT(done.err, HasSubstr("refused: row 5: it has no value beside its tags"));
  EXPECT_THAT(done.err, HasSubstr("varve: 4 of 6 rows were refused"));
  EXPECT_THAT(query("SELECT count(*) FROM m"), HasSubstr("\n2\r\n"));
}

TEST_F(CsvImport, PassesOnWhatTheServerRefuses) {
  ASSERT_EQ(http_post(url() + "/write", "m v=\"text\" 1\n", "text/plain").status, 204);
  const Finished done = import("When,Site,v\n2025-01-01,a,1\n", {"--tags", "site"});
  EXPECT_EQ(done.exit_code, 1);
  EXPECT_THAT(done.err, HasSubstr("partial write"));
  EXPECT_THAT(done.err, HasSubstr("1 of 1 rows were refused"));
}

TEST_F(CsvImport, SaysWhatIsMissing) {
  EXPECT_THAT(import("a,b\n1,2\n").err, HasSubstr("has no column \"When\""));
  server_->stop();
  const Finished away = import("When,v\n2025-01-01,1\n");
  EXPECT_EQ(away.exit_code, 1);
  EXPECT_THAT(away.err, HasSubstr("no answer from " + url()));
}

}  // namespace
}  // namespace varve::test
