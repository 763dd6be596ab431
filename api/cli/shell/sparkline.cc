#include "api/cli/shell/sparkline.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "storage/base/timestamp.h"

namespace varve {
namespace {

constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr size_t kLevels = std::size(kBlocks);

std::optional<double> number_of(const std::optional<std::string>& cell) {
  if (!cell) return std::nullopt;
  double value = 0;
  const char* const end = cell->data() + cell->size();
  const auto [at, error] = std::from_chars(cell->data(), end, value);
  if (error != std::errc() || at != end) return std::nullopt;
  return value;
}

}  // namespace

std::string sparkline(const std::vector<std::optional<double>>& values) {
  std::optional<double> low, high;
  for (const auto& value : values) {
    if (!value) continue;
    low = low ? std::min(*low, *value) : *value;
    high = high ? std::max(*high, *value) : *value;
  }
  std::string line;
  for (const auto& value : values) {
    if (!value) {
      line.push_back(' ');
      continue;
    }
    const double range = *high - *low;
    const double part = range > 0 ? (*value - *low) / range : 0;
    line += kBlocks[std::min(kLevels - 1, static_cast<size_t>(part * kLevels))];
  }
  return line;
}

bool SparkTable::columns(const std::vector<AnswerColumn>& columns) {
  columns_ = columns;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].type == "timestamp" && !time_column_) time_column_ = i;
    if (columns[i].type == "string") tag_columns_.push_back(i);
    if (columns[i].is_number()) value_columns_.push_back(i);
  }
  possible_ = time_column_.has_value() && !value_columns_.empty();
  if (!possible_) return out_.columns(columns);
  std::vector<AnswerColumn> shown;
  for (const size_t tag : tag_columns_) shown.push_back(columns[tag]);
  if (value_columns_.size() > 1) shown.push_back({"value", "string"});
  const std::string name = value_columns_.size() > 1 ? "over time" : columns[value_columns_[0]].name;
  shown.push_back({name, "line"});  // not "string": a line is never cut
  shown.push_back({"points", "int64"});
  for (const char* number : {"min", "max", "last"}) shown.push_back({number, "double"});
  return out_.columns(shown);
}

bool SparkTable::row(const AnswerRow& row) {
  if (!possible_) return out_.row(row);
  const auto& cell = row[*time_column_];
  if (!cell || points_ >= kSparkPointsMax) return true;
  const auto time = parse_timestamp(*cell);
  if (!time) return true;
  std::string key;
  for (const size_t tag : tag_columns_) {
    key += row[tag] ? fmt::format("{}:{}", row[tag]->size(), *row[tag]) : "-";
  }
  const auto [group, fresh] = by_key_.try_emplace(std::move(key), series_.size());
  if (fresh) {
    Series series;
    for (const size_t tag : tag_columns_) series.tags.push_back(row[tag]);
    for (const size_t column : value_columns_) {
      series.value_column = column;
      series_.push_back(series);
    }
  }
  for (size_t i = 0; i < value_columns_.size(); ++i) {
    if (const auto value = number_of(row[value_columns_[i]])) {
      series_[group->second + i].points.push_back({*time, *value});
      ++points_;
    }
  }
  return true;
}

bool SparkTable::finish(const AnswerEnd& end) {
  if (!possible_) return out_.finish(end);
  int64_t from_ns = INT64_MAX, to_ns = INT64_MIN;
  for (Series& series : series_) {
    std::stable_sort(series.points.begin(), series.points.end(),
                     [](const Point& a, const Point& b) { return a.time_ns < b.time_ns; });
    if (series.points.empty()) continue;
    from_ns = std::min(from_ns, series.points.front().time_ns);
    to_ns = std::max(to_ns, series.points.back().time_ns);
  }
  for (const Series& series : series_) {
    if (!out_.row(line_of(series, from_ns, to_ns))) return false;
  }
  return out_.finish(end);
}

AnswerRow SparkTable::line_of(const Series& series, int64_t from_ns, int64_t to_ns) const {
  struct Step {
    double sum = 0;
    size_t count = 0;
  };
  std::vector<Step> steps(kSparkWidth);
  double low = 0, high = 0;
  const double range = static_cast<double>(to_ns) - static_cast<double>(from_ns);
  for (size_t i = 0; i < series.points.size(); ++i) {
    const Point& point = series.points[i];
    low = i == 0 ? point.value : std::min(low, point.value);
    high = i == 0 ? point.value : std::max(high, point.value);
    const double part = (static_cast<double>(point.time_ns) - static_cast<double>(from_ns)) / (range + 1);
    Step& step = steps[std::min(kSparkWidth - 1, static_cast<size_t>(part * kSparkWidth))];
    step.sum += point.value;
    ++step.count;
  }
  std::vector<std::optional<double>> means;
  for (const Step& step : steps) {
    means.push_back(step.count == 0 ? std::nullopt
                                    : std::optional(step.sum / static_cast<double>(step.count)));
  }
  AnswerRow row = series.tags;
  if (value_columns_.size() > 1) row.push_back(columns_[series.value_column].name);
  row.push_back(sparkline(means));
  row.push_back(fmt::format("{}", series.points.size()));
  if (series.points.empty()) {
    row.insert(row.end(), 3, std::nullopt);
    return row;
  }
  for (const double value : {low, high, series.points.back().value})
    row.push_back(fmt::format("{:.6g}", value));
  return row;
}

}  // namespace varve
