// Time of typical statements on the real store, in process, beside the targets (which are meant over HTTP, on two cores).
// Set A: TSBS's cpu-only shape, 100 hosts, a reading every 10 s, ten doubles of two decimals.
// Set I: water sensors, 1,000 of 20 sites, a reading a minute jittered by half a second, four doubles and two ints.
//   bench_query FOLDER [DAYS=3 [ONLY]]   (an empty folder; it is left filled, so that a second run measures a loaded
//   store; ONLY: statements whose names contain it, for a profiler)
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "api/query/query.h"
#include "api/query/result_writer.h"

namespace varve {
namespace {

constexpr int kHosts = 100;
constexpr int64_t kStepNs = 10 * kNsPerSecond;
constexpr int64_t kStartNs = 1'735'689'600 * kNsPerSecond;  // 2025-01-01
constexpr int kRuns = 25;                                   // the median of them is shown
constexpr int kSensors = 1000;
constexpr int kSensorDays = 2;

[[noreturn]] void fail(std::string_view what) {
  fmt::print(stderr, "bench_query: {}\n", what);
  std::exit(1);
}

void append(Engine& engine, RowBatch batch) {
  std::vector<RowBatch> batches;
  batches.push_back(std::move(batch));
  if (auto done = engine.append_and_wait(engine.admit(std::move(batches))); !done) fail(done.error().message);
}

// A random walk within 0..100 in steps of cents, per host and field.
void fill_hosts(Engine& engine, int days) {
  const int64_t steps = days * kNsPerDay / kStepNs;
  std::vector<int> cents(kHosts * 10, 5000);
  uint64_t random = 88172645463325252ULL;
  constexpr int64_t kStepsPerBatch = 60;
  for (int64_t from = 0; from < steps; from += kStepsPerBatch) {
    RowBatchBuilder rows{std::string(kDefaultDatabase), "cpu"};
    for (int host = 0; host < kHosts; ++host) {
      for (int64_t step = from; step < std::min(from + kStepsPerBatch, steps); ++step) {
        rows.begin_row();
        rows.tag("hostname", fmt::format("host_{}", host));
        rows.tag("region", fmt::format("region_{}", host % 9));
        for (int field = 0; field < 10; ++field) {
          random ^= random << 13;
          random ^= random >> 7;
          random ^= random << 17;
          int& value = cents[static_cast<size_t>(host * 10 + field)];
          value = std::clamp(value + static_cast<int>(random % 201) - 100, 0, 10'000);
          rows.field_double(fmt::format("usage_{}", field), value / 100.0);
        }
        rows.end_row(kStartNs + step * kStepNs);
      }
    }
    append(engine, rows.finish());
  }
}

// Daily waves with drift and noise.
void fill_sensors(Engine& engine) {
  uint64_t random = 88172645463325252ULL;
  const auto next = [&](uint64_t below) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    return static_cast<int64_t>(random % below);
  };
  for (int minute = 0; minute < kSensorDays * 1440; minute += 60) {
    RowBatchBuilder rows{std::string(kDefaultDatabase), "water"};
    for (int sensor = 0; sensor < kSensors; ++sensor) {
      for (int m = minute; m < minute + 60; ++m) {
        rows.begin_row();
        rows.tag("sensor_id", fmt::format("sensor_{:04}", sensor));
        rows.tag("site", fmt::format("site_{:02}", sensor % 20));
        for (const char* field : {"ph", "turbidity", "temperature", "level"}) {
          const double wave = 500 + sensor + 200 * std::sin((m + sensor) / 229.18);
          rows.field_double(field, std::round(wave + static_cast<double>(next(21)) - 10) / 100);
        }
        rows.field_int("battery", 100 - m / 60);
        rows.field_int("flow", 40 + next(5));
        rows.end_row(kStartNs + m * 60 * kNsPerSecond + (next(1001) - 500) * kNsPerMs);
      }
    }
    append(engine, rows.finish());
  }
}

class Bench {
 public:
  Bench(Engine& engine, QueryOptions options, MetricsRegistry& metrics, std::string only)
      : service_(engine, options, metrics), only_(std::move(only)) {}

