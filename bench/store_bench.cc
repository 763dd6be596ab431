// The store alone, end to end: ready RowBatches through Engine::append until they are durable, then settled, reopened
// and scanned. One line a number; the sets:
//   A  100 hosts x 10 s x 3 days, 10 doubles, random walks of 2 decimals (TSBS cpu-only)
//   B  the same shape, walks of full doubles
//   I  1,000 water sensors x 60 s x 2 days, 4 doubles of 2 decimals + 2 ints, timestamps jittered by up to 0.5 s in ms
//   S  1,000,000 series x 10 points of 1 double
// Batches are copied from a pool made before, so that making them costs no time and no memory of the engine.
// Memory is the growth of the peak resident size over the moment before the load.
//   bench_store [SET...]    (default: A B I S)
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/clock.h"
#include "storage/base/units.h"
#include "storage/engine.h"

namespace varve::bench {
namespace {

constexpr int64_t kStartNs = 1'735'689'600 * kNsPerSecond;  // 2025-01-01
constexpr uint64_t kInFlightMax = 16;                       // batches handed over and not yet durable
constexpr int kScanRuns = 5;                                // the best of them is shown

[[noreturn]] void fail(std::string_view what) {
  fmt::print(stderr, "bench_store: {}\n", what);
  std::exit(1);
}

template <class T>
T must(Result<T> result) {
  if (!result) fail(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// "VmRSS" or "VmHWM" of this process.
uint64_t memory_bytes(std::string_view key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10) * 1024;
  }
  return 0;
}

uint64_t grown(std::string_view key, uint64_t from) {
  return std::max(memory_bytes(key), from) - from;
}

void reset_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

class Stopwatch {
 public:
  double seconds() const { return static_cast<double>(real_clock().monotonic_ns() - start_) / kNsPerSecond; }

