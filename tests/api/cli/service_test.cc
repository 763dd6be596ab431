// The built program asked to end or to read its configuration again, with requests under way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>

#include "tests/api/http/raw_client.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr seconds kPatience{90};  // a sanitized build on a busy machine

class Service : public ::testing::Test {
 protected:
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  void write_config(const std::string& server, const std::string& more = "") {
    std::ofstream(file_) << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n"
                         << server << "\n[storage]\ndata = \"" << (folder_ / "data").string() << "\"\n"
                         << more;
  }
  void serve(const std::string& server = "", const std::string& more = "") {
    write_config(server, more);
    process_ = std::make_unique<Process>(
        std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", file_});
    ASSERT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, kPatience))
        << process_->log_tail();
  }
  bool logged(const std::string& text) {
    return wait_until([&] { return process_->err().find(text) != std::string::npos; }, kPatience);
  }
  // Sends a request that is answered for as long as its reader takes: rows made up by the SQL.
  static void begin_long_answer(RawClient& client) {
    const std::string sql =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
        "SELECT i, 'some text to make a row of some hundred bytes, so that the buffers of a connection are "
        "full "
        "soon' AS t FROM n";
    client.send(
        "POST /api/v1/query?format=ndjson HTTP/1.1\r\nHost: h\r\nContent-Type: "
        "text/plain\r\nContent-Length: " +
        std::to_string(sql.size()) + "\r\n\r\n" + sql);
  }
  bool is_draining() {
    return wait_until([&] { return http_get(url() + "/readyz").body == "draining\n"; }, kPatience);
  }

  TempDir folder_;
  const std::string file_ = (folder_ / "varve.toml").string();
  uint16_t port_ = free_port();
  std::unique_ptr<Process> process_;
};

TEST_F(Service, FinishesAnswersThatHaveBegunAndRefusesNewOnes) {
  serve();
  ASSERT_EQ(http_post(url() + "/write", "water ph=7 1\n", "text/plain").status, 204);
  RawClient reader(port_);
  begin_long_answer(reader);
  reader.receive(1);  // it has begun
  const std::string line = "water ph=8 2\n";
  RawClient writer(port_);
  writer.send("POST /write HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(line.size()) +
              "\r\n\r\n" + line.substr(0, 5));
  RawClient live(port_);
  live.send("GET /api/v1/live?table=water HTTP/1.1\r\nHost: h\r\n\r\n");
  std::string live_text;
  while (live_text.find("event: open") == std::string::npos) live_text += live.receive();
  // Each is being answered, and so is the look at it.
  ASSERT_TRUE(wait_until(
      [&] {
        return http_get(url() + "/metrics").body.find("varve_http_requests_in_flight 4") != std::string::npos;
      },
      kPatience));
  process_->signal(SIGTERM);
  ASSERT_TRUE(is_draining()) << process_->log_tail();
  EXPECT_EQ(http_get(url() + "/readyz").status, 503);
  EXPECT_EQ(http_get(url() + "/healthz").status, 200);
  const HttpAnswer refused = http_get(url() + "/api/v1/tables");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("Connection"), "close");
  EXPECT_THAT(refused.body, HasSubstr("\"draining\""));
  while (!live_text.ends_with("\r\n0\r\n\r\n")) {
    const std::string piece = live.receive();
    ASSERT_FALSE(piece.empty()) << "the stream was cut";
    live_text += piece;
  }
  EXPECT_THAT(live_text, HasSubstr("\"reason\":\"stopping\""));
  writer.send(line.substr(5));
  EXPECT_EQ(writer.answer().status, 204);
  std::string all;
  for (std::string piece = reader.receive(); !piece.empty(); piece = reader.receive()) {
    all += piece;
    if (all.ends_with("\r\n0\r\n\r\n")) break;
  }
  EXPECT_TRUE(all.ends_with("\r\n0\r\n\r\n")) << "the answer was cut";
  EXPECT_THAT(all, HasSubstr("{\"i\":200000,"));
  EXPECT_EQ(process_->wait(kPatience), 0) << process_->log_tail();
  // What was acknowledged while it drained is there.
  serve();
  EXPECT_THAT(http_get(url() + "/api/v1/query?format=csv&q=SELECT%20count(*)%20AS%20n%20FROM%20water").body,
              HasSubstr("2"));
}

