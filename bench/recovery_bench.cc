// How long a store takes to open after kill -9, by the size of its log.
//   bench_recovery [MIB...]   default 64 and 1024; the folder is below TMPDIR and removed at the end
// One process writes the log with the engine itself, its limits so wide that nothing is flushed, and kills itself.
// The next opens the folder with the limits of every day. Prints seconds, seconds of CPU, rows and the peak memory of that process.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "storage/engine.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr int kFields = 10;
constexpr int kSensors = 100;
constexpr int kRowsPerBatch = 1000;

[[noreturn]] void fail(const Error& error) {
  fmt::print(stderr, "bench_recovery: {}\n", error.message);
  std::_Exit(1);
}

std::unique_ptr<Engine> open_store(EngineOptions options, MetricsRegistry& metrics,
                                   const std::string& folder) {
  options.data_directory = folder;
  options.metrics = &metrics;
  auto engine = Engine::open(std::move(options));
  if (!engine) fail(engine.error());
  return std::move(*engine);
}

// Readings with two decimals of sensors that take turns, one each second.
RowBatch readings(int64_t first_row, std::mt19937_64& random) {
  RowBatchBuilder rows{std::string(kDefaultDatabase), "readings"};
  for (int64_t row = first_row; row < first_row + kRowsPerBatch; ++row) {
    rows.begin_row();
    rows.tag("sensor", fmt::format("s{}", row % kSensors));
    for (int field = 0; field < kFields; ++field) {
      rows.field_double(fmt::format("field_{}", field), static_cast<double>(random() % 10'000) / 100);
    }
    rows.end_row(1'700'000'000 * kNsPerSecond + row / kSensors * kNsPerSecond);
  }
  return rows.finish();
}

void write_log(const std::string& folder, uint64_t bytes) {
  MetricsRegistry metrics;
  EngineOptions options;
  options.flush_rows = options.memtable_bytes_max = UINT64_MAX / 4;
  options.flush_age_ns = 3600 * kNsPerSecond;
  const auto engine = open_store(std::move(options), metrics, folder);
  std::mt19937_64 random(1);
  int64_t row = 0;
  while (engine->status().wal_bytes < bytes) {
    for (int i = 0; i < 20; ++i, row += kRowsPerBatch) {
      std::vector<RowBatch> batches;
      batches.push_back(readings(row, random));
      AdmittedWrite write = engine->admit(std::move(batches));
      const auto ignore = [](const Result<Lsn>& done) {
        if (!done) fail(done.error());
      };
      while (!engine->append(std::move(write), ignore)) usleep(1000);
    }
  }
  ::kill(::getpid(), SIGKILL);
}

void open_and_report(const std::string& folder) {
  MetricsRegistry metrics;
  const int64_t began = real_clock().monotonic_ns();
  const auto engine = open_store({}, metrics, folder);
  const double seconds = static_cast<double>(real_clock().monotonic_ns() - began) / 1e9;
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto cpu_seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  fmt::print("{:>8.2f} s ({:.2f} s of CPU)  {:>10} rows  peak {:>5} MiB\n", seconds,
             cpu_seconds(used.ru_utime) + cpu_seconds(used.ru_stime), engine->tables().at(0).rows,
             used.ru_maxrss / 1024);
  std::fflush(stdout);
  std::_Exit(0);  // without the flush of a clean end
}

void in_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    std::_Exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) std::exit(1);
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  std::vector<uint64_t> sizes;
  for (int i = 1; i < argc; ++i) sizes.push_back(std::strtoull(argv[i], nullptr, 10));
  if (sizes.empty()) sizes = {64, 1024};
  for (const uint64_t mib : sizes) {
    varve::test::TempDir folder;
    varve::in_child([&] { varve::write_log(folder.path(), mib << 20); });
    fmt::print("{:>6} MiB of log: ", mib);
    std::fflush(stdout);
    varve::in_child([&] { varve::open_and_report(folder.path()); });
  }
}
