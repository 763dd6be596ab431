// InfluxDB 1.x: line protocol in, InfluxQL out. Its tsi1 index as its documents advise for many series; snapshots and
// full compactions come sooner than by default, so that the settled state is measured.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bench/peers/peer.h"

namespace varve::bench {
namespace {

using Json = nlohmann::json;

std::string calls(const char* function, const std::vector<std::string>& metrics) {
  std::vector<std::string> list;
  for (const std::string& metric : metrics) list.push_back(fmt::format("{}({})", function, metric));
  return fmt::format("{}", fmt::join(list, ", "));
}

class InfluxPeer final : public Peer {
 public:
  explicit InfluxPeer(const Programs& programs) : program_(programs.influxd) {}
  std::string name() const override { return "influxdb"; }
  std::string note() const override { return "1.6 of Debian 12, tsi1 index; line protocol; InfluxQL"; }

  void start() override {
    std::ofstream(folder_ / "influxdb.conf") << fmt::format(
        "reporting-enabled = false\nbind-address = \"127.0.0.1:{1}\"\n[meta]\n  dir = \"{2}/meta\"\n"
        "[data]\n  dir = \"{2}/data\"\n  wal-dir = \"{2}/wal\"\n  query-log-enabled = false\n"
        "  index-version = \"tsi1\"\n  cache-snapshot-write-cold-duration = \"5s\"\n"
        "  compact-full-write-cold-duration = \"5s\"\n"
        "[monitor]\n  store-enabled = false\n[http]\n  bind-address = \"127.0.0.1:{0}\"\n  log-enabled = "
        "false\n",
        port_, test::free_port(), data());
    run({program_, "run", "-config", folder_ / "influxdb.conf"}, {}, "/ping");
    ask({"POST", "/query?q=" + test::url_encode("CREATE DATABASE bench")});
  }
  Request insert(Set, std::string body) const override {
    return {"POST", "/write?db=bench", std::move(body)};
  }

  std::optional<Request> question(const QueryType& type, const QueryArguments& arguments) const override {
    return Request{"GET", "/query?db=bench&epoch=ms&q=" + test::url_encode(text(type, arguments))};
  }

  Answer parse(const QueryType& type, const std::string& body) const override {
    const Json result = Json::parse(body).at("results").at(0);
    if (result.contains("error")) throw std::runtime_error(result.at("error").get<std::string>());
    Answer answer;
    if (!result.contains("series")) return answer;
    const bool key_column = type.shape == Shape::kHighCpu;
    for (const Json& series : result.at("series")) {
      std::string key;
      if (series.contains("tags")) key = series.at("tags").begin()->get<std::string>();
      for (const Json& cells : series.at("values")) {
        AnswerRow row{key, cells.at(0).get<int64_t>(), {}};
        size_t at = 1;
        if (key_column) row.key = cells.at(at++).get<std::string>();
        for (; at < cells.size(); ++at)
          row.values.push_back(cells[at].is_null() ? NAN : cells[at].get<double>());
        answer.push_back(std::move(row));
      }
    }
    return answer;
  }

  uint64_t count(Set set) const override {
    const std::string field = set == Set::kCpu ? "usage_user" : "ph";
    const auto answer =
        ask({"GET", "/query?db=bench&q=" +
                        test::url_encode(fmt::format("SELECT count({}) FROM {}", field, table_name(set)))});
    const Json result = Json::parse(answer.body).at("results").at(0);
    return result.contains("series") ? result["series"][0]["values"][0][1].get<uint64_t>() : 0;
  }

 private:
  static std::string text(const QueryType& type, const QueryArguments& arguments) {
    const auto metrics = metric_names(type);
    std::string where = fmt::format("time >= {}ms AND time < {}ms", arguments.from_ms, arguments.to_ms);
    if (!arguments.hosts.empty()) {
      std::vector<std::string> hosts;
      for (const int host : arguments.hosts) hosts.push_back(fmt::format("hostname = '{}'", host_name(host)));
      where = fmt::format("({}) AND {}", fmt::join(hosts, " OR "), where);
    }
    switch (type.shape) {
      case Shape::kMaxByMinute:
        return fmt::format("SELECT {} FROM cpu WHERE {} GROUP BY time(1m)", calls("max", metrics), where);
      case Shape::kMaxByHour:
        return fmt::format("SELECT {} FROM cpu WHERE {} GROUP BY time(1h)", calls("max", metrics), where);
      case Shape::kMeanByHostHour:
        return fmt::format("SELECT {} FROM cpu WHERE {} GROUP BY time(1h), hostname", calls("mean", metrics),
                           where);
      case Shape::kHighCpu:
        return fmt::format("SELECT hostname, {} FROM cpu WHERE usage_user > 90.0 AND {}",
                           fmt::join(metrics, ", "), where);
      case Shape::kLastCpu:
        return fmt::format("SELECT {} FROM cpu GROUP BY hostname ORDER BY time DESC LIMIT 1",
                           fmt::join(metrics, ", "));
      case Shape::kLastMinutes:
        return fmt::format(
            "SELECT max(usage_user) FROM cpu WHERE {} GROUP BY time(1m) ORDER BY time DESC LIMIT 5", where);
      case Shape::kLastWater:
        return fmt::format("SELECT {} FROM water GROUP BY sensor_id ORDER BY time DESC LIMIT 1",
                           fmt::join(metrics, ", "));
      case Shape::kSiteDays:
        return fmt::format("SELECT mean(ph) FROM water WHERE {} GROUP BY time(1d), site", where);
      case Shape::kSensorRaw:
        return fmt::format("SELECT {} FROM water WHERE sensor_id = '{}' AND {}", fmt::join(metrics, ", "),
                           sensor_name(arguments.sensor), where);
    }
    return {};
  }

  const std::filesystem::path program_;
};

}  // namespace

std::unique_ptr<Peer> make_influx(const Programs& programs) {
  return std::make_unique<InfluxPeer>(programs);
}

}  // namespace varve::bench
