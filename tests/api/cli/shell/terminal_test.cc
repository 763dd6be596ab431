// `varve query` on a terminal, as a person uses it, with a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "tests/support/http_client.h"
#include "tests/support/process.h"
#include "tests/support/terminal.h"

namespace varve::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr seconds kPatience{90};
constexpr const char* kUp = "\x1b[A";
constexpr const char* kCtrlC = "\x03";
constexpr const char* kCtrlD = "\x04";

class ShellOnTerminal : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string config = (folder_ / "varve.toml").string();
    std::ofstream(config) << "[server]\nlisten = \"127.0.0.1:" << port_ << "\"\n[storage]\ndata = \""
                          << (folder_ / "data").string() << "\"\n";
    server_ = std::make_unique<Process>(
        std::vector<std::string>{VARVE_BINARY, "serve", "--allow-root", "--config", config});
    ASSERT_TRUE(wait_until([&] { return http_get(url() + "/readyz").status == 200; }, kPatience))
        << server_->log_tail();
    ASSERT_EQ(http_post(url() + "/write",
                        "water,site=pier temperature_c=20.5,depth_bytes=2048i 1735689600000000000\n"
                        "water,site=bay temperature_c=7.25 1735689660000000000\n",
                        "text/plain")
                  .status,
              204);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::unique_ptr<Terminal> shell(std::map<std::string, std::string> environment = {},
                                  Terminal::Size size = Terminal::Size{}) {
    environment.emplace("XDG_STATE_HOME", folder_.path().string());
    environment.emplace("PAGER", "");
    auto terminal = std::make_unique<Terminal>(
        std::vector<std::string>{VARVE_BINARY, "query", "--url", url()}, environment, size);
    EXPECT_TRUE(terminal->see("varve> ")) << terminal->shown();
    return terminal;
  }
  std::string history() const {
    std::ifstream in(folder_ / "varve" / "history");
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }

  TempDir folder_;
  uint16_t port_ = free_port();
  std::unique_ptr<Process> server_;
};

TEST_F(ShellOnTerminal, TakesAStatementOverSeveralLinesAndEndsAtCtrlD) {
  const auto terminal = shell();
  terminal->type("SELECT site, temperature_c\r");
  EXPECT_TRUE(terminal->see("    -> "));
  terminal->type("FROM water WHERE site <> 'a;b'\r");
  EXPECT_TRUE(terminal->see("    -> "));
  terminal->type("ORDER BY site;\r");
  EXPECT_TRUE(
      terminal->see("site  temperature_c\n----  -------------\nbay            7.25\npier           20.5\n"))
      << terminal->shown();
  EXPECT_TRUE(terminal->see("(2 rows, "));
  EXPECT_TRUE(terminal->see("varve> "));
  EXPECT_THAT(terminal->raw(), HasSubstr("\x1b[1m")) << "names are bold on a terminal";
  terminal->type(kCtrlD);
  EXPECT_EQ(terminal->wait(), 0) << terminal->shown();
}

TEST_F(ShellOnTerminal, NoColourWhenAskedForNone) {
  const auto terminal = shell({{"NO_COLOR", "1"}});
  terminal->type("SELECT site, depth_bytes FROM water;\r");
  EXPECT_TRUE(terminal->see("NULL"));
  EXPECT_TRUE(terminal->see("(2 rows, "));
  EXPECT_THAT(terminal->raw(), Not(HasSubstr("\x1b[1m")));
  EXPECT_THAT(terminal->raw(), Not(HasSubstr("\x1b[2m")));
  EXPECT_THAT(terminal->shown(), HasSubstr("2.0 KiB")) << "a column of bytes has its unit";
}

