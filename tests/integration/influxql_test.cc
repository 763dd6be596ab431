// The same statements to varve and to a real InfluxDB: answers and errors must be the same bytes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/api/influxql/statement_texts.h"
#include "tests/support/http_client.h"
#include "tests/support/influxd_server.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

constexpr std::string_view kPoints =
    "cpu,host=a,dc=x v=1,i=2i,s=\"t\",b=true 1000000000\n"
    "cpu,host=b,dc=y v=2,w=3 2000000000\n"
    "mem,host=a used=5i 1000000000\n"
    "mem,host=c used=6i 3000000000\n"
    "disk free=1 1000000000\n"
    "odd\\ name,a\\,b=c\\ d\\=e x=1 4000000000\n";

class BothServers : public ::testing::Test {
 protected:
  BothServers() {
    influxd_.start();
    const uint16_t port = free_port();
    std::ofstream(folder_ / "varve.toml") << fmt::format(
        "[server]\nlisten = \"127.0.0.1:{}\"\n[storage]\ndata = \"{}\"\n", port, (folder_ / "data").string());
    varve_ = std::make_unique<Process>(std::vector<std::string>{
        VARVE_BINARY, "serve", "--allow-root", "--config", (folder_ / "varve.toml").string()});
    varve_url_ = fmt::format("http://127.0.0.1:{}", port);
    const bool ready =
        wait_until([&] { return http_get(varve_url_ + "/readyz").status == 200; }, seconds(60));
    EXPECT_TRUE(ready) << varve_->log_tail();
    for (const std::string& url : {influxd_.url(), varve_url_}) {
      EXPECT_EQ(ask(url, "CREATE DATABASE d").status, 200);
      EXPECT_EQ(http_post(url + "/write?db=d", std::string(kPoints), "text/plain").status, 204);
    }
  }

  static HttpAnswer ask(const std::string& url, const std::string& statement, const std::string& more = "") {
    return http_post(url + "/query?db=d" + more, "q=" + url_encode(statement),
                     "application/x-www-form-urlencoded");
  }

  void expect_same(const std::string& statement, const std::string& more = "") const {
    const HttpAnswer influx = ask(influxd_.url(), statement, more);
    const HttpAnswer varve = ask(varve_url_, statement, more);
    EXPECT_EQ(varve.status, influx.status) << statement;
    EXPECT_EQ(varve.body, influx.body) << statement << more;
    if (!influx.body.empty()) {
      EXPECT_EQ(varve.header("Content-Type"), influx.header("Content-Type")) << statement;
    }
    EXPECT_EQ(varve.header("X-Influxdb-Error"), influx.header("X-Influxdb-Error")) << statement;
  }

  InfluxdServer influxd_;
  TempDir folder_;
  std::unique_ptr<Process> varve_;
  std::string varve_url_;
};