TEST_F(Service, CutsAnswersWhenTheDrainTakesTooLong) {
  serve("drain_timeout = \"200ms\"");
  RawClient reader(port_);
  begin_long_answer(reader);
  reader.receive(1);
  process_->signal(SIGTERM);
  const auto signalled = std::chrono::steady_clock::now();
  EXPECT_EQ(process_->wait(kPatience), 0) << process_->log_tail();
  // Readers have 10 s to take what they are sent; nobody waits for that any more.
  EXPECT_LT(std::chrono::steady_clock::now() - signalled, seconds(9));
  EXPECT_THAT(process_->err(), HasSubstr("1 answers are cut: server.drain_timeout is over"));
}

TEST_F(Service, ASecondSignalEndsItAtOnce) {
  serve("drain_timeout = \"1h\"");
  RawClient reader(port_);
  begin_long_answer(reader);
  reader.receive(1);
  process_->signal(SIGTERM);
  ASSERT_TRUE(is_draining());
  process_->signal(SIGINT);
  EXPECT_EQ(process_->wait(kPatience), 128 + SIGINT) << process_->log_tail();
  EXPECT_THAT(process_->err(), HasSubstr("second signal"));
}

TEST_F(Service, ReadsItsConfigurationAgain) {
  serve("access_log = \"off\"", "[query]\nmax_rows = 1000\n");
  ASSERT_EQ(http_post(url() + "/write", "water ph=7 1\nwater ph=8 2\nair ph=1 1\n", "text/plain").status,
            204);
  const std::string rows = url() + "/api/v1/query?q=SELECT%20*%20FROM%20water";
  EXPECT_EQ(http_get(rows).status, 200);
  EXPECT_EQ(http_get(url() + "/first").status, 404);

  write_config("access_log = \"errors\"\nlive_readers = 3",
               "retention = \"2w\"\n[storage.tables.air]\nretention = \"1d\"\n[query]\nmax_rows = 1\n");
  process_->signal(SIGHUP);
  ASSERT_TRUE(logged("SIGHUP: needs a restart, until then the old value stays: server.live_readers"))
      << process_->log_tail();
  EXPECT_THAT(process_->err(),
              HasSubstr("SIGHUP: applied query.max_rows, server.access_log, storage.retention, "
                        "storage.tables.air.retention"));
  EXPECT_EQ(http_get(rows).status, 422);
  EXPECT_THAT(http_get(url() + "/api/v1/tables/water").body, HasSubstr("\"retention\":\"2w\""));
  EXPECT_THAT(http_get(url() + "/api/v1/tables/air").body, HasSubstr("\"retention\":\"1d\""));
  EXPECT_EQ(http_get(url() + "/second").status, 404);
  EXPECT_TRUE(logged("GET /second 404 "));
  EXPECT_THAT(process_->err(), Not(HasSubstr("/first")));

  // A mistake keeps everything, and is named with its line.
  std::ofstream(file_, std::ios::app) << "max_rowz = 5\n";
  process_->signal(SIGHUP);
  ASSERT_TRUE(logged("SIGHUP: nothing was changed: " + file_ + ":"));
  EXPECT_THAT(process_->err(), HasSubstr("query.max_rowz"));
  EXPECT_EQ(http_get(rows).status, 422);
  EXPECT_EQ(process_->stop(kPatience), 0) << process_->log_tail();
}

TEST_F(Service, ListsARequestsIdWithItsQuery) {
  serve("access_log = \"all\"");
  RawClient reader(port_);
  const std::string sql =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000000000) SELECT count(*) "
      "FROM n";
  reader.send("POST /api/v1/query HTTP/1.1\r\nHost: h\r\nX-Request-Id: night-report.7\r\nContent-Length: " +
              std::to_string(sql.size()) + "\r\n\r\n" + sql);
  EXPECT_TRUE(wait_until(
      [&] {
        return http_get(url() + "/api/v1/queries").body.find("\"request_id\":\"night-report.7\"") !=
               std::string::npos;
      },
      kPatience));
  reader.close();
  EXPECT_TRUE(logged("night-report.7")) << "the access line";
}

}  // namespace
}  // namespace varve::test
