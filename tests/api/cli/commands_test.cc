// The built program as a user runs it: its output, errors and exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "ingest/kafka/embedded_broker.h"
#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;

constexpr seconds kPatience{90};  // a sanitized build on a busy machine

// One line, "varve: ...".
void expect_one_error(const std::string& err, const std::string& part) {
  EXPECT_TRUE(err.starts_with("varve: ")) << err;
  EXPECT_THAT(err, HasSubstr(part));
  EXPECT_EQ(err.find('\n'), err.size() - 1) << err;
}

class Commands : public ::testing::Test {
 protected:
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string config(const std::string& more = "") {
    const std::string path = (folder_ / "varve.toml").string();
    std::ofstream(path) << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n[storage]\ndata = \""
                        << (folder_ / "data").string() << "\"\n"
                        << more;
    return path;
  }
  std::unique_ptr<Process> serve(const std::string& more = "", const Process::Options& with = {}) {
    auto process = std::make_unique<Process>(
        std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", config(more)}, with);
    EXPECT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, kPatience))
        << process->log_tail();
    return process;
  }
  Finished query(const std::string& sql, const std::string& format = "csv") {
    return run({VARVE_BINARY, "query", sql, "--url", url(), "--format", format}, kPatience);
  }

  TempDir folder_;
  uint16_t port_ = free_port();
};

TEST_F(Commands, ServeKeepsWhatItAcknowledgedAcrossAStop) {
  {
    const auto server = serve();
    EXPECT_EQ(http_post(url() + "/write", "m,site=a v=1.5 1735689600000000000\n", "text/plain").status, 204);
    server->signal(SIGHUP);  // changes nothing, ends nothing
    EXPECT_TRUE(wait_until([&] { return server->err().find("SIGHUP") != std::string::npos; }, kPatience));
    EXPECT_EQ(server->stop(kPatience), 0) << server->log_tail();
  }
  const auto server = serve();
  const Finished answer = query("SELECT time, site, v FROM m");
  EXPECT_EQ(answer.exit_code, 0) << answer.err;
  EXPECT_THAT(answer.out, HasSubstr("2025-01-01T00:00:00Z,a,1.5"));
}

TEST_F(Commands, ServeRefusesATakenPortBeforeTouchingAnything) {
  const auto first = serve();
  const Finished second = run({VARVE_BINARY, "serve", "--allow-root", "--config", config(), "--set",
                               "storage.data=" + (folder_ / "other").string()},
                              kPatience);
  EXPECT_EQ(second.exit_code, 1);
  expect_one_error(second.err, "address 127.0.0.1:" + std::to_string(port_) + " is in use");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "other"));
}

TEST_F(Commands, ServeRefusesALockedDataFolder) {
  const auto first = serve();
  const Finished second =
      run({VARVE_BINARY, "serve", "--allow-root", "--config", config(), "--set", "server.listen=127.0.0.1:0"},
          kPatience);
  EXPECT_EQ(second.exit_code, 1);
  expect_one_error(second.err, "is in use by another varve; stop it or choose another storage.data");
}

TEST_F(Commands, ServeNamesMistakesInTheConfiguration) {
  const Finished typo =
      run({VARVE_BINARY, "serve", "--allow-root", "--config", config("[[kafka]]\ntopicz = []\n")}, kPatience);
  EXPECT_EQ(typo.exit_code, 1);
  expect_one_error(typo.err, "varve.toml:6: key kafka.0.topicz: unknown key, did you mean topics?");
  const Finished absent =
      run({VARVE_BINARY, "serve", "--allow-root", "--config", (folder_ / "absent.toml").string()}, kPatience);
  EXPECT_EQ(absent.exit_code, 1);
  expect_one_error(absent.err, "absent.toml");
  const Finished property = run({VARVE_BINARY, "serve", "--allow-root", "--config",
                                 config("[[kafka]]\nproperties = { \"no.such.option\" = \"1\" }\n")},
                                kPatience);
  EXPECT_EQ(property.exit_code, 1);
  expect_one_error(property.err, "no.such.option");
}

TEST_F(Commands, ServeEndsWithAnErrorAndALineWhenASyncFails) {
  const std::string sign = (folder_ / "fail-now").string();
  Process::Options with;
  with.environment = {{"LD_PRELOAD", VARVE_FAIL_SYNC_LIBRARY},
                      {"VARVE_FAIL_SYNC", sign},
                      {"ASAN_OPTIONS", "verify_asan_link_order=0"}};
  const auto server = serve("", with);
  EXPECT_EQ(http_post(url() + "/write", "m v=1 1\n", "text/plain").status, 204);
  std::ofstream(sign) << "now";
  EXPECT_EQ(http_post(url() + "/write", "m v=2 2\n", "text/plain").status, 500);
  const auto code = server->wait(kPatience);
  ASSERT_TRUE(code.has_value()) << "it goes on as if nothing had happened";
  EXPECT_EQ(*code, 1);
  EXPECT_THAT(server->err(), HasSubstr("varve: the store has failed and takes no more writes: "));
  EXPECT_THAT(server->err(), HasSubstr("Input/output error"));
  std::filesystem::remove(sign);
  const auto again = serve();
  EXPECT_THAT(query("SELECT v FROM m WHERE v = 1").out, HasSubstr("1")) << "what was acknowledged is kept";
}