const std::vector<std::string> kShows = {
    "SHOW MEASUREMENTS",
    "SHOW measurements",
    "SHOW MEASUREMENTS ON d",
    "SHOW MEASUREMENTS ON nope",
    "SHOW MEASUREMENTS WITH MEASUREMENT = cpu",
    "SHOW MEASUREMENTS WITH MEASUREMENT = nope..cpu",
    "SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)C|M/ LIMIT 1 OFFSET 1",
    "SHOW MEASUREMENTS WHERE host = 'a'",
    "SHOW MEASUREMENTS WHERE host != 'a'",
    "SHOW MEASUREMENTS WHERE host != 'b'",
    "SHOW MEASUREMENTS WHERE host !~ /a/",
    "SHOW MEASUREMENTS WHERE host = 'a' AND dc = 'y'",
    "SHOW MEASUREMENTS WHERE host =~ /b/ OR dc = 'x'",
    "SHOW MEASUREMENTS WHERE nope = ''",
    "SHOW MEASUREMENTS WHERE v = 1",
    "SHOW MEASUREMENTS WHERE dc > 'x'",
    "SHOW MEASUREMENTS WHERE dc = host",
    "SHOW MEASUREMENTS WHERE host = 'a' AND time > now() - 1h",
    "SHOW MEASUREMENTS LIMIT 2",
    "SHOW MEASUREMENTS OFFSET 2",
    "SHOW MEASUREMENTS OFFSET 20",
    "SHOW TAG KEYS",
    "SHOW TAG KEYS FROM cpu",
    "SHOW TAG KEYS FROM /c|m/",
    "SHOW TAG KEYS FROM \"autogen\".\"cpu\"",
    "SHOW TAG KEYS FROM d.autogen.cpu",
    "SHOW TAG KEYS FROM nope",
    "SHOW TAG KEYS FROM nope..cpu",
    "SHOW TAG KEYS ON nope",
    "SHOW TAG KEYS WHERE host = 'b'",
    "SHOW TAG KEYS WHERE dc = 'y'",
    "SHOW TAG KEYS WHERE host = 'nope'",
    "SHOW TAG KEYS WHERE v = 1",
    "SHOW TAG KEYS WHERE time > now() - 1h",
    "SHOW TAG KEYS LIMIT 1",
    "SHOW TAG KEYS LIMIT 1 OFFSET 1",
    "SHOW TAG KEYS SLIMIT 1 SOFFSET 1",
    "SHOW TAG VALUES WITH KEY = host",
    "SHOW TAG VALUES FROM \"cpu\" WITH KEY = \"host\"",
    "SHOW TAG VALUES FROM cpu, mem WITH KEY IN (host, dc)",
    "SHOW TAG VALUES FROM /^(cpu|mem)$/ WITH KEY = host",
    "SHOW TAG VALUES WITH KEY != host",
    "SHOW TAG VALUES WITH KEY =~ /h|d/",
    "SHOW TAG VALUES WITH KEY !~ /h/",
    "SHOW TAG VALUES WITH KEY = \"a,b\"",
    "SHOW TAG VALUES WITH KEY = nope",
    "SHOW TAG VALUES WITH KEY = host WHERE dc = 'x'",
    "SHOW TAG VALUES WITH KEY = host WHERE (\"dc\"::tag = 'x')",
    "SHOW TAG VALUES WITH KEY = host WHERE dc = ''",
    "SHOW TAG VALUES WITH KEY = host WHERE dc != 'x'",
    "SHOW TAG VALUES WITH KEY = host WHERE dc =~ /x|y/ AND dc != 'y'",
    "SHOW TAG VALUES WITH KEY = host WHERE nope = 'x'",
    "SHOW TAG VALUES WITH KEY = host WHERE nope !~ /./",
    "SHOW TAG VALUES WITH KEY = host WHERE v = 1",
    "SHOW TAG VALUES WITH KEY = host WHERE v = 1 AND dc = 'x'",
    "SHOW TAG VALUES WITH KEY = host WHERE dc = 'x' OR v = 1",
    "SHOW TAG VALUES WITH KEY = host WHERE true",
    "SHOW TAG VALUES WITH KEY = host WHERE dc",
    "SHOW TAG VALUES WITH KEY = host WHERE dc > 'x'",
    "SHOW TAG VALUES WITH KEY = host WHERE 'x' = dc",
    "SHOW TAG VALUES WITH KEY = host WHERE host + 1 = 5",
    "SHOW TAG VALUES WITH KEY = host WHERE time > now() - 1h",
    "SHOW TAG VALUES WITH KEY = host WHERE time > 0",
    "SHOW TAG VALUES WITH KEY = host WHERE time > 'foo'",
    "SHOW TAG VALUES WITH KEY = host WHERE time > '2030-01-01'",
    "SHOW TAG VALUES WITH KEY = host LIMIT 1",
    "SHOW TAG VALUES WITH KEY = host LIMIT 1 OFFSET 1",
    "SHOW TAG VALUES ON nope WITH KEY = host",
    "SHOW FIELD KEYS",
    "SHOW FIELD KEYS FROM cpu",
    "SHOW FIELD KEYS FROM d.foo.cpu",
    "SHOW FIELD KEYS FROM nope..cpu",
    "SHOW FIELD KEYS ON nope",
    "SHOW FIELD KEYS LIMIT 1",
    "SHOW FIELD KEYS LIMIT 2 OFFSET 1",
    "SHOW SERIES",
    "SHOW SERIES FROM cpu",
    "SHOW SERIES FROM cpu, mem WHERE host = 'a'",
    "SHOW SERIES WHERE dc = ''",
    "SHOW SERIES WHERE nope = ''",
    "SHOW SERIES WHERE nope = 'x'",
    "SHOW SERIES WHERE host > 'a'",
    "SHOW SERIES WHERE v > 1 AND host = 'a'",
    "SHOW SERIES WHERE time > 5",
    "SHOW SERIES LIMIT 2 OFFSET 1",
    "SHOW SERIES ON nope",
    "SHOW SERIES FROM foo.cpu",
    "SHOW SERIES CARDINALITY",
    "SHOW SERIES CARDINALITY ON nope",
    "SHOW SERIES CARDINALITY FROM cpu",
    "SHOW SERIES CARDINALITY WHERE host = 'a'",
    "SHOW SERIES EXACT CARDINALITY",
    "SHOW SERIES EXACT CARDINALITY OFFSET 1",
    "SHOW SERIES EXACT CARDINALITY ON nope",
    "SHOW MEASUREMENT CARDINALITY",
    "SHOW MEASUREMENT EXACT CARDINALITY",
    "SHOW MEASUREMENT EXACT CARDINALITY FROM cpu",
    "SHOW MEASUREMENT CARDINALITY WHERE host = 'a'",
    "SHOW TAG KEY CARDINALITY",
    "SHOW TAG KEY EXACT CARDINALITY WHERE host = 'b'",
    "SHOW TAG VALUES CARDINALITY WITH KEY = host",
    "SHOW TAG VALUES EXACT CARDINALITY FROM cpu WITH KEY IN (host, dc)",
    "SHOW TAG VALUES CARDINALITY WITH KEY = host WHERE dc = 'x'",
    "SHOW FIELD KEY CARDINALITY",
    "SHOW FIELD KEY CARDINALITY FROM cpu",
    "SHOW FIELD KEY EXACT CARDINALITY WHERE host = 'b'",
    "SHOW SERIES CARDINALITY GROUP BY host",
    "SHOW SERIES EXACT CARDINALITY FROM cpu GROUP BY *",
    "SHOW SERIES CARDINALITY FROM cpu WHERE dc = 'x' GROUP BY /h/ LIMIT 1",
    "SHOW SERIES CARDINALITY FROM cpu GROUP BY nope",
    "SHOW SERIES CARDINALITY GROUP BY host OFFSET 1",
    "SHOW MEASUREMENT CARDINALITY GROUP BY host",
    "SHOW TAG KEY CARDINALITY GROUP BY dc, host",
    "SHOW TAG VALUES CARDINALITY WITH KEY = host GROUP BY dc",
    "SHOW FIELD KEY CARDINALITY GROUP BY host",
    "SHOW RETENTION POLICIES",
    "SHOW RETENTION POLICIES ON \"d\"",
    "SHOW RETENTION POLICIES ON nope",
    "SHOW USERS",
    "SHOW SUBSCRIPTIONS",
    "SHOW GRANTS FOR nobody",
    "KILL QUERY 99999",
    "CREATE DATABASE d",
    "CREATE DATABASE \"\"",
    "DROP MEASUREMENT nope",
    "DROP SERIES WHERE time < 5",
    "DROP SERIES FROM d..cpu",
    "DELETE FROM a.b",
    "SHOW MEASUREMENTS;SHOW FIELD KEYS FROM cpu; ;SHOW USERS;",
    ";",
};