 private:
  int64_t start_ = real_clock().monotonic_ns();
};

void say(std::string_view set, std::string_view what, const std::string& text) {
  fmt::print("{}  {:<34} {}\n", set, what, text);
  std::fflush(stdout);
}

// ---- data ----

struct Shape {
  std::string name;
  std::vector<RowBatch> pool;  // batches of one period, in order of time
  int64_t period_ns = 0;       // the pool comes again, this much later
  int periods = 1;
  bool same_values = true;  // of each period; else they are mixed with its number
  uint64_t rows = 0;        // in all
  uint64_t values = 0;
};

void finish(Shape& shape) {
  for (const RowBatch& batch : shape.pool) {
    shape.rows += batch.rows() * static_cast<uint64_t>(shape.periods);
    shape.values += batch.rows() * batch.fields.size() * static_cast<uint64_t>(shape.periods);
  }
}

TagColumn tag_column(std::string name, size_t values, std::string_view prefix) {
  TagColumn tag{std::move(name), {}, {}};
  for (size_t i = 0; i < values; ++i) tag.values.push_back(fmt::format("{}{}", prefix, i));
  return tag;
}

Shape cpu(std::string name, bool decimals) {
  constexpr size_t kHosts = 100, kFields = 10, kStepsPerBatch = 60;
  constexpr int64_t kStepNs = 10 * kNsPerSecond;
  Shape shape{std::move(name), {}, kNsPerDay, 3};
  std::mt19937_64 random(1);
  std::normal_distribution<double> step(0, 1);
  std::vector<double> walks(kHosts * kFields, 50);
  const size_t steps = static_cast<size_t>(kNsPerDay / kStepNs);
  for (size_t from = 0; from < steps; from += kStepsPerBatch) {
    RowBatch batch{"varve", "cpu", {}, {tag_column("hostname", kHosts, "host_")}, {}};
    for (size_t f = 0; f < kFields; ++f) {
      batch.fields.push_back({fmt::format("usage_{}", f), ColumnVector(FieldType::kDouble)});
    }
    for (size_t at = from; at < from + kStepsPerBatch; ++at) {
      for (uint32_t host = 0; host < kHosts; ++host) {
        batch.times.push_back(kStartNs + static_cast<int64_t>(at) * kStepNs);
        batch.tags[0].codes.push_back(host);
        for (size_t f = 0; f < kFields; ++f) {
          double& walk = walks[host * kFields + f];
          walk = std::clamp(walk + step(random), 0.0, 100.0);
          batch.fields[f].data.doubles.push_back(decimals ? std::round(walk * 100) / 100 : walk);
        }
      }
    }
    shape.pool.push_back(std::move(batch));
  }
  finish(shape);
  return shape;
}

Shape water() {
  constexpr size_t kSensors = 1000, kStepsPerBatch = 6;
  constexpr int64_t kStepNs = 60 * kNsPerSecond;
  Shape shape{"I", {}, kNsPerDay, 2};
  std::mt19937_64 random(2);
  std::normal_distribution<double> noise(0, 1);
  std::uniform_int_distribution<int64_t> jitter_ms(-500, 500);
  std::vector<double> drift(kSensors * 4, 0);
  std::vector<int64_t> battery(kSensors, 4200);
  const char* names[] = {"ph", "temperature", "turbidity", "oxygen"};
  const double base[] = {7.2, 14, 3, 8}, wave[] = {0.3, 4, 0.5, 1}, grain[] = {0.01, 0.05, 0.05, 0.03};
  const size_t steps = static_cast<size_t>(kNsPerDay / kStepNs);
  for (size_t from = 0; from < steps; from += kStepsPerBatch) {
    RowBatch batch{"varve",
                   "water",
                   {},
                   {tag_column("sensor_id", kSensors, "sensor-"), tag_column("site", 20, "lake-")},
                   {}};
    for (const char* field : names) batch.fields.push_back({field, ColumnVector(FieldType::kDouble)});
    for (const char* field : {"conductivity", "battery"})
      batch.fields.push_back({field, ColumnVector(FieldType::kInt64)});
    for (size_t at = from; at < from + kStepsPerBatch; ++at) {
      const double day = 2 * 3.14159265358979 * static_cast<double>(at) / static_cast<double>(steps);
      for (uint32_t sensor = 0; sensor < kSensors; ++sensor) {
        batch.times.push_back(kStartNs + static_cast<int64_t>(at) * kStepNs + jitter_ms(random) * kNsPerMs);
        batch.tags[0].codes.push_back(sensor);
        batch.tags[1].codes.push_back(sensor % 20);
        for (size_t f = 0; f < 4; ++f) {
          double& slow = drift[sensor * 4 + f];
          slow += noise(random) * grain[f] / 10;
          const double value = base[f] + wave[f] * std::sin(day + sensor) + slow + noise(random) * grain[f];
          batch.fields[f].data.doubles.push_back(std::round(value * 100) / 100);
        }
        batch.fields[4].data.ints.push_back(
            450 + static_cast<int64_t>(std::round(20 * std::sin(day) + noise(random) * 2)));
        if (random() % 200 == 0) --battery[sensor];
        batch.fields[5].data.ints.push_back(battery[sensor]);
      }
    }
    shape.pool.push_back(std::move(batch));
  }
  finish(shape);
  return shape;
}

// Every series once a pass, ten passes: the worst order for locality.
Shape many_series() {
  constexpr size_t kSeries = 1'000'000, kRowsPerBatch = 10'000;
  Shape shape{"S", {}, 10 * kNsPerSecond, 10};
  std::mt19937_64 random(3);
  for (size_t from = 0; from < kSeries; from += kRowsPerBatch) {
    RowBatch batch{
        "varve", "devices", {}, {TagColumn{"device", {}, {}}}, {{"value", ColumnVector(FieldType::kDouble)}}};
    for (uint32_t row = 0; row < kRowsPerBatch; ++row) {
      batch.times.push_back(kStartNs);
      batch.tags[0].values.push_back(fmt::format("device-{:07}", from + row));
      batch.tags[0].codes.push_back(row);
      batch.fields[0].data.doubles.push_back(static_cast<double>(random() % 10'000) / 100);
    }
    shape.pool.push_back(std::move(batch));
  }
  shape.same_values = false;
  finish(shape);
  return shape;
}

// ---- measurements ----

EngineOptions options_in(const std::string& folder, MetricsRegistry& metrics) {
  EngineOptions options;
  options.data_directory = folder;
  options.metrics = &metrics;
  return options;
}

// Two decimals from 0 to 100, as they were.
void mix_values(RowBatch& batch, int period) {
  for (size_t row = 0; row < batch.rows(); ++row) {
    double& value = batch.fields[0].data.doubles[row];
    const auto cents =
        static_cast<uint64_t>(std::lround(value * 100)) + static_cast<uint64_t>(period) * (row * 7919 + 13);
    value = static_cast<double>(cents % 10'000) / 100;
  }
}

void load(Engine& engine, const Shape& shape) {
  std::atomic<uint64_t> in_flight{0};
  const uint64_t idle_bytes = memory_bytes("VmRSS");
  reset_peak();
  const double cpu = cpu_seconds();
  const Stopwatch watch;
  for (int period = 0; period < shape.periods; ++period) {
    for (const RowBatch& ready : shape.pool) {
      RowBatch batch = ready;
      for (int64_t& time : batch.times) time += period * shape.period_ns;
      if (!shape.same_values) mix_values(batch, period);
      while (true) {
        while (in_flight >= kInFlightMax) std::this_thread::sleep_for(std::chrono::microseconds(50));
        std::vector<RowBatch> batches;
        batches.push_back(batch);
        AdmittedWrite write = engine.admit(std::move(batches));
        if (!write.rejected().empty()) fail(write.rejected().front().detail);
        ++in_flight;
        const auto taken = engine.append(std::move(write), [&](Result<Lsn> done) {
          must(std::move(done));
          --in_flight;
        });
        if (taken) break;
        --in_flight;
        if (taken.error().code != ErrorCode::kUnavailable) fail(taken.error().message);
        std::this_thread::sleep_for(
            std::chrono::milliseconds(1));  // a limit is reached: that is part of the rate
      }
    }
  }
  while (in_flight != 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
  const double seconds = watch.seconds();
  const double millions = static_cast<double>(shape.rows) / 1e6;
  say(shape.name, "append, durable",
      fmt::format("{:.2f} M rows/s ({:.1f} M values/s), {:.2f} CPU s per M rows", millions / seconds,
                  static_cast<double>(shape.values) / 1e6 / seconds, (cpu_seconds() - cpu) / millions));
  say(shape.name, "peak memory of the load", format_bytes(grown("VmHWM", idle_bytes)));
}

uint64_t stored_bytes(const std::string& folder) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const bool log =
        entry.path().string().find("/wal/") != std::string::npos;  // empty once all is in segments
    if (entry.is_regular_file() && !log) bytes += entry.file_size();
  }
  return bytes;
}

void settle(Engine& engine, MetricsRegistry& metrics, const Shape& shape, const std::string& folder) {
  reset_peak();
  const uint64_t idle_bytes = memory_bytes("VmRSS");
  const double cpu = cpu_seconds();
  const Stopwatch watch;
  must(engine.flush());
  must(engine.compact());
  const double rows = static_cast<double>(shape.rows);
  say(shape.name, "last flush and all compaction",
      fmt::format("{:.1f} s, {:.0f} ns of CPU a row, peak memory {}", watch.seconds(),
                  (cpu_seconds() - cpu) * 1e9 / rows, format_bytes(grown("VmHWM", idle_bytes))));
  const EngineStatus status = engine.status();
  const auto written = [&](const char* name) {
    return static_cast<double>(metrics.counter(name, "").value());
  };
  const double flushed = written("varve_flush_written_bytes_total");
  const double merged = written("varve_compaction_written_bytes_total");
  const double bytes = static_cast<double>(stored_bytes(folder));
  say(shape.name, "on disk, everything counted",
      fmt::format("{:.2f} bits a value, {:.2f} B a row, {} segments",
                  bytes * 8 / static_cast<double>(shape.values), bytes / rows, status.segments));
  say(shape.name, "write amplification",
      fmt::format("{:.2f} (flushes {:.2f}, merges {:.2f})", (flushed + merged) / bytes, flushed / bytes,
                  merged / bytes));
}

double scan_ms(const Engine& engine, const Shape& shape, const std::vector<std::string>& fields,
               bool statistics) {
  double best = 1e300;
  for (int run = 0; run < kScanRuns; ++run) {
    const Stopwatch watch;
    ScanRequest request;
    request.database = "varve";
    request.table = shape.pool[0].table;
    request.fields = fields;
    request.may_use_statistics = statistics;
    auto scan = must(engine.scan(std::move(request)));
    double sum = 0;
    uint64_t count = 0;
    ScanBlock block;
    while (must(scan->next(block))) {
      if (block.from_statistics) {
        for (const ColumnStatistics& column : block.statistics) sum += column.sum, count += column.count;
        continue;
      }
      for (const ColumnVector& column : block.columns) {
        for (const double value : column.doubles) sum += value;
        count += column.doubles.size();
      }
    }
    if (count != shape.rows * fields.size()) fail(fmt::format("the scan found {} values", count));
    if (sum == 0) fail("the scan found only zeros");
    best = std::min(best, watch.seconds() * 1e3);
  }
  return best;
}

void scan(const Engine& engine, const Shape& shape) {
  std::vector<std::string> fields;
  for (const FieldColumn& field : shape.pool[0].fields) {
    if (field.data.type == FieldType::kDouble) fields.push_back(field.name);
  }
  const double values = static_cast<double>(shape.rows * fields.size());
  for (const bool statistics : {true, false}) {
    const double all = scan_ms(engine, shape, fields, statistics);
    const double one = scan_ms(engine, shape, {fields[0]}, statistics);
    say(shape.name, statistics ? "avg by block statistics" : "avg of decoded values",
        fmt::format("{:.1f} ms for {:.1f} M values of {} fields ({:.2f} G values/s), {:.1f} ms for one field",
                    all, values / 1e6, fields.size(), values / 1e6 / all, one));
  }
}

void run(const Shape& shape) {
  const std::string folder =
      (std::filesystem::temp_directory_path() / fmt::format("varve-bench-store-{}", getpid())).string();
  {
    MetricsRegistry metrics;
    auto engine = must(Engine::open(options_in(folder, metrics)));
    load(*engine, shape);
    settle(*engine, metrics, shape, folder);
    engine->close();
  }
  {
    MetricsRegistry metrics;
    const uint64_t before = memory_bytes("VmRSS");
    const Stopwatch watch;
    auto engine = must(Engine::open(options_in(folder, metrics)));
    say(shape.name, "open after a clean stop",
        fmt::format("{:.1f} ms, {}", watch.seconds() * 1e3, format_bytes(grown("VmRSS", before))));
    scan(*engine, shape);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace varve::bench

int main(int argc, char** argv) {
  using namespace varve::bench;
  std::vector<std::string> sets(argv + 1, argv + argc);
  if (sets.empty()) sets = {"A", "B", "I", "S"};
  for (const std::string& set : sets) {
    if (set == "A")
      run(cpu("A", true));
    else if (set == "B")
      run(cpu("B", false));
    else if (set == "I")
      run(water());
    else if (set == "S")
      run(many_series());
    else
      fail(set + " is no set; they are A, B, I and S");
  }
}
