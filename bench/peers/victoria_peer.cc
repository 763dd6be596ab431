// VictoriaMetrics: line protocol in, MetricsQL out. A field is a metric of its own there, so whole rows with a condition
// on one field (high-cpu) cannot be asked for, and the last value of a series comes without its time.
// A window function at time t looks at (t - width, t]: asked 1 ms before a bucket's end it sees just that bucket.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/peers/peer.h"

namespace varve::bench {
namespace {

using Json = nlohmann::json;

std::string selector(const std::string& prefix, const std::vector<std::string>& metrics,
                     const std::string& labels) {
  if (metrics.size() == 1) return fmt::format("{}_{}{{{}}}", prefix, metrics[0], labels);
  return fmt::format("{{__name__=~\"{}_({})\"{}{}}}", prefix, fmt::join(metrics, "|"),
                     labels.empty() ? "" : ",", labels);
}

std::string host_labels(const QueryArguments& arguments) {
  std::vector<std::string> names;
  for (const int host : arguments.hosts) names.push_back(host_name(host));
  return names.empty() ? std::string() : fmt::format("hostname=~\"{}\"", fmt::join(names, "|"));
}

class VictoriaPeer final : public Peer {
 public:
  explicit VictoriaPeer(const Programs& programs)
      : program_(programs.packages / "usr/bin/victoria-metrics") {}
  std::string name() const override { return "victoria-metrics"; }
  std::string note() const override { return "1.79 of Debian 12; line protocol; MetricsQL"; }

  void start() override {
    run({program_, fmt::format("-httpListenAddr=127.0.0.1:{}", port_), "-storageDataPath=" + data(),
         "-retentionPeriod=100y", "-search.maxUniqueTimeseries=1000000"},
        {}, "/health");
  }
  Request insert(Set, std::string body) const override { return {"POST", "/write", std::move(body)}; }
  void settle() override {
    ask({"GET", "/internal/force_flush"});
    ask({"GET", "/internal/force_merge"});
  }

  std::optional<Request> question(const QueryType& type, const QueryArguments& arguments) const override {
    const auto metrics = metric_names(type);
    switch (type.shape) {
      case Shape::kMaxByMinute:
        return range(fmt::format("max(max_over_time({}[1m])) by (__name__)",
                                 selector("cpu", metrics, host_labels(arguments))),
                     arguments, kMinuteMs);
      case Shape::kMaxByHour:
        return range(fmt::format("max(max_over_time({}[1h])) by (__name__)",
                                 selector("cpu", metrics, host_labels(arguments))),
                     arguments, kHourMs);
      case Shape::kMeanByHostHour:
        return range(
            fmt::format("avg(avg_over_time({}[1h])) by (__name__, hostname)", selector("cpu", metrics, "")),
            arguments, kHourMs);
      case Shape::kHighCpu:
        return std::nullopt;
      case Shape::kLastMinutes: {
        QueryArguments last = arguments;
        last.from_ms = arguments.to_ms - 5 * kMinuteMs;
        return range("max(max_over_time(cpu_usage_user[1m]))", last, kMinuteMs);
      }
      case Shape::kLastCpu:
      case Shape::kLastWater: {
        const bool water = type.shape == Shape::kLastWater;
        const std::string text =
            fmt::format("last_over_time({}[1h])", selector(water ? "water" : "cpu", metrics, ""));
        return Request{"GET", fmt::format("/api/v1/query?nocache=1&time={:.3f}&query={}",
                                          seconds(arguments.to_ms - 1), test::url_encode(text))};
      }
      case Shape::kSiteDays:
        return range(
            "sum(sum_over_time(water_ph[1d])) by (site) / sum(count_over_time(water_ph[1d])) by (site)",
            arguments, kDayMs);
      case Shape::kSensorRaw:
        return Request{"GET",
                       fmt::format("/api/v1/export?start={:.3f}&end={:.3f}&match[]={}",
                                   seconds(arguments.from_ms), seconds(arguments.to_ms - 1),
                                   test::url_encode(selector(
                                       "water", metrics,
                                       fmt::format("sensor_id=\"{}\"", sensor_name(arguments.sensor)))))};
    }
    return std::nullopt;
  }

