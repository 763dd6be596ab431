// The rows that every system gets: TSBS's cpu table (set A) and water sensors (set I).
//   A: 100 hosts, a row of 10 percentages each 10 s, random walks of 2 decimals; 10 tags as TSBS makes them.
//   I: 1,000 sensors of 10 sites, a row of 4 doubles of 2 decimals and 2 ints each 60 s, times jittered by +-0.5 s in ms.
// Rows come in order of time, all hosts of an instant together. Each call makes the same rows again: state is by seed.
// Threads: a generator belongs to one thread.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace varve::bench {

constexpr int kHosts = 100;
constexpr int kSensors = 1000;
constexpr int kSites = 10;
constexpr int64_t kFirstMs = 1'735'689'600'000;  // 2025-01-01T00:00:00Z
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kMinuteMs = 60'000;
constexpr int64_t kCpuStepMs = 10'000;
constexpr int64_t kWaterStepMs = 60'000;

constexpr std::array<const char*, 10> kCpuFields = {
    "usage_user", "usage_system",  "usage_idle",  "usage_nice",  "usage_iowait",
    "usage_irq",  "usage_softirq", "usage_steal", "usage_guest", "usage_guest_nice"};
constexpr std::array<const char*, 10> kCpuTags = {
    "hostname", "region",          "datacenter",         "rack", "os", "arch", "team",
    "service",  "service_version", "service_environment"};
constexpr std::array<const char*, 4> kWaterDoubles = {"ph", "temperature", "turbidity", "conductivity"};
constexpr std::array<const char*, 2> kWaterInts = {"battery", "errors"};

enum class Set { kCpu, kWater };
enum class Encoding { kLines, kCsv };

const char* table_name(Set set);
std::string host_name(int host);
std::string sensor_name(int sensor);
std::string site_of(int sensor);

// Makes the bodies of requests, `rows_per_body` rows each (fewer in the last of a call).
//   kLines: line protocol with times in ns
//   kCsv:   time in ms, then tags, then fields, in the order of the arrays above; no header
class RowSource {
 public:
  RowSource(Set set, Encoding encoding, int rows_per_body);
  std::vector<std::string> next_hours(int hours);
  uint64_t rows() const { return rows_; }  // made so far

 private:
  void append_cpu(std::string& out, int host, int64_t time_ms);
  void append_water(std::string& out, int sensor, int64_t time_ms);
  int walk(double& value, double step, double low, double high);  // in hundredths

  const Set set_;
  const Encoding encoding_;
  const int rows_per_body_;
  std::mt19937_64 random_{42};
  std::normal_distribution<double> normal_{0, 1};
  std::vector<std::array<double, 10>> state_;
  std::vector<std::string> tags_;  // of each host or sensor, as the encoding wants them
  int64_t next_ms_ = kFirstMs;
  uint64_t rows_ = 0;
};

}  // namespace varve::bench