  // `target_ms` 0 = none was set.
  void measure(std::string_view name, double target_ms, const std::string& sql) {
    if (name.find(only_) == std::string_view::npos) return;
    std::vector<double> times;
    QueryStats stats;
    size_t bytes = 0;
    for (int run = 0; run < kRuns; ++run) {
      bytes = 0;
      auto writer = ResultWriter::make(ResultFormat::kJson, TimeFormat::kRfc3339, [&](std::string_view text) {
        bytes += text.size();
        return true;
      });
      const int64_t start = real_clock().monotonic_ns();
      auto outcome = service_.run({sql, {}}, *writer);
      if (!outcome) fail(fmt::format("{}: {}", name, outcome.error().message));
      stats = *outcome;
      writer->finish(stats);
      times.push_back(static_cast<double>(real_clock().monotonic_ns() - start) / 1e6);
    }
    std::sort(times.begin(), times.end());
    const double median = times[times.size() / 2];
    const std::string target = target_ms == 0 ? "" : fmt::format("{:.1f}", target_ms);
    fmt::print("{:<28} {:>6} {:>9.2f} {:>9.2f} {:<4} {:>8} {:>9} {:>8} {:>8} {:>9}\n", name, target, median,
               times.front(),
               target_ms == 0        ? ""
               : median <= target_ms ? "ok"
                                     : "MISS",
               stats.row_count, stats.rows_scanned, stats.blocks_decoded, stats.blocks_from_statistics,
               bytes);
  }

  static void print_head() {
    fmt::print("{:<28} {:>6} {:>9} {:>9} {:<4} {:>8} {:>9} {:>8} {:>8} {:>9}\n", "", "target", "median ms",
               "best ms", "", "rows out", "scanned", "decoded", "by stat.", "bytes");
  }

