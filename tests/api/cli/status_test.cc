// `varve status` and the log of the built program, as a user sees them; and /metrics of a server that does real work.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/exposition.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

constexpr seconds kPatience{90};  // a sanitized build on a busy machine

class Status : public ::testing::Test {
 protected:
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::unique_ptr<Process> serve(const std::string& more = "") {
    const std::string path = (folder_ / "varve.toml").string();
    std::ofstream(path) << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n[storage]\ndata = \""
                        << (folder_ / "data").string() << "\"\n"
                        << more;
    auto process = std::make_unique<Process>(
        std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", path});
    EXPECT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, kPatience))
        << process->log_tail();
    return process;
  }
  Finished status(std::vector<std::string> more = {}) {
    std::vector<std::string> words{VARVE_BINARY, "status", "--url", url()};
    words.insert(words.end(), more.begin(), more.end());
    return run(words, kPatience);
  }

  TempDir folder_;
  uint16_t port_ = free_port();
};

TEST_F(Status, PrintsOneScreenOrJson) {
  const auto server = serve();
  EXPECT_EQ(http_post(url() + "/write", "water,site=a v=1.5\n", "text/plain").status, 204);
  const Finished screen = status();
  EXPECT_EQ(screen.exit_code, 0) << screen.err;
  EXPECT_THAT(screen.out, HasSubstr("varve 0."));
  EXPECT_THAT(screen.out, HasSubstr("\nwater "));
  EXPECT_THAT(screen.out, HasSubstr("problems: none\n"));
  EXPECT_THAT(screen.out, Not(HasSubstr("\x1b"))) << "colours are for terminals";
  const Finished json = status({"--format", "json"});
  EXPECT_EQ(json.exit_code, 0) << json.err;
  const Json parsed = Json::parse(json.out);
  EXPECT_EQ(parsed["problems"], Json::array());
  EXPECT_EQ(parsed["tables"][0]["name"], "water");
  const Finished ready = status({"--ready"});
  EXPECT_EQ(ready.exit_code, 0) << ready.err;
  EXPECT_THAT(ready.out, HasSubstr("ready\n"));
}

TEST_F(Status, WatchesUntilItIsInterrupted) {
  const auto server = serve();
  Process watch({VARVE_BINARY, "status", "--url", url(), "--watch", "100ms"});
  const auto screens = [&] {
    const std::string out = watch.out();
    size_t count = 0;
    for (size_t at = out.find("problems: "); at != std::string::npos; at = out.find("problems: ", at + 1))
      ++count;
    return count;
  };
  EXPECT_TRUE(wait_until([&] { return screens() >= 3; }, kPatience)) << watch.log_tail();
  watch.signal(SIGINT);
  EXPECT_EQ(watch.wait(kPatience), 0);
}

TEST_F(Status, SaysWhenNobodyAnswersAndWhatIsNoDuration) {
  const Finished nobody = status();
  EXPECT_EQ(nobody.exit_code, 1);
  EXPECT_THAT(nobody.err, HasSubstr("is varve running there?"));
  EXPECT_EQ(status({"--ready"}).exit_code, 1);
  const Finished wrong = status({"--watch", "soon"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--watch"));
}

TEST_F(Status, MetricsOfAServerAtWorkAreWellFormed) {
  const auto server =
      serve("[[kafka]]\nbrokers = \"127.0.0.1:" + std::to_string(free_port()) +
            "\"\n[[mirror]]\nurl = \"http://127.0.0.1:" + std::to_string(free_port()) + "\"\n");
  EXPECT_EQ(
      http_post(url() + "/write", "water,site=a v=1.5\nodd\\ name,q=\"x\\\\y v=1\n", "text/plain").status,
      204);
  EXPECT_EQ(http_get(url() + "/api/v1/query?q=" + url_encode("SELECT * FROM water")).status, 200);
  EXPECT_EQ(http_get(url() + "/no/such/route").status, 404);
  const HttpAnswer answer = http_get(url() + "/metrics");
  EXPECT_EQ(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  const Exposition read = read_exposition(answer.body);
  EXPECT_EQ(read.fault, "");
  for (const char* histogram : {"varve_wal_sync_seconds", "varve_query_seconds", "varve_flush_seconds",
                                "varve_compaction_seconds", "varve_http_request_seconds"}) {
    ASSERT_TRUE(read.families.contains(histogram)) << histogram;
    EXPECT_EQ(read.families.at(histogram).type, "histogram");
  }
  EXPECT_GT(read.value("varve_wal_sync_seconds_count"), 0);
  EXPECT_EQ(read.value("varve_query_seconds_count"), 1);
  EXPECT_EQ(read.value("varve_table_rows", {{"table", "water"}}), 1);
  EXPECT_LT(read.value("varve_table_freshness_seconds", {{"table", "water"}}), 600);
  EXPECT_GT(read.value("varve_disk_headroom_bytes"), 0);
  EXPECT_TRUE(read.has("varve_mirror_backlog_rows", {{"mirror", "mirror.0"}}));
  EXPECT_TRUE(read.has("varve_ingest_lag_messages", {{"source", "kafka.0"}}));
}

TEST_F(Status, TheLogIsJsonWhenAskedFor) {
  const auto server = serve(
      "[log]\nformat = \"json\"\n[[kafka]]\nbrokers = \"127.0.0.1:" + std::to_string(free_port()) + "\"\n");
  EXPECT_TRUE(wait_until([&] { return server->err().find("cannot reach") != std::string::npos; }, kPatience));
  EXPECT_EQ(server->stop(kPatience), 0) << server->log_tail();
  std::istringstream lines(server->err());
  size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const Json json = Json::parse(line, nullptr, false);
    ASSERT_TRUE(json.is_object()) << line;
    for (const char* key : {"time", "level", "component", "message"}) EXPECT_TRUE(json.contains(key)) << line;
  }
  EXPECT_GE(count, 3U);
}

TEST_F(Status, TheLogIsQuietWhenAskedFor) {
  const auto server = serve("[log]\nlevel = \"error\"\n");
  EXPECT_EQ(server->stop(kPatience), 0) << server->log_tail();
  EXPECT_EQ(server->err(), "");
}

}  // namespace
}  // namespace varve::test
