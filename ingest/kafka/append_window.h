// Counts the appends the engine has accepted and not yet finished, so that a consumer can bound them and wait
// for them. After a failed append the source must write nothing more of what it has read: it begins again at what is
// durable (kUnavailable: the disk was full), or stops (the engine's log has). Threads: any.
// Held by shared_ptr, because the engine may finish an append after its source is gone.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>

#include "storage/base/error.h"

namespace varve {

class AppendWindow {
 public:
  void started();
  void finished(const Result<void>& outcome);

  size_t in_flight() const;
  std::optional<Error> failure() const;
  // True when at most `count` are in flight; waits for that until `timeout_ns` has passed.
  bool wait_until_at_most(size_t count, int64_t timeout_ns);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  size_t in_flight_ = 0;          // guarded by mutex_
  std::optional<Error> failure_;  // guarded by mutex_; the first one
};

}  // namespace varve
