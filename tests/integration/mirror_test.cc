// The real binary mirroring: killed while it drains into a scripted server, and backfilling a real InfluxDB.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "tests/support/fake_influx.h"
#include "tests/support/http_client.h"
#include "tests/support/influxd_server.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

class MirrorOfTheBinary : public ::testing::Test {
 protected:
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  void start(const std::string& influx) {
    std::ofstream out(folder_ / "varve.toml");
    out << fmt::format(
        "[server]\nlisten = \"127.0.0.1:{}\"\n[storage]\ndata = \"{}\"\n[[mirror]]\nurl = \"{}\"\n"
        "batch_lines = 1000\n",
        port_, (folder_ / "data").string(), influx);
    out.close();
    varve_ = std::make_unique<Process>(std::vector<std::string>{
        VARVE_BINARY, "serve", "--allow-root", "--config", (folder_ / "varve.toml").string()});
    ASSERT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, seconds(60)))
        << varve_->log_tail();
  }
  void write(int from, int to) {
    std::string lines;
    for (int i = from; i < to; ++i)
      lines += fmt::format("m,site=s{} v={}i {}\n", i % 10, i, 1'700'000'000'000'000'000 + i);
    ASSERT_EQ(http_post(url() + "/write", lines, "text/plain").status, 204);
  }

  TempDir folder_;
  uint16_t port_ = free_port();
  std::unique_ptr<Process> varve_;
};

TEST_F(MirrorOfTheBinary, AKillWhileDrainingLosesNothingAndSendsLittleTwice) {
  constexpr int kRows = 40'000;
  FakeInflux influx;
  start(influx.url());
  for (int i = 0; i < kRows; i += 500) write(i, i + 500);
  influx.start();
  int kills = 0;
  for (const size_t seen : {size_t{3000}, size_t{15'000}, size_t{30'000}}) {
    ASSERT_TRUE(influx.wait_until([&] { return influx.lines("varve").size() >= seen; }));
    varve_->kill();
    ++kills;
    start(influx.url());
  }
  std::map<std::string, int> times;
  ASSERT_TRUE(influx.wait_until([&] {
    times.clear();
    for (const std::string& line : influx.lines("varve")) ++times[line];
    return times.size() == kRows;
  })) << times.size();
  int again = 0;
  for (const auto& [line, count] : times) again += count - 1;
  // A kill costs what was acknowledged since the position was saved, at most one batch, and the batch in flight.
  EXPECT_LE(again, kills * 2 * 1000);
}

TEST_F(MirrorOfTheBinary, BackfillsARealInfluxDb) {
  constexpr int kRows = 20'000;
  InfluxdServer influxd;
  influxd.start();
  start(influxd.url());
  for (int i = 0; i < kRows; i += 5000) write(i, i + 5000);
  const auto count = [&] { return influxd.query("SELECT count(v) FROM m", "varve"); };
  const std::string all = fmt::format(",{}]]", kRows);
  ASSERT_TRUE(wait_until([&] { return count().find(all) != std::string::npos; }, seconds(30))) << count();
  influxd.query("DROP MEASUREMENT m", "varve");
  const Finished done = run({VARVE_BINARY, "mirror", "backfill", "--url", url(), "--from",
                             "2023-11-14T00:00:00Z", "--to", "2023-11-15T00:00:00Z", "--table", "m"});
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_NE(done.out.find("20,000 rows sent again"), std::string::npos) << done.out;
  EXPECT_NE(count().find(all), std::string::npos) << count();
  const Finished refused =
      run({VARVE_BINARY, "mirror", "backfill", "--url", url(), "--from", "2023-11-14T00:00:00Z", "--to",
           "2023-11-15T00:00:00Z", "--mirror", "mirror.7"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_NE(refused.err.find("mirror.7"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace varve::test
