// Time of typical statements on the real store, in process: set A of the targets (100 hosts, a reading every 10 s, ten
// doubles of two decimals), shapes of TSBS cpu-only.
//   bench_query FOLDER [DAYS=1]   (an empty folder; it is left filled, so that a second run measures a loaded store)
#include <fmt/format.h>

#include <algorithm>
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
constexpr int kRuns = 15;                                   // the median of them is shown

[[noreturn]] void fail(std::string_view what) {
  fmt::print(stderr, "bench_query: {}\n", what);
  std::exit(1);
}

// A random walk within 0..100 in steps of cents, per host and field.
void fill(Engine& engine, int days) {
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
    std::vector<RowBatch> batches;
    batches.push_back(rows.finish());
    if (auto done = engine.append_and_wait(engine.admit(std::move(batches))); !done)
      fail(done.error().message);
  }
  if (auto flushed = engine.flush(); !flushed) fail(flushed.error().message);
}

void measure(QueryService& service, std::string_view name, const std::string& sql) {
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
    auto outcome = service.run({sql, {}}, *writer);
    if (!outcome) fail(fmt::format("{}: {}", name, outcome.error().message));
    stats = *outcome;
    writer->finish(stats);
    times.push_back(static_cast<double>(real_clock().monotonic_ns() - start) / 1e6);
  }
  std::sort(times.begin(), times.end());
  fmt::print(
      "{:<28} {:>9.2f} ms  {:>8} rows out {:>9} scanned {:>7} decoded {:>7} by statistics {:>9} bytes\n",
      name, times[times.size() / 2], stats.row_count, stats.rows_scanned, stats.blocks_decoded,
      stats.blocks_from_statistics, bytes);
}

std::string columns(std::string_view function, int count) {
  std::string list;
  for (int i = 0; i < count; ++i) list += fmt::format(", {}(usage_{})", function, i);
  return list;
}

void run(const std::string& folder, int days) {
  MetricsRegistry metrics;
  EngineOptions options;
  options.data_directory = folder;
  options.metrics = &metrics;
  auto engine = Engine::open(options);
  if (!engine) fail(engine.error().message);
  if ((*engine)->tables().empty()) {
    const int64_t start = real_clock().monotonic_ns();
    fill(**engine, days);
    fmt::print("filled {} days in {:.1f} s\n", days,
               static_cast<double>(real_clock().monotonic_ns() - start) / 1e9);
  }
  QueryService service(**engine, {}, metrics);
  const std::string hour = "time >= '2025-01-01T08:00:00Z' AND time < '2025-01-01T09:00:00Z'";
  const std::string half_day = "time >= '2025-01-01T08:00:00Z' AND time < '2025-01-01T20:00:00Z'";
  const std::string eight =
      "hostname IN ('host_1','host_2','host_3','host_5','host_8','host_13','host_21','host_34')";
  const std::string minute = "SELECT time_bucket('1m', time) AS minute";
  const std::string per_hour = "SELECT time_bucket('1h', time) AS hour, hostname";
  measure(service, "single-groupby-1-1-1",
          minute + ", max(usage_0) FROM cpu WHERE hostname = 'host_7' AND " + hour +
              " GROUP BY minute ORDER BY minute");
  measure(service, "single-groupby-5-8-1",
          minute + columns("max", 5) + " FROM cpu WHERE " + eight + " AND " + hour +
              " GROUP BY minute ORDER BY minute");
  measure(service, "cpu-max-all-1",
          "SELECT time_bucket('1h', time) AS hour" + columns("max", 10) +
              " FROM cpu WHERE hostname = 'host_7' AND " + half_day + " GROUP BY hour");
  measure(service, "cpu-max-all-8",
          "SELECT time_bucket('1h', time) AS hour" + columns("max", 10) + " FROM cpu WHERE " + eight +
              " AND " + half_day + " GROUP BY hour");
  measure(service, "double-groupby-1",
          per_hour + columns("avg", 1) + " FROM cpu WHERE " + half_day + " GROUP BY hour, hostname");
  measure(service, "double-groupby-5",
          per_hour + columns("avg", 5) + " FROM cpu WHERE " + half_day + " GROUP BY hour, hostname");
  measure(service, "double-groupby-all",
          per_hour + columns("avg", 10) + " FROM cpu WHERE " + half_day + " GROUP BY hour, hostname");
  measure(service, "high-cpu-1",
          "SELECT * FROM cpu WHERE usage_0 > 90 AND hostname = 'host_7' AND " + half_day);
  measure(service, "high-cpu-all", "SELECT * FROM cpu WHERE usage_0 > 90 AND " + half_day);
  measure(service, "lastpoint", "SELECT hostname" + columns("last", 10) + " FROM cpu GROUP BY hostname");
  measure(service, "groupby-orderby-limit",
          minute +
              ", max(usage_0) FROM cpu WHERE time < '2025-01-01T20:00:00Z' GROUP BY minute ORDER BY minute "
              "DESC LIMIT 5");
  measure(service, "avg of everything", "SELECT avg(usage_0), max(usage_1), count(*) FROM cpu");
  measure(service, "avg with field filter", "SELECT avg(usage_0) FROM cpu WHERE usage_1 > 50");
  measure(service, "newest 10", "SELECT * FROM cpu ORDER BY time DESC LIMIT 10");
  measure(service, "sort by a field",
          "SELECT time, hostname, usage_0 FROM cpu WHERE " + half_day + " ORDER BY usage_0");
  measure(service, "one host, raw", "SELECT * FROM cpu WHERE hostname = 'host_7'");
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_query FOLDER [DAYS]\n");
    return 2;
  }
  varve::run(argv[1], argc > 2 ? std::atoi(argv[2]) : 1);
  return 0;
}
