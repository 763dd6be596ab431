// The same lines to varve and to a real InfluxDB: both take them or both refuse them, and what they took reads alike.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/http_client.h"
#include "tests/support/influxd_server.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::test {
namespace {

// Each is a body of its own, into a database of its own. All rows have times: the two clocks differ.
const std::vector<std::string> kSame = {
    // escapes
    R"(m,t=a v=1 1)",
    R"(m\ x,t=a v=1 1)",
    R"(m\,x,t=a v=1 1)",
    R"(m=x,t=a v=1 1)",
    R"(m\\x,t=a v=1 1)",
    R"(m\nx,t=a v=1 1)",
    R"(m"x",t=a v=1 1)",
    R"(m,t\ k=a v=1 1)",
    R"(m,t\,k=a v=1 1)",
    R"(m,t\=k=a v=1 1)",
    R"(m,t=a\ b v=1 1)",
    R"(m,t=a\,b v=1 1)",
    R"(m,t=a\=b v=1 1)",
    R"(m,t=a\\b v=1 1)",
    R"(m,t=a\b v=1 1)",
    R"(m,t="a" v=1 1)",
    R"(m,t=a\"b v=1 1)",
    R"(m,t=a v\ w=1 1)",
    R"(m,t=a v\,w=1 1)",
    R"(m,t=a v\=w=1 1)",
    R"(m,t=a v\w=1 1)",
    R"(m,t=a "v"=1 1)",
    R"(m,tæg=välue fjeld=1 1)",
    // strings
    R"(m v="" 1)",
    R"(m v="a b,c=d" 1)",
    R"(m v="a\"b" 1)",
    R"(m v="a\\b" 1)",
    R"(m v="a\\\"b" 1)",
    R"(m v="a\nb" 1)",
    R"(m v="a\,b\ c\=d" 1)",
    "m v=\"a\nb\" 1\nm v=\"c\" 2",
    "m v=\"a\n\nb\",w=2 1",
    "m v=\"a\tb\" 1",
    R"(m v="日本語" 1)",
    R"(m v="#" 1)",
    R"(m v='a' 1)",
    R"(m v="a" "b" 1)",
    R"(m v=a 1)",
    // numbers
    "m v=1 1",
    "m v=1. 1",
    "m v=.5 1",
    "m v=-.5 1",
    "m v=-1 1",
    "m v=0 1",
    "m v=007 1",
    "m v=1e3 1",
    "m v=1E3 1",
    "m v=1e+3 1",
    "m v=1e-3 1",
    "m v=-2.5e+3 1",
    "m v=0.1 1",
    "m v=123456789.123456789 1",
    "m v=1.7976931348623157e308 1",
    "m v=5e-324 1",
    "m v=9007199254740993 1",
    "m v=1e 1",
    "m v=1e+ 1",
    "m v=1.2.3 1",
    "m v=1e400 1",
    "m v=-1e400 1",
    "m v=+1 1",
    "m v=- 1",
    "m v=. 1",
    "m v=0x10 1",
    "m v=1_000 1",
    "m v=NaN 1",
    "m v=nan 1",
    "m v=Inf 1",
    "m v=-inf 1",
    "m v=1,5 1",
    // integers
    "m v=1i 1",
    "m v=-1i 1",
    "m v=0i 1",
    "m v=-0i 1",
    "m v=9223372036854775807i 1",
    "m v=-9223372036854775808i 1",
    "m v=9223372036854775808i 1",
    "m v=-9223372036854775809i 1",
    "m v=1.0i 1",
    "m v=1e3i 1",
    "m v=i 1",
    "m v=-i 1",
    "m v=+1i 1",
    "m v=1ii 1",
    "m v=1I 1",
    // booleans
    "m v=t 1",
    "m v=T 1",
    "m v=true 1",
    "m v=True 1",
    "m v=TRUE 1",
    "m v=f 1",
    "m v=F 1",
    "m v=false 1",
    "m v=False 1",
    "m v=FALSE 1",
    "m v=tRUE 1",
    "m v=tr 1",
    "m v=yes 1",
    // times
    "m v=1 0",
    "m v=1 -1",
    "m v=1 -1000000000000000000",
    "m v=1 9223372036854775806",
    "m v=1 -9223372036854775806",
    "m v=1 9223372036854775807",
    "m v=1 9223372036854775808",
    "m v=1 -9223372036854775808",
    "m v=1 1.5",
    "m v=1 1e3",
    "m v=1 x",
    "m v=1 -",
    "m v=1 1 2",
    "m v=1 1i",
    // spaces, lines, comments
    "m v=1 1\n",
    "m v=1 1\n\n\nm v=2 2\n",
    "# comment\nm v=1 1\n# another",
    "  # comment\nm v=1 1",
    "  m v=1 1",
    "\tm v=1 1",
    "m  v=1 1",
    "m v=1  1",
    "m v=1 1 ",
    "m,t=a  v=1   1  ",
    "m v=1 1\nm v=2 2\nm v=3 3",
    "m#x v=1 1",
    "m,t=#a v=1 1",
    // structure
    "m",
    "m 1",
    "m,t=a",
    "m,t=a 1",
    "m,t=a v",
    "m,t=a v= 1",
    "m,t=a =1 1",
    "m,t= v=1 1",
    "m,=a v=1 1",
    "m,t v=1 1",
    "m, v=1 1",
    ",t=a v=1 1",
    "m,t=a,t=b v=1 1",
    "m,b=1,a=2 v=1 1",
    "m,t=a=b v=1 1",
    "m v=1,v=2 1",
    "m v=1,w=2,v=3 1",
    "m v=1,x=t,y=\"s\",z=3i 1",
    "m v=1 1\nbad\nm v=2 2",
    "m v=1 1\nm v=x 2\nm,t= v=3 3\nm v=4 4",
    "m v=1 1\nm v=2 1",
};

