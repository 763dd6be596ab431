// Keeps room on the disk of the data folder: below a reserve the store takes no writes, so that flushes, the catalog
// and whoever comes to clean up still find some. Opens again by itself when the disk has a quarter more than that.
// A write that finds the disk full all the same (a quota, another program) closes it until the next look.
// Reserve: the asked-for bytes, but never more than kReserveShareMax of the disk: a small disk must be usable.
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

#include "storage/base/clock.h"
#include "storage/base/file.h"

namespace varve {

class DiskGuard {
 public:
  static constexpr int64_t kCheckNs = kNsPerSecond;  // between looks; one costs a microsecond
  static constexpr double kReserveShareMax = 0.05;   // of the disk (guessed)
  static constexpr double kReopenFactor = 1.25;      // of the reserve, so as not to flutter (guessed)
  static constexpr std::string_view kKey = "storage.disk_reserve";

  DiskGuard(FileSystem& file_system, const Clock& clock, std::string directory, uint64_t reserve_bytes);

  void check();                             // looks now
  void check_when_due();                    // looks when the last look is kCheckNs old
  void note_full(const std::string& what);  // a call found no room: `what` is its message

  std::string reason() const;  // why there are no writes; empty = there are
  uint64_t free_bytes() const { return free_bytes_.load(std::memory_order_relaxed); }
  uint64_t reserve() const { return reserve_.load(std::memory_order_relaxed); }

 private:
  void close(std::string reason);  // mutex_ held

  FileSystem& file_system_;
  const Clock& clock_;
  const std::string directory_;
  const uint64_t reserve_wanted_;
  std::atomic<int64_t> next_check_ns_{INT64_MIN};
  std::atomic<uint64_t> free_bytes_{0};
  std::atomic<uint64_t> reserve_{0};

  mutable std::mutex mutex_;  // guards what follows
  std::string reason_;
  bool look_failed_ = false;
};

}  // namespace varve
