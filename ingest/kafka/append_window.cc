#include "ingest/kafka/append_window.h"

#include <chrono>

namespace varve {

void AppendWindow::started() {
  const std::lock_guard lock(mutex_);
  ++in_flight_;
}

void AppendWindow::finished(const Result<void>& outcome) {
  {
    const std::lock_guard lock(mutex_);
    --in_flight_;
    if (!outcome && !failure_) failure_ = outcome.error();
  }
  changed_.notify_all();
}

size_t AppendWindow::in_flight() const {
  const std::lock_guard lock(mutex_);
  return in_flight_;
}

std::optional<Error> AppendWindow::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

bool AppendWindow::wait_until_at_most(size_t count, int64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), [&] { return in_flight_ <= count; });
}

}  // namespace varve