// Refused by one of the two only, or read otherwise, and why.
struct Differs {
  std::string body;
  int influxd;
  int varve;
  std::string_view why;
};
const std::vector<Differs> kDifferent = {
    {R"(m v="a"b 1)", 204, 400, "InfluxDB 1.x stores the string a\" and is silent about the rest"},
    {R"(m\=x v=1 1)", 204, 204,
     "InfluxDB 1.6 reads it as m=x, against the specification: \\ is a byte there"},
    {"m v=1u 1", 400, 204, "InfluxDB 1.x is built without unsigned integers; later ones take them"},
    {"m v=1 1\r\n", 400, 204, "lines of Windows are lines"},
    {"m,t=a\xff v=1 1", 204, 400, "what is stored is UTF-8"},
};

class LinesToBoth : public ::testing::Test {
 protected:
  LinesToBoth() {
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
  }

  static HttpAnswer query(HttpSession& server, const std::string& database, const std::string& statement) {
    return server.send("POST", "/query?epoch=ns&db=" + database, "q=" + url_encode(statement),
                       "application/x-www-form-urlencoded");
  }
  // The status of the write.
  static int write(HttpSession& server, const std::string& database, const std::string& body) {
    EXPECT_EQ(query(server, database, "CREATE DATABASE " + database).status, 200);
    return server.send("POST", "/write?db=" + database, body).status;
  }

  InfluxdServer influxd_;
  TempDir folder_;
  std::unique_ptr<Process> varve_;
  std::string varve_url_;
};

TEST_F(LinesToBoth, AreTakenOrRefusedAlikeAndReadBackTheSame) {
  HttpSession influxd(influxd_.url());
  HttpSession varve(varve_url_);
  for (size_t i = 0; i < kSame.size(); ++i) {
    const std::string database = fmt::format("case{}", i);
    EXPECT_EQ(write(varve, database, kSame[i]), write(influxd, database, kSame[i])) << kSame[i];
    for (const char* statement : {"SELECT * FROM /.*/", "SHOW SERIES", "SHOW FIELD KEYS"}) {
      EXPECT_EQ(query(varve, database, statement).body, query(influxd, database, statement).body)
          << statement << " after " << kSame[i];
    }
  }
}

TEST_F(LinesToBoth, DifferOnlyWhereItIsMeant) {
  HttpSession influxd(influxd_.url());
  HttpSession varve(varve_url_);
  for (size_t i = 0; i < kDifferent.size(); ++i) {
    const std::string database = fmt::format("other{}", i);
    EXPECT_EQ(write(influxd, database, kDifferent[i].body), kDifferent[i].influxd) << kDifferent[i].why;
    EXPECT_EQ(write(varve, database, kDifferent[i].body), kDifferent[i].varve) << kDifferent[i].why;
  }
}

}  // namespace
}  // namespace varve::test
