// How fast the store takes ready RowBatches, durably, and what that costs in CPU, memory and disk.
//   bench_append FOLDER rows [MILLIONS]     100 series, ten doubles a row, until durable, then until flushed
//   bench_append FOLDER series [SERIES]     ten rows of each series, spread over time
// FOLDER must not exist; it is removed at the end.
#include <fmt/core.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "bench/store_rows.h"

namespace varve::bench {
namespace {

constexpr size_t kBatchTicks = 100;

struct Store {
  MetricsRegistry metrics;
  std::unique_ptr<Engine> engine;

  explicit Store(const std::string& folder) {
    EngineOptions options;
    options.data_directory = folder;
    options.metrics = &metrics;
    engine = open_store(std::move(options));
  }
};

void report(const char* what, uint64_t rows, const Usage& from, double cpu_outside = 0) {
  const Usage now = usage_now();
  const double millions = static_cast<double>(rows) / 1e6;
  fmt::print(
      "{:<10} {:>7.2f} M rows  {:>6.2f} s  {:>5.2f} M rows/s  {:>5.2f} CPU s/M rows  peak {:.0f} MiB\n", what,
      millions, now.wall_s - from.wall_s, millions / (now.wall_s - from.wall_s),
      (now.cpu_s - from.cpu_s - cpu_outside) / millions, now.peak_mib);
}

void report_disk(Engine& engine, uint64_t rows) {
  const EngineStatus status = engine.status();
  fmt::print("{:<10} {:.1f} bytes/row in the log, {:.2f} in {} segments\n", "",
             static_cast<double>(status.bytes_written) / static_cast<double>(rows),
             static_cast<double>(status.segment_bytes) / static_cast<double>(rows), status.segments);
}

void append_many_rows(const std::string& folder, uint64_t rows) {
  constexpr size_t kHosts = 100;
  CpuRows source(kHosts, kBatchTicks);
  const uint64_t batches = rows / (kHosts * kBatchTicks);
  rows = batches * kHosts * kBatchTicks;
  Usage start = usage_now();
  size_t sum = 0;
  for (uint64_t i = 0; i < batches; ++i) sum += source.next().rows();
  const double making = usage_now().cpu_s - start.cpu_s;
  report("make", sum, start);
  Store store(folder);
  source = CpuRows(kHosts, kBatchTicks);
  start = usage_now();
  double waited = 0;
  for (uint64_t i = 0; i < batches; ++i) {
    std::vector<RowBatch> one;
    one.push_back(source.next());
    waited += append_rows(*store.engine, std::move(one));
  }
  wait_until_written(*store.engine, rows);
  report("durable", rows, start, making);
  fmt::print("{:<10} {:.2f} s of it waiting for the store; sync {:.2f} ms\n", "", waited, [&] {
    const auto& syncs = store.metrics.histogram("varve_wal_sync_seconds", "");
    return 1e3 * syncs.sum_seconds() / static_cast<double>(syncs.count());
  }());
  if (auto done = store.engine->flush(); !done) give_up(done.error());
  report("flushed", rows, start, making);
  report_disk(*store.engine, rows);
}

void append_many_series(const std::string& folder, uint64_t series) {
  constexpr size_t kBatchSeries = 10'000;
  constexpr size_t kRowsEach = 10;
  Store store(folder);
  const Usage start = usage_now();
  uint64_t rows = 0;
  for (size_t tick = 0; tick < kRowsEach; ++tick) {
    for (size_t first = 0; first < series; first += kBatchSeries) {
      std::vector<RowBatch> one;
      one.push_back(one_row_each(first, std::min<size_t>(kBatchSeries, series - first), tick));
      rows += one.front().rows();
      append_rows(*store.engine, std::move(one));
    }
    if (tick == 0) {
      wait_until_written(*store.engine, rows);
      report("first row", rows, start);
    }
  }
  wait_until_written(*store.engine, rows);
  report("durable", rows, start);
  if (auto done = store.engine->flush(); !done) give_up(done.error());
  report("flushed", rows, start);
  report_disk(*store.engine, rows);
  const Usage end = usage_now();
  fmt::print("{:<10} {:.0f} bytes resident a series once flushed\n", "",
             (end.now_mib - start.now_mib) * (1 << 20) / static_cast<double>(series));
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  const std::string_view what = argc > 2 ? argv[2] : "";
  if (what != "rows" && what != "series") {
    fmt::print(stderr, "usage: bench_append FOLDER rows [MILLIONS] | series [SERIES]\n");
    return 2;
  }
  const uint64_t count = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 0;
  if (what == "rows") varve::bench::append_many_rows(argv[1], (count == 0 ? 10 : count) * 1'000'000);
  if (what == "series") varve::bench::append_many_series(argv[1], count == 0 ? 1'000'000 : count);
  std::filesystem::remove_all(argv[1]);
  return 0;
}