  bool has_row_times(const QueryType& type) const override {
    return type.shape != Shape::kLastCpu && type.shape != Shape::kLastWater;
  }

  Answer parse(const QueryType& type, const std::string& body) const override {
    Rows rows;
    const auto metrics = metric_names(type);
    if (type.shape == Shape::kSensorRaw) {
      std::istringstream lines(body);
      for (std::string line; std::getline(lines, line);) {
        const Json series = Json::parse(line);
        for (size_t i = 0; i < series["values"].size(); ++i) {
          put(rows, metrics, series["metric"], "", series["timestamps"][i].get<int64_t>(),
              series["values"][i].get<double>());
        }
      }
    } else {
      const Json json = Json::parse(body);
      const int64_t width = type.shape == Shape::kSiteDays ? kDayMs
                            : type.shape == Shape::kMaxByMinute || type.shape == Shape::kLastMinutes
                                ? kMinuteMs
                                : kHourMs;
      const auto value = [](const Json& point) { return std::stod(point[1].get<std::string>()); };
      for (const Json& series : json["data"]["result"]) {
        const std::string key = key_of(type, series["metric"]);
        if (series.contains("value")) put(rows, metrics, series["metric"], key, 0, value(series["value"]));
        if (!series.contains("values")) continue;
        for (const Json& point : series["values"]) {
          const int64_t asked_ms = std::llround(point[0].get<double>() * 1000);
          put(rows, metrics, series["metric"], key, asked_ms + 1 - width, value(point));
        }
      }
    }
    Answer answer;
    for (auto& [place, values] : rows) answer.push_back({place.first, place.second, std::move(values)});
    return answer;
  }

  uint64_t count(Set set) const override {
    const std::string metric = set == Set::kCpu ? "cpu_usage_user" : "water_ph";
    const auto answer = ask(
        {"GET", fmt::format("/api/v1/query?nocache=1&time={:.3f}&query={}", seconds(kFirstMs + 30 * kDayMs),
                            test::url_encode("sum(count_over_time(" + metric + "[40d]))"))});
    const Json result = Json::parse(answer.body)["data"]["result"];
    return result.empty() ? 0 : std::stoull(result[0]["value"][1].get<std::string>());
  }

 private:
  using Rows = std::map<std::pair<std::string, int64_t>, std::vector<double>>;

  static double seconds(int64_t ms) { return static_cast<double>(ms) / 1000; }

  static Request range(const std::string& text, const QueryArguments& arguments, int64_t step_ms) {
    return {"GET", fmt::format("/api/v1/query_range?nocache=1&start={:.3f}&end={:.3f}&step={}s&query={}",
                               seconds(arguments.from_ms + step_ms - 1), seconds(arguments.to_ms - 1),
                               step_ms / 1000, test::url_encode(text))};
  }

  static std::string key_of(const QueryType& type, const Json& labels) {
    const char* label = type.shape == Shape::kSiteDays    ? "site"
                        : type.shape == Shape::kLastWater ? "sensor_id"
                                                          : "hostname";
    return has_key(type.shape) ? labels.value(label, "") : std::string();
  }

  // A series' metric is one value of the row.
  static void put(Rows& rows, const std::vector<std::string>& metrics, const Json& labels,
                  const std::string& key, int64_t time_ms, double value) {
    std::vector<double>& values = rows.try_emplace({key, time_ms}, metrics.size(), NAN).first->second;
    const std::string metric = labels.value("__name__", "");
    for (size_t i = 0; i < metrics.size(); ++i) {
      const bool named = metric.size() > metrics[i].size() && metric.ends_with("_" + metrics[i]) &&
                         metric.find('_') + 1 + metrics[i].size() == metric.size();
      if (metrics.size() == 1 || named) values[i] = value;
    }
  }

  const std::filesystem::path program_;
};

}  // namespace

std::unique_ptr<Peer> make_victoria(const Programs& programs) {
  return std::make_unique<VictoriaPeer>(programs);
}

}  // namespace varve::bench
