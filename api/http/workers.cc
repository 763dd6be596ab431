#include "api/http/workers.h"

namespace varve {

bool Workers::enqueue(std::function<void()> job) {
  std::list<std::jthread> left;  // joined without the lock
  const std::lock_guard lock(mutex_);
  if (stopping_ || jobs_.size() >= limits_.queue) return false;
  left.swap(left_);
  jobs_.push_back(std::move(job));
  // Counting waiting jobs against idle workers matters: two jobs may arrive before the one idle worker wakes.
  if (jobs_.size() > idle_ && running_.size() < limits_.max) {
    running_.emplace_front();
    const auto self = running_.begin();
    *self = std::jthread([this, self] { work(self); });
  }
  changed_.notify_one();
  return true;
}

void Workers::work(std::list<std::jthread>::iterator self) {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    const bool woken = changed_.wait_for(lock, limits_.idle, [&] { return stopping_ || !jobs_.empty(); });
    --idle_;
    if (!jobs_.empty()) {
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
    } else if (stopping_) {
      return;
    } else if (!woken && running_.size() > limits_.kept) {
      left_.splice(left_.end(), running_, self);
      return;
    }
  }
}

void Workers::shutdown() {
  std::list<std::jthread> ended;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    ended.splice(ended.end(), running_);
    ended.splice(ended.end(), left_);
  }
}

}  // namespace varve
