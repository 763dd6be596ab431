#include "storage/disk_guard.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/log.h"
#include "storage/base/units.h"

namespace varve {
namespace {

constexpr std::string_view kComponent = "store";

}  // namespace

DiskGuard::DiskGuard(FileSystem& file_system, const Clock& clock, std::string directory,
                     uint64_t reserve_bytes)
    : file_system_(file_system),
      clock_(clock),
      directory_(std::move(directory)),
      reserve_wanted_(reserve_bytes),
      reserve_(reserve_bytes) {}

void DiskGuard::check_when_due() {
  const int64_t now = clock_.monotonic_ns();
  int64_t due = next_check_ns_.load(std::memory_order_relaxed);
  if (now < due || !next_check_ns_.compare_exchange_strong(due, now + kCheckNs)) return;
  check();
}

void DiskGuard::check() {
  const auto free = file_system_.free_bytes(directory_);
  const auto total = file_system_.total_bytes(directory_);
  const std::lock_guard lock(mutex_);
  if (!free || !total) {
    const Error& error = free ? total.error() : free.error();
    if (!look_failed_) log_warn(kComponent, "the free space of the disk is unknown: " + error.message);
    look_failed_ = true;
    return;  // what was known stays
  }
  look_failed_ = false;
  const auto share = static_cast<uint64_t>(static_cast<double>(*total) * kReserveShareMax);
  const uint64_t reserve = std::min(reserve_wanted_, share);
  reserve_ = reserve;
  free_bytes_ = *free;
  const auto reopen_at = static_cast<uint64_t>(static_cast<double>(reserve) * kReopenFactor);
  if (*free < reserve) {
    close(fmt::format(
        "the disk of {} has {} free, less than the {} that {} keeps; free some space, writes then "
        "go on by themselves",
        directory_, format_bytes(*free), format_bytes(reserve), kKey));
  } else if (*free >= reopen_at && !reason_.empty()) {
    log_info(kComponent, fmt::format("the disk has {} free: writes go on", format_bytes(*free)));
    reason_.clear();
  }
}

void DiskGuard::note_full(const std::string& what) {
  const std::lock_guard lock(mutex_);
  close(what + "; free some space, writes then go on by themselves");
}

void DiskGuard::close(std::string reason) {
  // The text follows the numbers, the log gets one line.
  if (reason_.empty()) log_warn(kComponent, "read-only: " + reason);
  reason_ = std::move(reason);
}

std::string DiskGuard::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

}  // namespace varve