TEST_F(ShellOnTerminal, RemembersStatementsInAPrivateFileForTheNextTime) {
  {
    const auto terminal = shell();
    terminal->type("SELECT 41 + 1 AS answer -- why\r;\r");
    EXPECT_TRUE(terminal->see("42"));
    terminal->type("\\q\r");
    EXPECT_EQ(terminal->wait(), 0);
  }
  EXPECT_THAT(history(), HasSubstr("SELECT 41 + 1 AS answer  ;\n"));
  struct stat file {};
  ASSERT_EQ(stat((folder_ / "varve" / "history").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600U);
  const auto terminal = shell();
  terminal->type(std::string(kUp) + kUp + "\r");  // \q is the last one
  EXPECT_TRUE(terminal->see("answer")) << terminal->shown();
  EXPECT_TRUE(terminal->see("42")) << terminal->shown();
}

TEST_F(ShellOnTerminal, TabCompletesKeywordsTablesColumnsAndFunctions) {
  const auto terminal = shell();
  terminal->type("sel\tavg(temp\t) fr\twat\t;\r");
  EXPECT_TRUE(terminal->see("select ")) << terminal->shown();
  EXPECT_TRUE(terminal->see("13.875")) << terminal->shown();
  terminal->type("SELECT st\t");  // stddev( and nothing else begins so
  EXPECT_TRUE(terminal->see("stddev(")) << terminal->shown();
  terminal->type(kCtrlC);
  EXPECT_TRUE(terminal->see("varve> "));
  terminal->type("SELECT time_\t\t");
  EXPECT_TRUE(terminal->see("time_bucket(")) << terminal->shown();
}

TEST_F(ShellOnTerminal, TabCompletesValuesOfTagsAlsoOnALaterLine) {
  const auto terminal = shell();
  terminal->type("SELECT temperature_c AS c FROM water\r");
  EXPECT_TRUE(terminal->see("    -> "));
  terminal->type("\\x\r");  // a command in between leaves the statement as it is
  EXPECT_TRUE(terminal->see("one value a line is on")) << terminal->shown();
  terminal->type("WHERE site = 'p\t;\r");
  EXPECT_TRUE(terminal->see("site = 'pier' ;")) << terminal->shown();
  EXPECT_TRUE(terminal->see("c | 20.5")) << terminal->shown();
}

TEST_F(ShellOnTerminal, CommandsDescribeExpandAndTime) {
  const auto terminal = shell();
  terminal->type("\\d\r");
  EXPECT_TRUE(terminal->see("water")) << terminal->shown();
  terminal->type("\\d water\r");
  EXPECT_TRUE(terminal->see("temperature_c  field")) << terminal->shown();
  terminal->type("\\x\r");
  EXPECT_TRUE(terminal->see("one value a line is on"));
  terminal->type("SELECT site, depth_bytes FROM water WHERE site = 'bay';\r");
  EXPECT_TRUE(terminal->see("-[ row 1 ]")) << terminal->shown();
  EXPECT_TRUE(terminal->see("site        | bay\ndepth_bytes | NULL\n")) << terminal->shown();
  terminal->type("\\timing on\rSELECT 1;\r");
  EXPECT_TRUE(terminal->see("time: ")) << terminal->shown();
  terminal->type("\\x off\r\\format csv\rSELECT site FROM water ORDER BY site;\r");
  EXPECT_TRUE(terminal->see("site\nbay\npier\n")) << terminal->shown();
  terminal->type("\\nonsense\r");
  EXPECT_TRUE(terminal->see("no such command \\nonsense")) << terminal->shown();
  terminal->type("\\?\r");
  EXPECT_TRUE(terminal->see("columns of a table")) << terminal->shown();
}

TEST_F(ShellOnTerminal, PointsAtTheMistakeAndGoesOn) {
  const auto terminal = shell();
  terminal->type("SELECT site,\rwatr FROM water;\r");
  EXPECT_TRUE(terminal->see("varve: ")) << terminal->shown();
  EXPECT_TRUE(terminal->see("has no column `watr` (at byte 13)")) << terminal->shown();
  EXPECT_TRUE(terminal->see("\n  watr FROM water\n  ^\n")) << terminal->shown();
  terminal->type("SELECT 6 * 7;\r");
  EXPECT_TRUE(terminal->see("42"));
}

TEST_F(ShellOnTerminal, CtrlCGivesUpTheLineAndThenCancelsTheQueryOnTheServer) {
  std::string lines;
  for (int i = 0; i < 3000; ++i) lines += "many v=" + std::to_string(i) + " " + std::to_string(i + 1) + "\n";
  ASSERT_EQ(http_post(url() + "/write", lines, "text/plain").status, 204);
  const auto terminal = shell();
  terminal->type("SELECT no such thing");
  terminal->type(kCtrlC);
  EXPECT_TRUE(terminal->see("^C\nvarve> ")) << terminal->shown();
  terminal->type("SELECT count(*) FROM many a JOIN many b ON a.v < b.v JOIN many c ON b.v < c.v;\r");
  const auto running = [&] {
    return http_get(url() + "/api/v1/queries").body.find("JOIN many c") != std::string::npos;
  };
  ASSERT_TRUE(wait_until(running, kPatience)) << terminal->shown();
  terminal->type(kCtrlC);
  EXPECT_TRUE(terminal->see("cancelled")) << terminal->shown();
  EXPECT_TRUE(wait_until([&] { return !running(); }, kPatience)) << "the server still works on it";
  terminal->type("SELECT 6 * 7;\r");
  EXPECT_TRUE(terminal->see("42")) << "the shell goes on";
}

TEST_F(ShellOnTerminal, WideTablesAreCutToTheTerminalAndLongAnswersArePaged) {
  const std::string wide(150, 'w');
  ASSERT_EQ(http_post(url() + "/write", "notes text=\"" + wide + "\",n=7i 1\n", "text/plain").status, 204);
  const std::string paged = (folder_ / "paged").string();
  const auto terminal = shell({{"PAGER", "cat > " + paged}}, {60, 10});
  terminal->type("SELECT text, n FROM notes;\r");
  EXPECT_TRUE(terminal->see("www…  7\n")) << terminal->shown();
  EXPECT_THAT(terminal->shown(), Not(HasSubstr(wide)));
  EXPECT_FALSE(std::filesystem::exists(paged)) << "a short answer needs no pager";
  std::string many;
  for (int i = 0; i < 30; ++i)
    many += "lots n=" + std::to_string(700 + i) + "i " + std::to_string(i + 1) + "\n";
  ASSERT_EQ(http_post(url() + "/write", many, "text/plain").status, 204);
  terminal->type("SELECT n FROM lots;\r");
  EXPECT_TRUE(wait_until(
      [&] {
        std::ifstream in(paged);
        std::ostringstream text;
        text << in.rdbuf();
        terminal->see("nothing that comes", milliseconds(1));
        return text.str().find("(30 rows") != std::string::npos;
      },
      kPatience))
      << terminal->shown();
  EXPECT_THAT(terminal->shown(), Not(HasSubstr("729")));
}

TEST_F(ShellOnTerminal, WatchRedrawsUntilCtrlC) {
  Terminal terminal(
      {VARVE_BINARY, "query", "--url", url(), "--watch", "100ms", "SELECT count(*) AS n FROM water"}, {});
  EXPECT_TRUE(terminal.see("every 100ms")) << terminal.shown();
  EXPECT_TRUE(terminal.see("n\n-\n2\n")) << terminal.shown();
  ASSERT_EQ(http_post(url() + "/write", "water,site=pier temperature_c=1 1735689900000000000\n", "text/plain")
                .status,
            204);
  EXPECT_TRUE(terminal.see("n\n-\n3\n")) << terminal.shown();
  EXPECT_THAT(terminal.raw(), HasSubstr("\x1b[H"));
  terminal.type(kCtrlC);
  EXPECT_EQ(terminal.wait(), 0);
}

TEST_F(ShellOnTerminal, FilesAndPipesRunToTheFirstError) {
  const std::string file = (folder_ / "report.sql").string();
  std::ofstream(file)
      << "-- two statements\nSELECT count(*) AS n\n  FROM water;\nSELECT site FROM water\n ORDER BY site;\n";
  const Finished fine =
      run({VARVE_BINARY, "query", "--url", url(), "--format", "csv", "-f", file}, kPatience);
  EXPECT_EQ(fine.exit_code, 0) << fine.err;
  EXPECT_EQ(fine.out, "n\r\n2\r\nsite\r\nbay\r\npier\r\n");
  std::ofstream(file) << "SELECT 1;\n\nSELECT nope FROM water;\nSELECT 2;\n";
  const Finished wrong =
      run({VARVE_BINARY, "query", "--url", url(), "--format", "csv", "-f", file}, kPatience);
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("report.sql:3: table `water` has no column `nope`"));
  EXPECT_THAT(wrong.out, Not(HasSubstr("2")));
  const Finished piped = run(
      {"sh", "-c",
       "printf 'SELECT 1 AS a;\\n\\\\format ndjson\\nSELECT 2 AS b' | " VARVE_BINARY " query --url " + url()},
      kPatience);
  EXPECT_EQ(piped.exit_code, 0) << piped.err;
  EXPECT_THAT(piped.out, HasSubstr("a\n-\n1\n"));
  EXPECT_THAT(piped.out, HasSubstr("{\"b\":2}"));
  const Finished absent = run({VARVE_BINARY, "query", "-f", (folder_ / "absent").string()}, kPatience);
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("cannot read"));
}

}  // namespace
}  // namespace varve::test