TEST_F(Commands, ServeSaysWhatASyncCostsAndWhatRelaxedMeans) {
  const auto server = serve("wal_sync = \"relaxed\"\n");
  // Measured once the server is up, for nothing waits for it.
  EXPECT_TRUE(wait_until(
      [&] { return server->err().find("a disk sync of 4 KiB takes ") != std::string::npos; }, kPatience))
      << server->err();
  EXPECT_THAT(server->err(), HasSubstr("storage.wal_sync = relaxed: writes are acknowledged before"));
  EXPECT_THAT(http_get(url() + "/readyz").body, HasSubstr("durability: relaxed"));
  EXPECT_THAT(http_get(url() + "/metrics").body, HasSubstr("varve_disk_sync_seconds{percentile=\"50\"}"));
}

TEST_F(Commands, ServeAnswersQueriesWhileTheBrokerIsAway) {
  const auto server = serve("[[kafka]]\nbrokers = \"127.0.0.1:" + std::to_string(free_port()) + "\"\n");
  EXPECT_EQ(query("SHOW TABLES").exit_code, 0);
  EXPECT_THAT(http_get(url() + "/api/v1/status").body, HasSubstr("\"state\":\"connecting\""));
  EXPECT_EQ(server->stop(kPatience), 0) << server->log_tail();
}

TEST_F(Commands, QueryPrintsAnswersAndErrors) {
  const auto server = serve();
  EXPECT_EQ(http_post(url() + "/write", "m v=1.5 1\nm v=2 2\n", "text/plain").status, 204);
  const Finished table = query("SELECT count(*) AS n FROM m", "table");
  EXPECT_EQ(table.exit_code, 0);
  EXPECT_THAT(table.out, HasSubstr("n\n"));
  EXPECT_THAT(query("SELECT v FROM m", "ndjson").out, HasSubstr("{\"v\":1.5}"));
  const Finished wrong = query("SELECT v FRM m");
  EXPECT_EQ(wrong.exit_code, 1);
  expect_one_error(wrong.err, "(at byte ");
  EXPECT_TRUE(wrong.out.empty());
  const Finished absent = query("SELECT v FROM mm");
  EXPECT_EQ(absent.exit_code, 1);
  expect_one_error(absent.err, "mm");
}

TEST_F(Commands, QueryDeletesByPostAndALinkDoesNot) {
  const auto server = serve();
  EXPECT_EQ(
      http_post(url() + "/write", "m,site=a v=1 1\nm,site=a v=2 2\nm,site=b v=3 2\n", "text/plain").status,
      204);
  const std::string sql = "DELETE FROM m WHERE time >= '1970-01-01T00:00:00.000000002Z' AND site = 'a'";
  const HttpAnswer link = http_get(url() + "/api/v1/query?q=" + url_encode(sql));
  EXPECT_EQ(link.status, 400);
  EXPECT_THAT(link.body, HasSubstr("\"hint\":\"send it by POST to /api/v1/query\""));
  EXPECT_THAT(query("SELECT count(*) FROM m").out, HasSubstr("3"));
  const Finished deleted = query(sql, "ndjson");
  EXPECT_EQ(deleted.exit_code, 0) << deleted.err;
  EXPECT_EQ(deleted.out,
            "{\"series\":1,\"time_min\":\"1970-01-01T00:00:00.000000002Z\",\"time_max\":null}\n");
  EXPECT_THAT(query("SELECT sum(v) AS s FROM m", "ndjson").out, HasSubstr("{\"s\":4.0}"));
  const Finished field = query("DELETE FROM m WHERE v > 1");
  EXPECT_EQ(field.exit_code, 1);
  expect_one_error(field.err, "`v` is a field (at byte 20)");
}

TEST_F(Commands, QuerySaysWhenNobodyAnswers) {
  const Finished answer = query("SELECT 1");
  EXPECT_EQ(answer.exit_code, 1);
  expect_one_error(answer.err, "no answer from " + url());
  const Finished url_typo = run({VARVE_BINARY, "query", "SELECT 1", "--url", "http://"}, kPatience);
  EXPECT_EQ(url_typo.exit_code, 1);
}

