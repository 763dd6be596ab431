// How fast segments are read: the average of 25.9 M values, and the opening of a store of many segments.
//   bench_scan FOLDER avg [REPEATS]      100 series, 3 days of 10 s, ten doubles: with and without statistics
//   bench_scan FOLDER open [SEGMENTS]    one table of 100 series in as many segments
// FOLDER must not exist; it is removed at the end. Files are in the page cache.
#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "bench/store_rows.h"

namespace varve::bench {
namespace {

constexpr size_t kHosts = 100;

EngineOptions options_for(const std::string& folder, MetricsRegistry& metrics) {
  EngineOptions options;
  options.data_directory = folder;
  options.metrics = &metrics;
  options.wal_sync = WalSync::kRelaxed;
  return options;
}

double ms_since(int64_t start_ns) {
  return static_cast<double>(real_clock().monotonic_ns() - start_ns) / kNsPerMs;
}

// Four sums at once: one chain of additions would take longer than the scan.
double sum_of(const std::vector<double>& values) {
  double sums[4] = {};
  size_t i = 0;
  for (; i + 4 <= values.size(); i += 4) {
    for (size_t k = 0; k < 4; ++k) sums[k] += values[i + k];
  }
  for (; i < values.size(); ++i) sums[0] += values[i];
  return sums[0] + sums[1] + sums[2] + sums[3];
}

struct Average {
  double sum = 0;
  uint64_t count = 0;
};

void add_average(Engine& engine, std::vector<std::string> fields, bool statistics, Average& average) {
  ScanRequest request;
  request.database = "db";
  request.table = "cpu";
  request.fields = std::move(fields);
  request.may_use_statistics = statistics;
  auto scan = engine.scan(std::move(request));
  if (!scan) give_up(scan.error());
  ScanBlock block;
  while (true) {
    const auto more = (*scan)->next(block);
    if (!more) give_up(more.error());
    if (!*more) return;
    if (block.from_statistics) {
      for (const ColumnStatistics& column : block.statistics) {
        average.sum += column.sum;
        average.count += column.count;
      }
    } else {
      for (const ColumnVector& column : block.columns) {
        average.sum += sum_of(column.doubles);
        average.count += column.doubles.size();
      }
    }
  }
}

// The best of `repeats`: the machine has other work.
template <class Run>
void measure(const char* what, size_t repeats, const Run& run) {
  double best = 1e9;
  double best_cpu = 1e9;
  Average average;
  for (size_t i = 0; i < repeats; ++i) {
    average = {};
    const int64_t start = real_clock().monotonic_ns();
    const double cpu = usage_now().cpu_s;
    run(average);
    best = std::min(best, ms_since(start));
    best_cpu = std::min(best_cpu, 1e3 * (usage_now().cpu_s - cpu));
  }
  fmt::print("{:<40} {:>7.2f} ms {:>7.2f} CPU ms  {:>5.2f} ns/value  avg {:.6f} of {}\n", what, best,
             best_cpu, best_cpu * 1e6 / static_cast<double>(average.count),
             average.sum / static_cast<double>(average.count), average.count);
}

void bench_avg(const std::string& folder, size_t repeats) {
  MetricsRegistry metrics;
  auto engine = open_store(options_for(folder, metrics));
  CpuRows source(kHosts, 360);
  std::vector<std::string> all;
  for (size_t f = 0; f < kStoreFields; ++f) all.push_back(field_name(f));
  const auto scans = [&](const std::string& where) {
    const auto ten_at_once = [&](bool statistics) {
      return [&, statistics](Average& average) { add_average(*engine, all, statistics, average); };
    };
    const auto one_by_one = [&](bool statistics) {
      return [&, statistics](Average& average) {
        for (const std::string& field : all) add_average(*engine, {field}, statistics, average);
      };
    };
    measure((where + ", ten fields, decoded").c_str(), repeats, ten_at_once(false));
    measure((where + ", field by field, decoded").c_str(), repeats, one_by_one(false));
    measure((where + ", ten fields, statistics").c_str(), repeats, ten_at_once(true));
    measure((where + ", field by field, statistics").c_str(), repeats, one_by_one(true));
  };
  uint64_t rows = 0;
  for (size_t batch = 0; batch < 72; ++batch) {  // an hour each
    std::vector<RowBatch> one;
    one.push_back(source.next());
    rows += one.front().rows();
    append_rows(*engine, std::move(one));
    if (batch == 23) {
      wait_until_written(*engine, rows);
      scans("memtable or so");
    }
  }
  if (auto done = engine->flush(); !done) give_up(done.error());
  fmt::print("{} rows in {} segments\n", rows, engine->status().segments);
  scans("segments");
}

void bench_open(const std::string& folder, size_t segments) {
  {
    MetricsRegistry metrics;
    auto engine = open_store(options_for(folder, metrics));
    CpuRows source(kHosts, 10);
    uint64_t rows = 0;
    while (engine->status().segments < segments) {
      std::vector<RowBatch> one;
      one.push_back(source.next());
      rows += one.front().rows();
      append_rows(*engine, std::move(one));
      wait_until_written(*engine, rows);
      if (auto done = engine->flush(); !done) give_up(done.error());
    }
  }
  for (int repeat = 0; repeat < 3; ++repeat) {
    MetricsRegistry metrics;
    const Usage start = usage_now();
    auto engine = open_store(options_for(folder, metrics));
    const Usage opened = usage_now();
    Average average;
    add_average(*engine, {"f0"}, true, average);
    const Usage first = usage_now();
    add_average(*engine, {"f0"}, true, average);
    const Usage second = usage_now();
    const auto spent = [](const Usage& from, const Usage& to) {
      return fmt::format("{:.1f} ms ({:.1f} of CPU)", 1e3 * (to.wall_s - from.wall_s),
                         1e3 * (to.cpu_s - from.cpu_s));
    };
    fmt::print("open {} segments: {}; first scan {}, second {}; {:.0f} MiB resident\n",
               engine->status().segments, spent(start, opened), spent(opened, first), spent(first, second),
               second.now_mib);
  }
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  const std::string_view what = argc > 2 ? argv[2] : "";
  if (what != "avg" && what != "open") {
    fmt::print(stderr, "usage: bench_scan FOLDER avg [REPEATS] | open [SEGMENTS]\n");
    return 2;
  }
  const size_t count = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
  if (what == "avg") varve::bench::bench_avg(argv[1], count == 0 ? 5 : count);
  if (what == "open") varve::bench::bench_open(argv[1], count == 0 ? 1000 : count);
  std::filesystem::remove_all(argv[1]);
  return 0;
}
