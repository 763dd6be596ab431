// What scans of a table found damaged since start: counted, with the last message.
// Threads: any.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "storage/base/error.h"

namespace varve {

class ReadDamage {
 public:
  // Hands the result through.
  template <class T>
  Result<T> watch(Result<T> read) {
    if (!read && read.error().code == ErrorCode::kCorruption) note(read.error().message);
    return read;
  }
  void note(const std::string& message);
  uint64_t count() const;
  std::string last() const;  // empty = none

 private:
  mutable std::mutex mutex_;  // guards both
  uint64_t count_ = 0;
  std::string last_;
};

}  // namespace varve
