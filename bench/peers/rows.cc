#include "bench/peers/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace varve::bench {
namespace {

constexpr std::array<const char*, 3> kRegions = {"eu-west-1", "us-east-1", "ap-southeast-2"};
constexpr std::array<const char*, 3> kSystems = {"Ubuntu16.04LTS", "Ubuntu16.10", "Ubuntu15.10"};
constexpr std::array<const char*, 4> kTeams = {"SF", "NYC", "LON", "CHI"};
constexpr std::array<const char*, 3> kEnvironments = {"production", "staging", "test"};

std::array<std::string, 10> cpu_tags(int host) {
  const auto pick = [&](const auto& list, int salt) {
    return std::string(list[static_cast<size_t>(host * 7 + salt) % list.size()]);
  };
  const std::string region = pick(kRegions, 1);
  return {host_name(host),
          region,
          fmt::format("{}{}", region, static_cast<char>('a' + host % 3)),
          std::to_string(host * 13 % 100),
          pick(kSystems, 2),
          host % 2 == 0 ? "x64" : "x86",
          pick(kTeams, 3),
          std::to_string(host * 11 % 20),
          std::to_string(host % 2),
          pick(kEnvironments, 4)};
}

void append_hundredths(std::string& out, int value) {
  fmt::format_to(std::back_inserter(out), "{}{}.{:02}", value < 0 ? "-" : "", std::abs(value) / 100,
                 std::abs(value) % 100);
}

}  // namespace

const char* table_name(Set set) {
  return set == Set::kCpu ? "cpu" : "water";
}
std::string host_name(int host) {
  return fmt::format("host_{}", host);
}
std::string sensor_name(int sensor) {
  return fmt::format("sensor_{:04}", sensor);
}
std::string site_of(int sensor) {
  return fmt::format("site_{}", sensor % kSites);
}

RowSource::RowSource(Set set, Encoding encoding, int rows_per_body)
    : set_(set), encoding_(encoding), rows_per_body_(rows_per_body) {
  const int series = set == Set::kCpu ? kHosts : kSensors;
  std::uniform_real_distribution<double> percent(0, 100);
  for (int i = 0; i < series; ++i) {
    auto& state = state_.emplace_back();
    for (double& value : state) value = percent(random_);
    if (set == Set::kWater) state = {7.3, 12, 3, 450, 100, 0, 0, 0, 0, 0};
    std::string& tags = tags_.emplace_back();
    if (set == Set::kCpu) {
      const auto values = cpu_tags(i);
      for (size_t tag = 0; tag < values.size(); ++tag) {
        tags += encoding == Encoding::kLines ? fmt::format(",{}={}", kCpuTags[tag], values[tag])
                                             : "," + values[tag];
      }
    } else {
      tags = encoding == Encoding::kLines ? fmt::format(",sensor_id={},site={}", sensor_name(i), site_of(i))
                                          : fmt::format(",{},{}", sensor_name(i), site_of(i));
    }
  }
}

int RowSource::walk(double& value, double step, double low, double high) {
  value = std::clamp(value + step * normal_(random_), low, high);
  return static_cast<int>(std::lround(value * 100));
}

void RowSource::append_cpu(std::string& out, int host, int64_t time_ms) {
  const bool lines = encoding_ == Encoding::kLines;
  const auto series = static_cast<size_t>(host);
  out += lines ? "cpu" : std::to_string(time_ms);
  out += tags_[series];
  for (size_t field = 0; field < kCpuFields.size(); ++field) {
    out += lines && field == 0 ? ' ' : ',';
    if (lines) {
      out += kCpuFields[field];
      out += '=';
    }
    append_hundredths(out, walk(state_[series][field], 1, 0, 100));
  }
  if (lines) fmt::format_to(std::back_inserter(out), " {}000000", time_ms);
  out += '\n';
}

void RowSource::append_water(std::string& out, int sensor, int64_t time_ms) {
  const bool lines = encoding_ == Encoding::kLines;
  const auto series = static_cast<size_t>(sensor);
  auto& state = state_[series];
  const double day = std::sin(static_cast<double>(time_ms % kDayMs) * 2 * M_PI / static_cast<double>(kDayMs));
  const std::array<int, 4> values = {walk(state[0], 0.01, 6, 9) + static_cast<int>(15 * day),
                                     walk(state[1], 0.02, 5, 25) + static_cast<int>(250 * day),
                                     walk(state[2], 0.1, 0, 100), walk(state[3], 1, 100, 900)};
  const std::array<int, 2> counts = {std::max(0, 100 - static_cast<int>((time_ms - kFirstMs) / kDayMs)),
                                     static_cast<int>(random_() % 50 == 0)};
  const int64_t at_ms = time_ms + static_cast<int64_t>(random_() % 1001) - 500;
  out += lines ? "water" : std::to_string(at_ms);
  out += tags_[series];
  for (size_t i = 0; i < values.size(); ++i) {
    out += lines && i == 0 ? ' ' : ',';
    if (lines) fmt::format_to(std::back_inserter(out), "{}=", kWaterDoubles[i]);
    append_hundredths(out, values[i]);
  }
  for (size_t i = 0; i < counts.size(); ++i) {
    if (lines) {
      fmt::format_to(std::back_inserter(out), ",{}={}i", kWaterInts[i], counts[i]);
    } else {
      fmt::format_to(std::back_inserter(out), ",{}", counts[i]);
    }
  }
  if (lines) fmt::format_to(std::back_inserter(out), " {}000000", at_ms);
  out += '\n';
}

std::vector<std::string> RowSource::next_hours(int hours) {
  std::vector<std::string> bodies;
  const int64_t end_ms = next_ms_ + hours * kHourMs;
  const int series = set_ == Set::kCpu ? kHosts : kSensors;
  int in_body = rows_per_body_;
  for (; next_ms_ < end_ms; next_ms_ += set_ == Set::kCpu ? kCpuStepMs : kWaterStepMs) {
    for (int i = 0; i < series; ++i) {
      if (in_body == rows_per_body_) {
        bodies.emplace_back();
        in_body = 0;
      }
      if (set_ == Set::kCpu) {
        append_cpu(bodies.back(), i, next_ms_);
      } else {
        append_water(bodies.back(), i,
                     next_ms_ + kWaterStepMs / 2);  // mid-minute: jitter stays within the minute
      }
      ++in_body;
      ++rows_;
    }
  }
  return bodies;
}

}  // namespace varve::bench
