#include "storage/hold.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "storage/base/clock.h"

namespace varve {
namespace {

constexpr auto kRetry = std::chrono::milliseconds(10);  // the store unlinks a few files in less

}  // namespace

Result<std::unique_ptr<FileLock>> hold_store(FileSystem& file_system, const std::string& data_directory,
                                             int64_t timeout_ns) {
  const int64_t deadline = real_clock().monotonic_ns() + timeout_ns;
  while (true) {
    auto held = file_system.lock(join_path(data_directory, "hold"));
    if (held || held.error().code != ErrorCode::kUnavailable) return held;
    if (real_clock().monotonic_ns() >= deadline) {
      return unavailable(fmt::format(
          "data folder {} is held by another backup or repair; try again when it is done", data_directory));
    }
    std::this_thread::sleep_for(kRetry);
  }
}

}  // namespace varve
