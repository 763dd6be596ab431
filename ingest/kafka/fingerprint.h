// 63 bits of a message, by which a partition is known again: XXH3-64 of its key and value, seeded with its offset.
// The one of the last message taken travels in the log with the position behind it. When the partition is assigned
// again, that message is read again first: other bytes mean that the topic was re-created or its log truncated and
// written again, and reading on would silently lose messages. A message that retention or compaction has removed
// proves nothing, and reading goes on.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

#include "storage/base/checksum.h"

namespace varve {

constexpr int64_t kNoFingerprint = 0;  // unknown: nothing is compared

inline int64_t message_fingerprint(int64_t offset, std::string_view key, std::string_view value) {
  const uint64_t sum = checksum64(value, checksum64(key, static_cast<uint64_t>(offset)));
  const auto positive = static_cast<int64_t>(sum & std::numeric_limits<int64_t>::max());
  return positive == kNoFingerprint ? 1 : positive;
}

}  // namespace varve
