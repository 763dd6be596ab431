// config/grafana against a running `varve demo`: every query of every dashboard is asked as Grafana would ask it, with
// its variables and macros filled in, and every metric named in PromQL must be in /metrics.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "tests/support/http_client.h"
#include "tests/support/process.h"

namespace varve::test {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

const std::filesystem::path kFolder = std::filesystem::path(VARVE_SOURCE_DIR) / "config/grafana";

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

int64_t now_ms() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string iso(int64_t ms) {
  const time_t seconds = ms / 1000;
  tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  (void)std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:03}Z", text, ms % 1000);
}

struct Panel {
  std::string title;
  Json target;
};

class GrafanaFiles : public ::testing::Test {
 protected:
  GrafanaFiles() {
    for (const auto& entry : std::filesystem::directory_iterator(kFolder / "dashboards")) {
      dashboards_.push_back(Json::parse(text_of(entry.path())));
    }
    EXPECT_EQ(dashboards_.size(), 2U);
  }

  // The uids and types of provisioning/datasources.
  static std::map<std::string, std::string> datasources() {
    const std::string yaml = text_of(kFolder / "provisioning/datasources/varve.yaml");
    EXPECT_EQ(yaml.find('\t'), std::string::npos);
    std::map<std::string, std::string> found;
    const std::regex entry("\n    uid: (\\S+)\n    type: (\\S+)\n");
    for (std::sregex_iterator at(yaml.begin(), yaml.end(), entry); at != std::sregex_iterator(); ++at) {
      found[(*at)[1]] = (*at)[2];
    }
    return found;
  }

  // Of one kind of datasource, annotations included.
  std::vector<Panel> targets(const std::string& type) const {
    std::vector<Panel> found;
    for (const Json& dashboard : dashboards_) {
      for (const Json& panel : dashboard["panels"]) {
        for (const Json& target : panel["targets"]) {
          if (target["datasource"]["type"] == type) found.push_back({panel["title"], target});
        }
      }
      for (const Json& annotation : dashboard["annotations"]["list"]) {
        if (annotation.contains("target") && annotation["datasource"]["type"] == type) {
          found.push_back({annotation["name"], annotation["target"]});
        }
      }
    }
    return found;
  }

  std::vector<Json> dashboards_;
};

// A demo with some thousand readings and a refused message.
class GrafanaDemo : public GrafanaFiles {
 protected:
  GrafanaDemo() {
    const uint16_t port = free_port();
    url_ = fmt::format("http://127.0.0.1:{}", port);
    varve_ = std::make_unique<Process>(std::vector<std::string>{
        VARVE_BINARY, "demo", "--port", fmt::format("{}", port), "--sensors", "20", "--rate", "5000"});
    const bool filled = wait_until(
        [&] {
          const HttpAnswer answer = http_post(url_ + "/api/v1/query?format=objects",
                                              "SELECT count(*) AS n FROM varve_quarantine", "text/plain");
          return answer.status == 200 && Json::parse(answer.body)[0]["n"] > 0;
        },
        seconds(90));
    EXPECT_TRUE(filled) << varve_->log_tail();
    to_ = now_ms();
    from_ = to_ - 15 * 60 * 1000;
  }

  // Grafana's variables as its page fills them in, for two chosen sites.
  std::string filled_in(std::string text) const {
    text = replaced(text, "${site:singlequote}", "'montrose','oak'");
    text = replaced(text, "${site:regex}", "(montrose|oak)");
    text = replaced(text, "/^$site$/", "/^(montrose|oak)$/");
    text = replaced(text, "$timeFilter", fmt::format("time >= {}ms and time <= {}ms", from_, to_));
    text = replaced(text, "$__interval", "10s");
    return text;
  }
  Json request(const Json& target) const {
    return {{"range", {{"from", iso(from_)}, {"to", iso(to_)}}},
            {"intervalMs", 1000},
            {"maxDataPoints", 800},
            {"targets", Json::array({target})},
            {"filters", Json::array({{{"key", "sensor_id"}, {"operator", "!="}, {"value", "none"}}})}};
  }

  std::unique_ptr<Process> varve_;
  std::string url_;
  int64_t from_ = 0;
  int64_t to_ = 0;
};

TEST_F(GrafanaFiles, DashboardsAreWhatGrafanaLoads) {
  const auto known = datasources();
  EXPECT_EQ(known.size(), 4U);
  const std::set<std::string> panel_types = {"timeseries", "stat", "table"};
  std::set<std::string> uids;
  for (const Json& dashboard : dashboards_) {
    EXPECT_GE(dashboard["schemaVersion"], 39);
    EXPECT_TRUE(uids.insert(dashboard["uid"]).second);
    std::set<int> ids;
    for (const Json& panel : dashboard["panels"]) {
      SCOPED_TRACE(panel["title"].get<std::string>());
      EXPECT_TRUE(ids.insert(panel["id"].get<int>()).second);
      EXPECT_TRUE(panel_types.contains(panel["type"]));
      const Json& place = panel["gridPos"];
      EXPECT_LE(place["x"].get<int>() + place["w"].get<int>(), 24);
      ASSERT_FALSE(panel["targets"].empty());
      for (const Json& target : panel["targets"]) {
        EXPECT_EQ(target["datasource"], panel["datasource"]);
        EXPECT_FALSE(target["refId"].get<std::string>().empty());
        EXPECT_EQ(known.at(target["datasource"]["uid"]), target["datasource"]["type"]);
      }
    }
  }
}

