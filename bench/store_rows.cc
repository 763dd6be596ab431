#include "bench/store_rows.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

namespace varve::bench {
namespace {

constexpr size_t kBatchesMade = 16;

// Codes 0, 1, ... of one tag.
TagColumn host_tag(size_t first, size_t count) {
  TagColumn tag;
  tag.name = "host";
  for (size_t host = 0; host < count; ++host) tag.values.push_back(fmt::format("host_{}", first + host));
  return tag;
}

TagColumn region_tag() {
  TagColumn tag;
  tag.name = "region";
  for (int region = 0; region < 9; ++region) tag.values.push_back(fmt::format("region-{}", region));
  return tag;
}

}  // namespace

int run_modes(int argc, char** argv, const std::vector<std::pair<std::string, RunMode>>& modes) {
  const std::string folder =
      argc > 3 ? argv[3]
               : (std::filesystem::temp_directory_path() / fmt::format("varve-bench-{}", getpid())).string();
  const uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 0;
  int answer = argc > 1 ? 2 : 0;
  for (const auto& [name, run] : modes) {
    if (argc > 1 && name != argv[1]) continue;
    const pid_t child = fork();
    if (child == 0) {
      run(folder, count);
      std::fflush(stdout);
      std::_Exit(0);
    }
    int status = 1;
    answer = child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : 1;
    std::filesystem::remove_all(folder);
    if (answer != 0) break;
  }
  if (answer == 2) fmt::print(stderr, "{}: there is no mode `{}`\n", argv[0], argv[1]);
  return answer;
}

std::string field_name(size_t field) {
  return fmt::format("f{}", field);
}

CpuRows::CpuRows(size_t hosts, size_t ticks_per_batch) : ticks_per_batch_(ticks_per_batch) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> step(0, 1);
  std::vector<double> walk(hosts * kStoreFields, 50);
  for (size_t number = 0; number < kBatchesMade; ++number) {
    RowBatch batch;
    batch.database = "db";
    batch.table = "cpu";
    batch.tags = {host_tag(0, hosts), region_tag()};
    for (size_t f = 0; f < kStoreFields; ++f) {
      batch.fields.push_back({field_name(f), ColumnVector(FieldType::kDouble)});
    }
    for (size_t tick = 0; tick < ticks_per_batch; ++tick) {
      for (size_t host = 0; host < hosts; ++host) {
        batch.times.push_back(kFirstTime + static_cast<int64_t>(tick) * kTickNs);
        batch.tags[0].codes.push_back(static_cast<uint32_t>(host));
        batch.tags[1].codes.push_back(static_cast<uint32_t>(host % 9));
        for (size_t f = 0; f < kStoreFields; ++f) {
          double& x = walk[host * kStoreFields + f];
          x = std::clamp(x + step(random), 0.0, 100.0);
          batch.fields[f].data.push_double(std::round(x * 100) / 100);
        }
      }
    }
    made_.push_back(std::move(batch));
  }
}

RowBatch CpuRows::next() {
  RowBatch batch = made_[batches_ % made_.size()];
  const int64_t later = static_cast<int64_t>(batches_ * ticks_per_batch_) * kTickNs;
  for (int64_t& time : batch.times) time += later;
  ++batches_;
  return batch;
}

RowBatch one_row_each(size_t first, size_t series, size_t tick) {
  RowBatch batch;
  batch.database = "db";
  batch.table = "many";
  batch.tags = {host_tag(first, series), region_tag()};
  for (size_t f = 0; f < kStoreFields; ++f) {
    batch.fields.push_back({field_name(f), ColumnVector(FieldType::kDouble)});
  }
  for (size_t i = 0; i < series; ++i) {
    batch.times.push_back(kFirstTime + static_cast<int64_t>(tick) * kTickNs);
    batch.tags[0].codes.push_back(static_cast<uint32_t>(i));
    batch.tags[1].codes.push_back(static_cast<uint32_t>(i % 9));
    for (size_t f = 0; f < kStoreFields; ++f) {
      batch.fields[f].data.push_double(static_cast<double>((first + i) * 7 % 10'007 + f + tick) / 100);
    }
  }
  return batch;
}

Usage usage_now() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  Usage usage;
  usage.wall_s = static_cast<double>(real_clock().monotonic_ns()) / kNsPerSecond;
  usage.cpu_s = seconds(used.ru_utime) + seconds(used.ru_stime);
  usage.peak_mib = static_cast<double>(used.ru_maxrss) / 1024;
  std::ifstream statm("/proc/self/statm");
  double all = 0;
  double resident = 0;
  if (statm >> all >> resident) usage.now_mib = resident * 4096 / (1 << 20);
  return usage;
}

void give_up(const Error& error) {
  fmt::print(stderr, "bench: {}\n", error.message);
  std::exit(1);
}

std::unique_ptr<Engine> open_store(EngineOptions options) {
  auto engine = Engine::open(std::move(options));
  if (!engine) give_up(engine.error());
  return std::move(*engine);
}

double append_rows(Engine& engine, std::vector<RowBatch> batches) {
  AdmittedWrite write = engine.admit(std::move(batches));
  if (!write.rejected().empty()) give_up(invalid_argument(write.rejected().front().detail));
  double waited = 0;
  while (true) {
    const auto taken = engine.append(std::move(write), [](const Result<Lsn>& done) {
      if (!done) give_up(done.error());
    });
    if (taken) return waited;
    if (taken.error().code != ErrorCode::kUnavailable) give_up(taken.error());
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    waited += 200e-6;
  }
}

void wait_until_written(Engine& engine, uint64_t rows) {
  while (engine.status().rows_written < rows) std::this_thread::sleep_for(std::chrono::microseconds(200));
}

}  // namespace varve::bench
