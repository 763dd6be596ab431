#include "bench/peers/query_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace varve::bench {

const std::vector<QueryType>& query_types() {
  static const std::vector<QueryType> types = {
      {"single-groupby-1-1-1", Shape::kMaxByMinute, 1, 1, 1, 0.3},
      {"single-groupby-5-8-1", Shape::kMaxByMinute, 5, 8, 1, 1},
      {"cpu-max-all-1", Shape::kMaxByHour, 10, 1, 8, 0.5},
      {"cpu-max-all-8", Shape::kMaxByHour, 10, 8, 8, 2},
      {"double-groupby-1", Shape::kMeanByHostHour, 1, 0, 12, 2},
      {"double-groupby-5", Shape::kMeanByHostHour, 5, 0, 12, 5},
      {"double-groupby-all", Shape::kMeanByHostHour, 10, 0, 12, 8},
      {"high-cpu-1", Shape::kHighCpu, 10, 1, 12, 0.5},
      {"high-cpu-all", Shape::kHighCpu, 10, 0, 12, 12},
      {"lastpoint", Shape::kLastCpu, 10, 0, 0, 0.5},
      {"groupby-orderby-limit", Shape::kLastMinutes, 1, 0, 0, 1},
      {"last-per-sensor", Shape::kLastWater, 6, 0, 0, 3},
      {"avg-per-site-and-day", Shape::kSiteDays, 1, 0, 0, 5},
      {"one-sensor-raw-24h", Shape::kSensorRaw, 6, 0, 24, 0.5},
  };
  return types;
}

bool is_water(Shape shape) {
  return shape == Shape::kLastWater || shape == Shape::kSiteDays || shape == Shape::kSensorRaw;
}

bool has_key(Shape shape) {
  return shape != Shape::kMaxByMinute && shape != Shape::kMaxByHour && shape != Shape::kLastMinutes &&
         shape != Shape::kSensorRaw;
}

QueryArguments arguments_of(const QueryType& type, int run, int cpu_days, int water_days) {
  std::mt19937_64 random(static_cast<uint64_t>(run) * 1000 +
                         static_cast<uint64_t>(type.hours * 10 + type.hosts));
  const auto below = [&](int64_t count) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(count));
  };
  QueryArguments arguments;
  std::vector<int> hosts(kHosts);
  for (int i = 0; i < kHosts; ++i) hosts[static_cast<size_t>(i)] = i;
  std::shuffle(hosts.begin(), hosts.end(), random);
  hosts.resize(static_cast<size_t>(type.hosts));
  arguments.hosts = hosts;
  arguments.sensor = static_cast<int>(below(kSensors));
  const int64_t days = is_water(type.shape) ? water_days : cpu_days;
  if (type.shape == Shape::kLastMinutes) {
    arguments.to_ms = kFirstMs + (10 + below(days * 1440 - 10)) * kMinuteMs;
    arguments.from_ms = kFirstMs;  // not given to the systems that can do without
  } else if (type.hours == 0) {
    arguments.from_ms = kFirstMs;
    arguments.to_ms = kFirstMs + days * kDayMs;
  } else {
    const int64_t step = type.shape == Shape::kMaxByMinute ? kMinuteMs : kHourMs;
    const int64_t spare = (days * kDayMs - type.hours * kHourMs) / step;
    arguments.from_ms = kFirstMs + below(spare + 1) * step;
    arguments.to_ms = arguments.from_ms + type.hours * kHourMs;
  }
  return arguments;
}

std::vector<std::string> metric_names(const QueryType& type) {
  std::vector<std::string> names;
  if (type.shape == Shape::kSiteDays) return {"ph"};
  if (is_water(type.shape)) {
    names.assign(kWaterDoubles.begin(), kWaterDoubles.end());
    names.insert(names.end(), kWaterInts.begin(), kWaterInts.end());
    return names;
  }
  names.assign(kCpuFields.begin(), kCpuFields.begin() + type.metrics);
  return names;
}

std::string difference(Answer a, Answer b, bool without_times) {
  if (a.size() != b.size()) return fmt::format("{} rows against {}", a.size(), b.size());
  const auto sorted = [&](Answer& answer) {
    if (without_times) {
      for (AnswerRow& row : answer) row.time_ms = 0;
    }
    std::sort(answer.begin(), answer.end(), [](const AnswerRow& x, const AnswerRow& y) {
      return std::tie(x.key, x.time_ms) < std::tie(y.key, y.time_ms);
    });
  };
  sorted(a);
  sorted(b);
  for (size_t i = 0; i < a.size(); ++i) {
    const AnswerRow& x = a[i];
    const AnswerRow& y = b[i];
    if (x.key != y.key || x.time_ms != y.time_ms) {
      return fmt::format("row {}: ({}, {}) against ({}, {})", i, x.key, x.time_ms, y.key, y.time_ms);
    }
    if (x.values.size() != y.values.size()) {
      return fmt::format("row {}: {} values against {}", i, x.values.size(), y.values.size());
    }
    for (size_t k = 0; k < x.values.size(); ++k) {
      const double apart = std::fabs(x.values[k] - y.values[k]);
      const bool same = apart <= 1e-9 * std::max(1.0, std::fabs(x.values[k])) ||
                        (std::isnan(x.values[k]) && std::isnan(y.values[k]));
      if (!same) {
        return fmt::format("({}, {}) value {}: {} against {}", x.key, x.time_ms, k, x.values[k], y.values[k]);
      }
    }
  }
  return {};
}

}  // namespace varve::bench
