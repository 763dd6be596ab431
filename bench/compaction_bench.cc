// What compaction costs and what it is good for, on a real store in a temporary folder:
//   cpu    100 hosts, a row of ten 2-decimal doubles every 10 s each, minutes late by up to 30 s; appended from ready
//          batches with compaction off and on, flushed every 16,384 rows, then settled
//   days   35,000 rows in random order over 480 days, flushed every 5,000 rows, then settled
// Write amplification is (bytes flushed + bytes written by merges) / bytes of the settled segments.
// Usage: bench_compaction [ROWS=1000000]
#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "storage/base/clock.h"
#include "storage/engine.h"

namespace varve {
namespace {

constexpr uint64_t kRowsDefault = 1'000'000;
constexpr int kHosts = 100;
constexpr int kFields = 10;
constexpr int64_t kStepNs = 10 * kNsPerSecond;
constexpr int64_t kStartNs = 1'735'689'600 * kNsPerSecond;  // 2025-01-01
constexpr uint64_t kFlushRows = 16'384;
constexpr int kScans = 7;  // the median of them is shown

[[noreturn]] void fail(std::string_view what) {
  fmt::print(stderr, "bench_compaction: {}\n", what);
  std::exit(1);
}

double seconds_since(int64_t start_ns) {
  return static_cast<double>(real_clock().monotonic_ns() - start_ns) / kNsPerSecond;
}

double thread_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

uint64_t memory_kib(std::string_view key) {  // VmRSS now, VmHWM at its highest
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10);
  }
  return 0;
}

void forget_highest_memory() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