TEST_F(GrafanaDemo, EveryPanelOfTheJsonDatasourceIsAnswered) {
  const auto panels = targets("simpod-json-datasource");
  EXPECT_GT(panels.size(), 10U);
  for (Panel panel : panels) {
    SCOPED_TRACE(panel.title);
    Json& payload = panel.target["payload"];
    // The page reads the text of code mode as JSON; of builder mode it fills in each option.
    if (payload.is_string()) {
      payload = Json::parse(filled_in(payload));
    } else {
      for (Json& option : payload) option = filled_in(option);
    }
    const HttpAnswer answer =
        http_post(url_ + "/grafana/query", request(panel.target).dump(), "application/json");
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json json = Json::parse(answer.body);
    ASSERT_FALSE(json.empty());
    for (const Json& part : json) {
      EXPECT_EQ(part["refId"], panel.target["refId"]);
      const bool may_be_empty = panel.title == "Mirrors";  // the demo has none
      if (part.contains("rows") && !may_be_empty) {
        EXPECT_FALSE(part["rows"].empty());
      }
      if (part.contains("datapoints")) {
        EXPECT_FALSE(part["datapoints"].empty());
      }
      if (part.contains("fields")) {
        EXPECT_FALSE(part["fields"][0]["values"].empty());
      }
    }
    if (panel.target["target"] == "readings") {
      ASSERT_EQ(json.size(), 2U);
      EXPECT_EQ(json[0]["target"], "montrose");
    }
  }
  for (const Json& dashboard : dashboards_) {
    for (const Json& variable : dashboard["templating"]["list"]) {
      if (variable["type"] != "query") continue;
      const Json body = {{"payload", {{"target", variable["query"]["query"]}}},
                         {"range", request({})["range"]}};
      const HttpAnswer answer = http_post(url_ + "/grafana/variable", body.dump(), "application/json");
      ASSERT_EQ(answer.status, 200) << answer.body;
      EXPECT_EQ(Json::parse(answer.body).size(), 10U);
    }
  }
}

TEST_F(GrafanaDemo, PanelsOfInfluxdbInfinityAndPrometheusAreAnswered) {
  const auto influx = targets("influxdb");
  ASSERT_FALSE(influx.empty());
  for (const Panel& panel : influx) {
    const HttpAnswer answer =
        http_post(url_ + "/query?db=varve&epoch=ms", "q=" + url_encode(filled_in(panel.target["query"])),
                  "application/x-www-form-urlencoded");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(Json::parse(answer.body)["results"][0]["series"].size(), 2U) << answer.body;
  }

  const auto infinity = targets("yesoreyeram-infinity-datasource");
  ASSERT_FALSE(infinity.empty());
  for (const Panel& panel : infinity) {
    std::string url = url_ + panel.target["url"].get<std::string>() + "?";
    for (const Json& parameter : panel.target["url_options"]["params"]) {
      url += parameter["key"].get<std::string>() + "=" + url_encode(filled_in(parameter["value"])) + "&";
    }
    const HttpAnswer answer = http_get(url);
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json rows = Json::parse(answer.body);
    ASSERT_FALSE(rows.empty());
    for (const Json& column : panel.target["columns"])
      EXPECT_TRUE(rows[0].contains(column["selector"])) << column;
  }

  const std::string metrics = http_get(url_ + "/metrics").body;
  const auto prometheus = targets("prometheus");
  ASSERT_FALSE(prometheus.empty());
  for (const Panel& panel : prometheus) {
    const auto expr = panel.target["expr"].get<std::string>();
    EXPECT_EQ(std::count(expr.begin(), expr.end(), '('), std::count(expr.begin(), expr.end(), ')')) << expr;
    const std::regex name("varve_[a-z_]+");
    size_t names = 0;
    for (std::sregex_iterator at(expr.begin(), expr.end(), name); at != std::sregex_iterator();
         ++at, ++names) {
      const std::string metric = at->str();
      const bool there = metrics.find("\n" + metric + "{") != std::string::npos ||
                         metrics.find("\n" + metric + " ") != std::string::npos;
      EXPECT_TRUE(there) << panel.title << ": " << metric;
    }
    EXPECT_GT(names, 0U) << expr;
    // Labels that legends and sums name.
    const std::regex by("by \\(([a-z_, ]+)\\)");
    std::smatch labels;
    if (!std::regex_search(expr, labels, by)) continue;
    std::stringstream list(replaced(labels[1], ",", " "));
    for (std::string label; list >> label;) {
      if (label == "instance") continue;  // Prometheus' own
      EXPECT_THAT(metrics, HasSubstr(label + "=\"")) << expr;
    }
  }
}

}  // namespace
}  // namespace varve::test