TEST_F(BothServers, AnswerShowsAlike) {
  for (const std::string& statement : kShows) expect_same(statement);
  for (const char* statement :
       {"SHOW FIELD KEYS", "SHOW USERS", "SHOW SERIES ON nope", "SELEC", "SELECT \"a", ";"}) {
    expect_same(statement, "&pretty=true");
    expect_same(statement, "&chunked=true");
    expect_same(statement, "&chunked=true&chunk_size=2&pretty=true");
  }
}

TEST_F(BothServers, RefuseTextsAlike) {
  for (const StatementText& text : statement_texts()) {
    if (text.outcome == "ok") {
      const HttpAnswer influx = ask(influxd_.url(), text.statement);
      EXPECT_EQ(influx.status, 200) << text.statement << influx.body;
    } else {
      expect_same(text.statement);
    }
  }
}

TEST_F(BothServers, DeleteAlike) {
  for (const char* change : {"DELETE FROM cpu WHERE host = 'a'", "DROP SERIES FROM mem WHERE host = 'c'",
                             "DELETE WHERE time > 3s", "DROP MEASUREMENT disk"}) {
    expect_same(change);
    for (const char* look : {"SHOW SERIES", "SHOW MEASUREMENTS", "SHOW TAG VALUES WITH KEY = host"})
      expect_same(look);
  }
}

}  // namespace
}  // namespace varve::test
