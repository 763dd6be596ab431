// How fast the log takes records on this disk: records/s and MB/s by sync mode, record size and threads.
//   bench_wal [FOLDER]   (an empty folder on the disk to measure, else one beside the temporary files; what was
//   written is removed at the end)
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "storage/wal/recovery.h"
#include "storage/wal/wal.h"

namespace varve {
namespace {

struct Case {
  const char* name;
  WalSync sync;
  size_t record_bytes;
  int threads;
  bool wait;  // each thread waits for its record before the next; else they only push
};

constexpr int64_t kRunNs = 2 * kNsPerSecond;

[[noreturn]] void fail(const Error& error) {
  fmt::print(stderr, "bench_wal: {}\n", error.message);
  std::exit(1);
}

void remove_files(const std::string& folder) {
  FileSystem& files = real_file_system();
  for (const std::string& name : files.list(folder).value_or(std::vector<std::string>())) {
    if (!parse_wal_file_name(name)) continue;
    if (auto removed = files.remove(join_path(folder, name)); !removed) fail(removed.error());
  }
}

void run(const std::string& folder, const Case& what) {
  MetricsRegistry metrics;
  WalOptions options;
  options.directory = folder;
  options.sync = what.sync;
  options.metrics = &metrics;
  auto wal = Wal::open(options, 1);
  if (!wal) fail(wal.error());
  const Clock& clock = real_clock();
  const int64_t start = clock.monotonic_ns();
  std::vector<std::thread> threads;
  for (int t = 0; t < what.threads; ++t) {
    threads.emplace_back([&] {
      const std::string payload(what.record_bytes, 'x');
      while (clock.monotonic_ns() - start < kRunNs) {
        const auto lsn = (*wal)->append(payload, [](Result<Lsn> done) {
          if (!done) fail(done.error());
        });
        if (!lsn) {
          if (lsn.error().code != ErrorCode::kUnavailable) fail(lsn.error());
          std::this_thread::yield();
        } else if (what.wait) {
          (*wal)->wait_durable(*lsn, 60 * kNsPerSecond);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  (*wal)->close();
  const double seconds = static_cast<double>(clock.monotonic_ns() - start) * 1e-9;
  const auto records = static_cast<double>((*wal)->durable_lsn());
  const int64_t replay_start = clock.monotonic_ns();
  auto recovery =
      recover_wal(real_file_system(), folder, 1, [](Lsn, std::string_view) { return Result<void>(); });
  if (!recovery) fail(recovery.error());
  const double replay = static_cast<double>(clock.monotonic_ns() - replay_start) * 1e-9;
  const auto megabytes = static_cast<double>(recovery->bytes) * 1e-6;
  const auto& syncs = metrics.histogram("varve_wal_sync_seconds", "");
  fmt::print(
      "{:<34} {:>10.0f} records/s {:>7.1f} MB/s {:>8} syncs, mean {:>6.3f} ms   replay {:>6.0f} MB/s\n",
      what.name, records / seconds, megabytes / seconds, syncs.count(),
      1e3 * syncs.sum_seconds() / static_cast<double>(std::max<uint64_t>(syncs.count(), 1)),
      megabytes / replay);
  remove_files(folder);
}

}  // namespace
}  // namespace varve

int main(int argc, char** argv) {
  using varve::WalSync;
  const bool own = argc < 2;
  const std::filesystem::path folder =
      own ? std::filesystem::temp_directory_path() / fmt::format("varve-bench-wal-{}", getpid()) : argv[1];
  std::filesystem::create_directories(folder);
  const varve::Case cases[] = {
      {"each, 100 B, 1 thread", WalSync::kEach, 100, 1, true},
      {"group, 100 B, 1 thread", WalSync::kGroup, 100, 1, true},
      {"group, 100 B, 16 threads", WalSync::kGroup, 100, 16, true},
      {"group, 64 KiB, 4 threads", WalSync::kGroup, 64 << 10, 4, true},
      {"group, 64 KiB, 1 thread, no wait", WalSync::kGroup, 64 << 10, 1, false},
      {"relaxed, 100 B, 1 thread", WalSync::kRelaxed, 100, 1, true},
      {"relaxed, 64 KiB, 1 thread, no wait", WalSync::kRelaxed, 64 << 10, 1, false},
  };
  for (const varve::Case& what : cases) varve::run(folder.string(), what);
  if (own) std::filesystem::remove_all(folder);
  return 0;
}