class Folder {
 public:
  explicit Folder(std::string_view name)
      : path_(std::filesystem::temp_directory_path() /
              fmt::format("varve-{}-{}", name, real_clock().wall_ns())) {}
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

std::unique_ptr<Engine> open(const Folder& folder, MetricsRegistry& metrics, bool compaction) {
  EngineOptions options;
  options.data_directory = folder.path();
  options.metrics = &metrics;
  options.compaction = compaction;
  options.flush_rows = kFlushRows;
  auto engine = Engine::open(options);
  if (!engine) fail(engine.error().message);
  return std::move(*engine);
}

std::vector<RowBatch> cpu_batches(uint64_t rows) {
  std::mt19937 random(1);
  std::vector<int> cents(kHosts * kFields, 5000);
  std::vector<std::string> hosts;
  std::vector<std::string> fields;
  for (int host = 0; host < kHosts; ++host) hosts.push_back(fmt::format("host_{}", host));
  for (int field = 0; field < kFields; ++field) fields.push_back(fmt::format("usage_{}", field));
  std::vector<RowBatch> batches;
  for (uint64_t made = 0; made < rows;) {
    RowBatchBuilder builder("varve", "cpu");
    const int64_t first = static_cast<int64_t>(made / kHosts);
    for (int host = 0; host < kHosts; ++host) {
      const int64_t late = static_cast<int64_t>(random() % 4);  // steps: hosts do not report in unison
      for (int64_t step = first; step < first + 10; ++step, ++made) {
        builder.begin_row();
        builder.tag("hostname", hosts[static_cast<size_t>(host)]);
        for (int field = 0; field < kFields; ++field) {
          int& value = cents[static_cast<size_t>(host * kFields + field)];
          value = std::clamp(value + static_cast<int>(random() % 201) - 100, 0, 10'000);
          builder.field_double(fields[static_cast<size_t>(field)], value / 100.0);
        }
        builder.end_row(kStartNs + (step - late) * kStepNs);
      }
    }
    batches.push_back(builder.finish());
  }
  return batches;
}

void append_all(Engine& engine, const std::vector<RowBatch>& batches) {
  for (const RowBatch& batch : batches) {
    while (true) {
      std::vector<RowBatch> one{batch};
      const auto done = engine.append_and_wait(engine.admit(std::move(one)));
      if (done) break;
      if (done.error().code != ErrorCode::kUnavailable) fail(done.error().message);
    }
  }
}

// The hourly mean of `fields` columns for every series: milliseconds.
double scan_ms(const Engine& engine, std::string_view table, int fields) {
  std::vector<double> times;
  for (int run = 0; run < kScans; ++run) {
    ScanRequest request;
    request.database = "varve";
    request.table = table;
    for (int f = 0; f < fields; ++f) request.fields.push_back(fmt::format("usage_{}", f));
    request.may_use_statistics = true;
    request.bucket_width_ns = 3600 * kNsPerSecond;
    const int64_t start = real_clock().monotonic_ns();
    auto scan = engine.scan(std::move(request));
    if (!scan) fail(scan.error().message);
    ScanBlock block;
    double sum = 0;
    while (true) {
      const auto more = (*scan)->next(block);
      if (!more) fail(more.error().message);
      if (!*more) break;
      for (size_t c = 0; c < static_cast<size_t>(fields); ++c) {
        if (block.from_statistics) {
          sum += block.statistics[c].sum;
        } else {
          for (const double value : block.columns[c].doubles) sum += value;
        }
      }
    }
    if (sum == 0) fail("the scan found nothing");
    times.push_back(seconds_since(start) * 1e3);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void settle(Engine& engine, std::string_view name, std::string_view table, int fields) {
  if (const auto flushed = engine.flush(); !flushed) fail(flushed.error().message);
  const EngineStatus before = engine.status();
  const double scan_before = scan_ms(engine, table, fields);
  const uint64_t memory = memory_kib("VmRSS:");
  forget_highest_memory();
  const double cpu = thread_cpu_seconds();
  const int64_t start = real_clock().monotonic_ns();
  if (const auto done = engine.compact(); !done) fail(done.error().message);
  const double seconds = seconds_since(start);
  const double cpu_used = thread_cpu_seconds() - cpu;
  const EngineStatus after = engine.status();
  const uint64_t rows = engine.describe("varve", table)->rows;
  const auto settled = static_cast<double>(after.segment_bytes);
  fmt::print("{:<16} {} segments, {:.2f} MB -> {} segments, {:.2f} MB, {:.2f} bytes a row\n", name,
             before.segments, static_cast<double>(before.segment_bytes) / 1e6, after.segments, settled / 1e6,
             settled / static_cast<double>(rows));
  fmt::print("{:<16} write amplification {:.2f} (flush {:.2f}, merges {:.2f})\n", "",
             static_cast<double>(after.compaction.bytes_flushed + after.compaction.bytes_written) / settled,
             static_cast<double>(after.compaction.bytes_flushed) / settled,
             static_cast<double>(after.compaction.bytes_written) / settled);
  fmt::print("{:<16} settled in {:.2f} s ({:.2f} CPU s, {:.0f} ns a row), memory {} -> {} KiB at most\n", "",
             seconds, cpu_used, cpu_used * 1e9 / static_cast<double>(rows), memory, memory_kib("VmHWM:"));
  fmt::print("{:<16} hourly means of {} fields: {:.1f} ms -> {:.1f} ms\n", "", fields, scan_before,
             scan_ms(engine, table, fields));
}

void run_cpu(uint64_t rows) {
  const std::vector<RowBatch> batches = cpu_batches(rows);
  for (int round = 0; round < 2; ++round) {
    for (const bool compaction : {false, true}) {
      const Folder folder("compaction");
      MetricsRegistry metrics;
      auto engine = open(folder, metrics, compaction);
      const int64_t start = real_clock().monotonic_ns();
      append_all(*engine, batches);
      const double seconds = seconds_since(start);
      fmt::print("cpu, merges {:<3}  {:.2f} M rows/s appended, {} merges meanwhile\n",
                 compaction ? "on" : "off", static_cast<double>(rows) / seconds / 1e6,
                 engine->status().compaction.merges);
      if (round == 1) settle(*engine, compaction ? "cpu, merges on" : "cpu, merges off", "cpu", kFields);
    }
  }
}

void run_days() {
  const Folder folder("compaction-days");
  MetricsRegistry metrics;
  auto engine = open(folder, metrics, false);
  std::mt19937 random(2);
  for (int flush = 0; flush < 7; ++flush) {
    RowBatchBuilder builder("varve", "days");
    for (int i = 0; i < 5'000; ++i) {
      builder.begin_row();
      builder.tag("beach", fmt::format("beach {}", random() % 6));
      builder.field_double("usage_0", static_cast<double>(random() % 3000) / 100);
      builder.end_row(kStartNs + static_cast<int64_t>(random() % (480 * 24)) * 3600 * kNsPerSecond);
    }
    append_all(*engine, {builder.finish()});
    if (const auto flushed = engine->flush(); !flushed) fail(flushed.error().message);
  }
  settle(*engine, "days", "days", 1);
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  varve::run_cpu(argc > 1 ? std::strtoull(argv[1], nullptr, 10) : varve::kRowsDefault);
  varve::run_days();
  return 0;
}
