#include "api/query/worker_pool.h"

#include <algorithm>

#include "storage/base/thread.h"

namespace varve {

WorkerPool::WorkerPool(size_t threads) {
  if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
  for (size_t i = 1; i < threads; ++i) {
    threads_.emplace_back([this](std::stop_token stop) { run(std::move(stop)); });
  }
}

WorkerPool::~WorkerPool() {
  for (std::jthread& thread : threads_) thread.request_stop();
}

void WorkerPool::ask(const std::shared_ptr<Job>& job, size_t count) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.insert(jobs_.end(), count, job);
  }
  count == 1 ? job_waits_.notify_one() : job_waits_.notify_all();
}

void WorkerPool::run(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (job_waits_.wait(lock, stop, [this] { return !jobs_.empty(); })) {
    const std::shared_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job->help();
    lock.lock();
  }
}

}  // namespace varve
