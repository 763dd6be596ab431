// What scans of a table found damaged: counted since start, and named as long as the table has the segment it is in.
// Threads: any.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/base/error.h"
#include "storage/stored_segment.h"

namespace varve {

class ReadDamage {
 public:
  using Segments = std::vector<std::shared_ptr<const StoredSegment>>;
  static constexpr size_t kNamedMax = 16;  // segments; further ones are counted and logged

  // Hands the result through; `segments` are those that were read.
  template <class T>
  Result<T> watch(Result<T> read, const Segments& segments) {
    if (!read && read.error().code == ErrorCode::kCorruption) note(read.error().message, segments);
    return read;
  }
  void note(const std::string& message, const Segments& segments);
  uint64_t count() const;
  // The last of what is still there; empty = none. `present`: the table's segments now.
  std::string last(const Segments& present);

 private:
  mutable std::mutex mutex_;  // guards what follows
  uint64_t count_ = 0;
  std::map<uint64_t, std::pair<uint64_t, std::string>>
      named_;  // by segment: when (count_), and what was said
};

}  // namespace varve
