// The answers in tests/influxql are a real InfluxDB's: every statement that is not marked as different is asked again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/http_client.h"
#include "tests/support/influxd_server.h"
#include "tests/support/influxql_cases.h"

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

TEST(InfluxqlCases, AreWhatInfluxdAnswers) {
  test::InfluxdServer influxd;
  influxd.start();
  for (const CaseFile& file : read_select_cases()) {
    influxd.query("DROP DATABASE t");
    influxd.query("CREATE DATABASE t");
    std::string data;
    for (const std::string& line : file.data) data += line + "\n";
    ASSERT_EQ(test::http_post(influxd.url() + "/write?db=t", data, "text/plain").status, 204) << file.name;
    for (const SelectCase& one : file.cases) {
      if (!one.differs.empty()) continue;
      const auto answer =
          test::http_post(influxd.url() + "/query?db=t&epoch=ns", "q=" + test::url_encode(one.statement),
                          "application/x-www-form-urlencoded");
      const Json json = Json::parse(answer.body, nullptr, false);
      ASSERT_FALSE(json.is_discarded()) << one.place << ": " << answer.body;
      const auto lines = canonical(lines_of(json), one.unordered);
      EXPECT_TRUE(same(lines, canonical(one.expected, one.unordered)))
          << one.place << ": " << one.statement << "\n  " << fmt::format("{}", fmt::join(lines, "\n  "));
    }
  }
}

}  // namespace
}  // namespace varve::influxql
