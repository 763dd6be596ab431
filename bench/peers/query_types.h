// The questions of the comparison: TSBS's cpu queries and three of water sensors, their arguments, and answers in one
// shape so that systems can be held against each other.
// Windows begin and end on bucket borders, which TSBS leaves to chance: only so do all systems mean the same buckets.
// Threads: values.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/peers/rows.h"

namespace varve::bench {

enum class Shape {
  kMaxByMinute,     // time, max of metrics over the hosts
  kMaxByHour,       // the same
  kMeanByHostHour,  // hostname, time, mean of metrics
  kHighCpu,         // hostname, time, all metrics of rows with usage_user > 90
  kLastCpu,         // hostname, time, all metrics of each host's last row
  kLastMinutes,     // time, max(usage_user) of the last 5 minutes before an end, newest first
  kLastWater,       // sensor_id, time, the fields of each sensor's last row
  kSiteDays,        // site, time, mean(ph)
  kSensorRaw,       // time, the fields
};

struct QueryType {
  const char* name;
  Shape shape;
  int metrics;
  int hosts;  // 0 = all
  int hours;
  double target_ms;
};

const std::vector<QueryType>& query_types();
bool is_water(Shape shape);
bool has_key(Shape shape);  // the first column is a host, sensor or site

struct QueryArguments {
  std::vector<int> hosts;
  int sensor = 0;
  int64_t from_ms = 0;  // included
  int64_t to_ms = 0;    // not included
};

// The arguments of run number `run`: the same for every system.
QueryArguments arguments_of(const QueryType& type, int run, int cpu_days, int water_days);

std::vector<std::string> metric_names(const QueryType& type);

struct AnswerRow {
  std::string key;
  int64_t time_ms = 0;
  std::vector<double> values;  // NULL is NaN
};
using Answer = std::vector<AnswerRow>;

// Empty when both say the same (in any order, numbers within 1e-9 of each other); else the first difference.
// `without_times`: one of them cannot tell a row's time.
std::string difference(Answer a, Answer b, bool without_times);

}  // namespace varve::bench
