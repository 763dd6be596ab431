// The answers in tests/influxql are a real InfluxDB's: every statement that is not marked as different is asked again.
// varve gives them over HTTP, too, from a store that was closed and opened again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/http_client.h"
#include "tests/support/influxd_server.h"
#include "tests/support/influxql_cases.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace varve::influxql {
namespace {

using Json = nlohmann::json;

Value value_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  return {};
}

std::string row_line(const Json& row) {
  std::string line;
  for (const Json& cell : row) line += (line.empty() ? "" : " | ") + cell_text(value_of(cell));
  return line;
}

std::vector<std::string> lines_of(const Json& answer) {
  if (answer.contains("error")) return {answer["error"].get<std::string>()};
  const Json& result = answer["results"][0];
  if (result.contains("error")) return {result["error"].get<std::string>()};
  std::vector<std::string> lines;
  if (!result.contains("series")) return lines;
  for (const Json& series : result["series"]) {
    std::vector<std::pair<std::string, std::string>> tags;
    if (series.contains("tags")) {
      for (const auto& tag : series["tags"].items())
        tags.emplace_back(tag.key(), tag.value().get<std::string>());
    }
    lines.push_back(head_line(series["name"].get<std::string>(), tags,
                              series["columns"].get<std::vector<std::string>>()));
    for (const Json& row : series["values"]) lines.push_back(row_line(row));
  }
  return lines;
}

bool same(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_line);
}

void load(const std::string& url, const CaseFile& file) {
  std::string data;
  for (const std::string& line : file.data) data += line + "\n";
  ASSERT_EQ(test::http_post(url + "/write?db=t", data, "text/plain").status, 204) << file.name;
}

void expect_answer(const std::string& url, const SelectCase& one) {
  const auto answer = test::http_post(url + "/query?db=t&epoch=ns", "q=" + test::url_encode(one.statement),
                                      "application/x-www-form-urlencoded");
  const Json json = Json::parse(answer.body, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << one.place << ": " << answer.body;
  const auto lines = canonical(lines_of(json), one.unordered);
  EXPECT_TRUE(same(lines, canonical(one.expected, one.unordered)))
      << one.place << ": " << one.statement << "\n  " << fmt::format("{}", fmt::join(lines, "\n  "));
}

TEST(InfluxqlCases, AreWhatInfluxdAnswers) {
  test::InfluxdServer influxd;
  influxd.start();
  for (const CaseFile& file : read_select_cases()) {
    influxd.query("DROP DATABASE t");
    influxd.query("CREATE DATABASE t");
    load(influxd.url(), file);
    for (const SelectCase& one : file.cases) {
      if (!one.differs.empty()) continue;
      expect_answer(influxd.url(), one);
    }
  }
}

class VarveServer {
 public:
  VarveServer() {
    std::ofstream(folder_ / "varve.toml")
        << fmt::format("[server]\nlisten = \"127.0.0.1:{}\"\n[storage]\ndata = \"{}\"\n", port_,
                       (folder_ / "data").string());
    start();
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  void restart() {
    EXPECT_EQ(process_->stop(), 0) << process_->log_tail();
    start();
  }

 private:
  void start() {
    process_ = std::make_unique<test::Process>(std::vector<std::string>{
        VARVE_BINARY, "serve", "--allow-root", "--config", (folder_ / "varve.toml").string()});
    const bool ready =
        test::wait_until([&] { return test::http_get(url() + "/readyz").status == 200; }, test::seconds(60));
    EXPECT_TRUE(ready) << process_->log_tail();
  }

  const uint16_t port_ = test::free_port();
  test::TempDir folder_;
  std::unique_ptr<test::Process> process_;
};

TEST(InfluxqlCases, AreWhatVarveAnswersOverHttpFromAStoreOpenedAgain) {
  for (const CaseFile& file : read_select_cases()) {
    VarveServer varve;
    load(varve.url(), file);
    varve.restart();
    for (const SelectCase& one : file.cases) {
      expect_answer(varve.url(), one);
    }
  }
}

}  // namespace
}  // namespace varve::influxql
