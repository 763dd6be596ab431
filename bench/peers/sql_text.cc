#include "bench/peers/sql_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace varve::bench {
namespace {

std::string aggregates(const char* function, const QueryType& type) {
  std::vector<std::string> calls;
  for (const std::string& metric : metric_names(type))
    calls.push_back(fmt::format("{}({})", function, metric));
  return fmt::format("{}", fmt::join(calls, ", "));
}

std::string host_list(const QueryArguments& arguments) {
  std::vector<std::string> names;
  for (const int host : arguments.hosts) names.push_back(fmt::format("'{}'", host_name(host)));
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string sql_text(const SqlDialect& dialect, const QueryType& type, const QueryArguments& arguments) {
  const bool water = is_water(type.shape);
  const std::string window =
      fmt::format("time >= {} AND time < {}", dialect.time_literal(arguments.from_ms, water),
                  dialect.time_literal(arguments.to_ms, water));
  const std::string of_hosts =
      arguments.hosts.empty() ? window : fmt::format("hostname IN ({}) AND {}", host_list(arguments), window);
  const auto names = metric_names(type);
  switch (type.shape) {
    case Shape::kMaxByMinute:
    case Shape::kMaxByHour: {
      const std::string bucket =
          dialect.bucket(type.shape == Shape::kMaxByMinute ? kMinuteMs : kHourMs, water);
      return fmt::format("SELECT {}, {} FROM cpu WHERE {} GROUP BY {} ORDER BY {}",
                         dialect.ms_of(bucket, water), aggregates("max", type), of_hosts, bucket, bucket);
    }
    case Shape::kMeanByHostHour: {
      const std::string bucket = dialect.bucket(kHourMs, water);
      return fmt::format("SELECT hostname, {}, {} FROM cpu WHERE {} GROUP BY hostname, {}",
                         dialect.ms_of(bucket, water), aggregates("avg", type), window, bucket);
    }
    case Shape::kHighCpu:
      return fmt::format("SELECT hostname, {}, {} FROM cpu WHERE usage_user > 90.0 AND {}",
                         dialect.ms_of("time", water), fmt::join(names, ", "), of_hosts);
    case Shape::kLastCpu:
      return dialect.last_rows("cpu", "hostname", names);
    case Shape::kLastMinutes: {
      const std::string bucket = dialect.bucket(kMinuteMs, water);
      return fmt::format(
          "SELECT {}, max(usage_user) FROM cpu WHERE time < {} GROUP BY {} ORDER BY {} DESC LIMIT 5",
          dialect.ms_of(bucket, water), dialect.time_literal(arguments.to_ms, water), bucket, bucket);
    }
    case Shape::kLastWater:
      return dialect.last_rows("water", "sensor_id", names);
    case Shape::kSiteDays: {
      const std::string bucket = dialect.bucket(kDayMs, water);
      return fmt::format("SELECT site, {}, avg(ph) FROM water GROUP BY site, {}",
                         dialect.ms_of(bucket, water), bucket);
    }
    case Shape::kSensorRaw:
      return fmt::format("SELECT {}, {} FROM water WHERE sensor_id = '{}' AND {} ORDER BY time",
                         dialect.ms_of("time", water), fmt::join(names, ", "), sensor_name(arguments.sensor),
                         window);
  }
  return {};
}

Answer answer_of_rows(const QueryType& type, const nlohmann::json& rows) {
  Answer answer;
  for (const auto& cells : rows) {
    AnswerRow row;
    size_t at = 0;
    if (has_key(type.shape)) row.key = cells.at(at++).get<std::string>();
    row.time_ms = cells.at(at++).get<int64_t>();
    for (; at < cells.size(); ++at) row.values.push_back(cells[at].is_null() ? NAN : cells[at].get<double>());
    answer.push_back(std::move(row));
  }
  return answer;
}

}  // namespace varve::bench
