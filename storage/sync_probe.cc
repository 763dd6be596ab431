#include "storage/sync_probe.h"

#include <algorithm>
#include <vector>

namespace varve {
namespace {

constexpr std::string_view kProbeName = "sync-probe.tmp";
constexpr size_t kProbeBytes = 4096;

Result<std::vector<int64_t>> probe(FileSystem& file_system, const Clock& clock, const std::string& path) {
  VARVE_ASSIGN(auto file, file_system.create(path));
  VARVE_TRY(file->preallocate(kSyncProbes * kProbeBytes));
  VARVE_TRY(file->sync());
  const std::string bytes(kProbeBytes, 'p');
  std::vector<int64_t> times;
  const int64_t deadline = clock.monotonic_ns() + kSyncProbeNs;
  while (times.size() < kSyncProbes) {
    VARVE_TRY(file->append(bytes));
    const int64_t start = clock.monotonic_ns();
    VARVE_TRY(file->sync());
    const int64_t end = clock.monotonic_ns();
    times.push_back(end - start);
    if (end >= deadline) break;
  }
  return times;
}

}  // namespace

Result<SyncTimes> measure_sync(FileSystem& file_system, const Clock& clock, const std::string& folder) {
  const std::string path = join_path(folder, kProbeName);
  VARVE_ASSIGN(const bool left_over, file_system.exists(path));
  if (left_over) VARVE_TRY(file_system.remove(path));
  auto times = probe(file_system, clock, path);
  auto removed = file_system.remove(path);
  if (!times) return std::move(times.error());
  if (!removed) return std::move(removed.error());
  std::sort(times->begin(), times->end());
  const auto at = [&](size_t percent) { return (*times)[(times->size() - 1) * percent / 100]; };
  // Of so few, the slowest: a rare slow sync is what p99 is asked for.
  return SyncTimes{static_cast<int>(times->size()), at(50), times->back()};
}

}  // namespace varve
