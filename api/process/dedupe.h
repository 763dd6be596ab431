// Remembers rows by key and tells which were seen before, within a window of Kafka's timestamps. Memory is bounded: of
// more than `keys_max` keys the older half is forgotten, at most. A row is not a duplicate of itself: the message that
// brought a key first may be read again (after a failed write, or a rebalance) and its row passes again.
// What is remembered does not outlive the process; after a restart a duplicate of an earlier row passes once.
// Threads: one thread at a time.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "ingest/process/row_processor.h"
#include "storage/base/checksum.h"

namespace varve {

class DedupeMemory {
 public:
  DedupeMemory(int64_t window_ns, uint64_t keys_max) : window_ns_(window_ns), keys_max_(keys_max) {}

  // Call once per write, before its rows.
  void begin_write() { ++write_; }
  // Whether the row of this key came before; if not, it has now.
  bool seen(const Hash128& key, const MessageOrigin& origin);

  size_t keys() const { return young_.size() + old_.size(); }

 private:
  struct First {
    MessageOrigin origin;
    uint64_t write = 0;
  };
  struct KeyHash {
    size_t operator()(const Hash128& key) const { return key.low; }
  };
  using Keys = std::unordered_map<Hash128, First, KeyHash>;

  bool same_row(const First& first, const MessageOrigin& origin) const {
    // Two rows of one message in one write are two rows.
    return first.origin.partition == origin.partition && first.origin.offset == origin.offset &&
           first.write != write_;
  }

  const int64_t window_ns_;
  const uint64_t keys_max_;
  uint64_t write_ = 0;
  Keys young_, old_;  // each at most half of keys_max_
};

}  // namespace varve
