// The threads that help queries, shared by all of them: a query runs on its own thread and asks for help with what is
// large enough. A job no helper is free for simply gets none: nothing ever waits for a helper to come.
//   N - 1 jthreads for N threads: take the oldest request for help and run it to its end.
// Threads: every method from any thread.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace varve {

class WorkerPool {
 public:
  class Job {
   public:
    virtual ~Job() = default;
    virtual void help() = 0;  // on a helper's thread: works until there is nothing to do; throws nothing
  };

  // `threads` counts the query's own; 0 = one a core.
  explicit WorkerPool(size_t threads);
  ~WorkerPool();  // jobs that wait are dropped

  size_t helpers() const { return threads_.size(); }
  // Asks `count` helpers for this job; each calls help() once.
  void ask(const std::shared_ptr<Job>& job, size_t count);

 private:
  void run(std::stop_token stop);

  std::mutex mutex_;  // guards jobs_
  std::condition_variable_any job_waits_;
  std::deque<std::shared_ptr<Job>> jobs_;  // at most helpers() a query
  std::vector<std::jthread> threads_;
};

}  // namespace varve