 private:
  QueryService service_;
  const std::string only_;
};

std::string columns(std::string_view function, int count) {
  std::string list;
  for (int i = 0; i < count; ++i) list += fmt::format(", {}(usage_{})", function, i);
  return list;
}

void measure_hosts(Bench& bench) {
  const std::string hour = "time >= '2025-01-01T08:00:00Z' AND time < '2025-01-01T09:00:00Z'";
  const std::string half_day = "time >= '2025-01-01T08:00:00Z' AND time < '2025-01-01T20:00:00Z'";
  const std::string eight_hours = "time >= '2025-01-01T08:00:00Z' AND time < '2025-01-01T16:00:00Z'";
  const std::string eight =
      "hostname IN ('host_1','host_2','host_3','host_5','host_8','host_13','host_21','host_34')";
  const std::string minute = "SELECT time_bucket('1m', time) AS minute";
  const std::string per_hour = "SELECT time_bucket('1h', time) AS hour";
  const std::string by_host = " FROM cpu WHERE " + half_day + " GROUP BY hour, hostname";
  bench.measure("single-groupby-1-1-1", 0.3,
                minute + ", max(usage_0) FROM cpu WHERE hostname = 'host_7' AND " + hour +
                    " GROUP BY minute ORDER BY minute");
  bench.measure("single-groupby-5-8-1", 1,
                minute + columns("max", 5) + " FROM cpu WHERE " + eight + " AND " + hour +
                    " GROUP BY minute ORDER BY minute");
  bench.measure("cpu-max-all-1", 0.5,
                per_hour + columns("max", 10) + " FROM cpu WHERE hostname = 'host_7' AND " + eight_hours +
                    " GROUP BY hour");
  bench.measure(
      "cpu-max-all-8", 2,
      per_hour + columns("max", 10) + " FROM cpu WHERE " + eight + " AND " + eight_hours + " GROUP BY hour");
  bench.measure("double-groupby-1", 2, per_hour + ", hostname" + columns("avg", 1) + by_host);
  bench.measure("double-groupby-5", 5, per_hour + ", hostname" + columns("avg", 5) + by_host);
  bench.measure("double-groupby-all", 8, per_hour + ", hostname" + columns("avg", 10) + by_host);
  bench.measure("high-cpu-1", 0.5,
                "SELECT * FROM cpu WHERE usage_0 > 90 AND hostname = 'host_7' AND " + half_day);
  bench.measure("high-cpu-all", 12, "SELECT * FROM cpu WHERE usage_0 > 90 AND " + half_day);
  bench.measure("lastpoint", 0.5, "SELECT hostname" + columns("last", 10) + " FROM cpu GROUP BY hostname");
  bench.measure("groupby-orderby-limit", 1,
                minute +
                    ", max(usage_0) FROM cpu WHERE time < '2025-01-01T20:00:00Z' GROUP BY minute "
                    "ORDER BY minute DESC LIMIT 5");
  bench.measure("newest 10", 0, "SELECT * FROM cpu ORDER BY time DESC LIMIT 10");
  bench.measure("oldest 10", 0, "SELECT * FROM cpu ORDER BY time LIMIT 10");
  bench.measure("newest 10 of one host", 0,
                "SELECT * FROM cpu WHERE hostname = 'host_7' ORDER BY time DESC LIMIT 10");
  bench.measure("avg of everything", 0, "SELECT avg(usage_0), max(usage_1), count(*) FROM cpu");
  bench.measure("stddev of everything", 0, "SELECT stddev(usage_0) FROM cpu");
  bench.measure("avg with field filter", 0, "SELECT avg(usage_0) FROM cpu WHERE usage_1 > 50");
  bench.measure("count of a rare condition", 0, "SELECT count(*) FROM cpu WHERE usage_1 > 99.9");
  bench.measure("sort by a field", 0,
                "SELECT time, hostname, usage_0 FROM cpu WHERE " + half_day + " ORDER BY usage_0");
  bench.measure("top 10 by a field", 0, "SELECT * FROM cpu ORDER BY usage_0 DESC LIMIT 10");
  bench.measure("one host, raw, 3 days", 0, "SELECT * FROM cpu WHERE hostname = 'host_7'");
}

void measure_sensors(Bench& bench) {
  bench.measure("I: last per sensor", 3,
                "SELECT sensor_id, last(ph), last(turbidity), last(temperature), last(level), last(battery), "
                "last(flow) FROM water GROUP BY sensor_id");
  bench.measure(
      "I: avg per site and day", 5,
      "SELECT site, time_bucket('1d', time) AS day, avg(ph), avg(turbidity), avg(temperature), avg(level), "
      "avg(battery), avg(flow) FROM water GROUP BY site, day");
  bench.measure("I: avg per site and hour", 0,
                "SELECT site, time_bucket('1h', time) AS hour, avg(ph) FROM water GROUP BY site, hour");
  bench.measure("I: one sensor, raw 24 h", 0.5,
                "SELECT * FROM water WHERE sensor_id = 'sensor_0042' AND time >= '2025-01-02T00:00:00Z'");
}

void run(const std::string& folder, int days, std::string only) {
  MetricsRegistry metrics;
  EngineOptions options;
  options.data_directory = folder;
  options.metrics = &metrics;
  auto engine = Engine::open(options);
  if (!engine) fail(engine.error().message);
  if ((*engine)->tables().empty()) {
    const int64_t start = real_clock().monotonic_ns();
    fill_hosts(**engine, days);
    fill_sensors(**engine);
    if (auto flushed = (*engine)->flush(); !flushed) fail(flushed.error().message);
    if (auto merged = (*engine)->compact(); !merged) fail(merged.error().message);
    fmt::print("filled {} days in {:.1f} s\n", days,
               static_cast<double>(real_clock().monotonic_ns() - start) / 1e9);
  }
  Bench bench(**engine, {}, metrics, std::move(only));
  Bench::print_head();
  measure_hosts(bench);
  measure_sensors(bench);
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_query FOLDER [DAYS [ONLY]]\n");
    return 2;
  }
  varve::run(argv[1], argc > 2 ? std::atoi(argv[2]) : 3, argc > 3 ? argv[3] : "");
  return 0;
}