TEST_F(Commands, ProduceDeliversAndReports) {
  const auto broker = EmbeddedBroker::start();
  ASSERT_TRUE(broker.has_value());
  const auto produce = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {VARVE_BINARY, "produce", "--brokers", (*broker)->bootstrap(), "--topic", "t"});
    return run(more, kPatience);
  };
  const Finished simulated = produce({"--simulate", "machines", "--count", "1000"});
  EXPECT_EQ(simulated.exit_code, 0) << simulated.err;
  EXPECT_THAT(simulated.err, HasSubstr("1,000 messages"));

  const std::string csv = (folder_ / "a.csv").string();
  std::ofstream(csv) << "id,when,v\n1,2025-01-01 00:00:00,2\n2,2025-01-01 00:00:01,3\n";
  EXPECT_THAT(produce({"--csv", csv, "--time-column", "when"}).err, HasSubstr("2 messages"));
  const Finished column = produce({"--csv", csv, "--time-column", "wen"});
  EXPECT_EQ(column.exit_code, 1);
  expect_one_error(column.err, "wen");
  const Finished absent = produce({"--csv", (folder_ / "absent.csv").string()});
  EXPECT_EQ(absent.exit_code, 1);
  expect_one_error(absent.err, "absent.csv");
}

TEST_F(Commands, DemoRunsAndLeavesNothingBehind) {
  Process::Options options;
  options.environment["TMPDIR"] = folder_.path().string();
  Process demo({VARVE_BINARY, "demo", "--port", std::to_string(port_), "--rate", "2000", "--sensors", "10"},
               options);
  EXPECT_TRUE(wait_until(
      [&] {
        const HttpAnswer answer = http_get(url() + "/api/v1/query?format=csv&q=" +
                                           url_encode("SELECT count(*) FROM readings WHERE site != ''"));
        return answer.status == 200 && answer.body.find("\n0") == std::string::npos;
      },
      kPatience))
      << demo.log_tail();
  EXPECT_FALSE(std::filesystem::is_empty(folder_.path()));
  demo.signal(SIGINT);
  EXPECT_EQ(demo.wait(kPatience), 0) << demo.log_tail();
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  EXPECT_THAT(demo.out(), HasSubstr("curl"));
}

TEST_F(Commands, DemoOnATakenPortFailsAndLeavesNothingBehind) {
  const auto server = serve();
  const TempDir temporary;
  Process::Options options;
  options.environment["TMPDIR"] = temporary.path().string();
  Process demo({VARVE_BINARY, "demo", "--port", std::to_string(port_)}, options);
  EXPECT_EQ(demo.wait(kPatience), 1);
  expect_one_error(demo.err(), "is in use");
  EXPECT_TRUE(std::filesystem::is_empty(temporary.path()));
}

TEST_F(Commands, BackupOfARunningServerIsCleanAndCheckNamesWhatIsBroken) {
  const std::string data = (folder_ / "data").string();
  const std::string copy = (folder_ / "copy").string();
  const auto server = serve();
  EXPECT_EQ(http_post(url() + "/write", "m,site=a v=1.5 1735689600000000000\n", "text/plain").status, 204);
  const Finished busy = run({VARVE_BINARY, "check", "--data", data}, kPatience);
  EXPECT_EQ(busy.exit_code, 1);
  expect_one_error(busy.err, "is in use by a running varve");
  const Finished backup = run({VARVE_BINARY, "backup", "--data", data, "--to", copy}, kPatience);
  EXPECT_EQ(backup.exit_code, 0) << backup.err;
  EXPECT_THAT(backup.out, HasSubstr("up to record 1"));
  const Finished again = run({VARVE_BINARY, "backup", "--data", data, "--to", copy}, kPatience);
  EXPECT_EQ(again.exit_code, 1);
  expect_one_error(again.err, "is not empty");

  const Finished clean = run({VARVE_BINARY, "check", "--data", copy}, kPatience);
  EXPECT_EQ(clean.exit_code, 0) << clean.out << clean.err;
  EXPECT_THAT(clean.out, HasSubstr("\nclean\n"));
  std::filesystem::remove(copy + "/catalog.db");
  const Finished broken = run({VARVE_BINARY, "check", "--data", copy}, kPatience);
  EXPECT_EQ(broken.exit_code, 1);
  EXPECT_THAT(broken.out, HasSubstr("problem: catalog.db is missing"));
  EXPECT_EQ(run({VARVE_BINARY, "check", "--data", copy, "--repair"}, kPatience).exit_code, 1);
  EXPECT_EQ(run({VARVE_BINARY, "check", "--data", copy}, kPatience).exit_code, 0);
  const Finished nothing = run({VARVE_BINARY, "check", "--data", (folder_ / "absent").string()}, kPatience);
  EXPECT_EQ(nothing.exit_code, 1);
  expect_one_error(nothing.err, "is not the data folder of a varve store");
}

TEST_F(Commands, BadArgumentsExitTwo) {
  EXPECT_EQ(run({VARVE_BINARY}, kPatience).exit_code, 2);
  const Finished unknown = run({VARVE_BINARY, "token", "create"}, kPatience);
  EXPECT_EQ(unknown.exit_code, 2);
  expect_one_error(unknown.err, "see varve --help");
  EXPECT_EQ(run({VARVE_BINARY, "--version"}, kPatience).out, "varve " VARVE_VERSION "\n");
}

}  // namespace
}  // namespace varve::test
