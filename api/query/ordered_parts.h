// Work on the parts of a scan by several threads, with results in the order of the parts: the answer is the same
// whatever the number of threads, for the cuts do not depend on it.
// The query's thread calls next() until it gives null, and works on parts itself while the next result is not there.
// Helpers come when a second part exists, and never wait: they go when `ahead_max` results wait to be taken.
// Memory: ahead_max results, and one worker a thread.
// Errors:  the first failing part's, in order.
// Threads: cut() is called by one thread at a time, a Worker is used by one thread at a time.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "api/query/query_error.h"
#include "api/query/worker_pool.h"
#include "storage/scan.h"

namespace varve {

template <class T>
class PartWorker {
 public:
  virtual ~PartWorker() = default;
  virtual QueryResult<std::unique_ptr<T>> work(std::unique_ptr<ScanPart> part) = 0;
};

template <class T>
class OrderedParts : public WorkerPool::Job, public std::enable_shared_from_this<OrderedParts<T>> {
 public:
  using Worker = PartWorker<T>;
  using Cut = std::function<QueryResult<std::unique_ptr<ScanPart>>()>;  // null at the end
  using MakeWorker = std::function<QueryResult<std::unique_ptr<Worker>>()>;

  // `pool` may be null. The functions are not called any more, and what they made is gone,
  // once stop() and clear() have returned.
  OrderedParts(WorkerPool* pool, Cut cut, MakeWorker make_worker, size_t ahead_max)
      : pool_(pool), cut_(std::move(cut)), make_worker_(std::move(make_worker)), ahead_max_(ahead_max) {}

  // The next result in order; null at the end. On the query's thread.
  QueryResult<std::unique_ptr<T>> next() {
    std::unique_lock lock(mutex_);
    while (true) {
      const bool more = can_begin();  // first: a failing cut is a result
      if (const auto found = results_.find(taken_); found != results_.end()) {
        QueryResult<std::unique_ptr<T>> result = std::move(found->second);
        results_.erase(found);
        ++taken_;
        return result;
      }
      if (more) {
        work_on_one(lock, own_worker_);
      } else if (taken_ == begun_) {
        return nullptr;
      } else {
        result_ready_.wait(lock);
      }
    }
  }

  // Nobody works on it any more when it returns, nor will; the workers stay.
  void stop() {
    std::unique_lock lock(mutex_);
    stopped_ = true;
    result_ready_.wait(lock, [this] { return working_ == 0; });
  }
  // After stop(). The workers and what was not taken go.
  void clear() {
    const std::lock_guard lock(mutex_);
    results_.clear();
    upcoming_ = nullptr;
    own_worker_ = nullptr;
    idle_workers_.clear();
  }

  void help() override {
    std::unique_lock lock(mutex_);
    --asked_;
    if (stopped_) return;
    std::unique_ptr<Worker> worker;
    if (!idle_workers_.empty()) {
      worker = std::move(idle_workers_.back());
      idle_workers_.pop_back();
    }
    ++working_;
    while (!stopped_ && can_begin()) work_on_one(lock, worker);
    if (worker != nullptr) idle_workers_.push_back(std::move(worker));
    --working_;
    result_ready_.notify_all();
  }

 private:
  bool can_begin() {
    if (!looked_ahead_) look_ahead();
    return upcoming_ != nullptr && begun_ - taken_ < ahead_max_;
  }

  // Cuts the part after the one that is begun next: whether there is one decides whether help is of use.
  void look_ahead() {
    looked_ahead_ = true;
    QueryResult<std::unique_ptr<ScanPart>> part;
    try {
      part = cut_();
    } catch (const std::bad_alloc&) {
      part = tl::make_unexpected(no_memory());
    }
    if (part) {
      upcoming_ = std::move(*part);
    } else {
      results_.emplace(begun_++, tl::make_unexpected(std::move(part.error())));
    }
  }

  void work_on_one(std::unique_lock<std::mutex>& lock, std::unique_ptr<Worker>& worker) {
    const uint64_t number = begun_++;
    std::unique_ptr<ScanPart> part = std::move(upcoming_);
    look_ahead();
    if (pool_ != nullptr && upcoming_ != nullptr && asked_ + working_ < pool_->helpers()) {
      const size_t more = pool_->helpers() - asked_ - working_;
      asked_ += more;
      pool_->ask(this->shared_from_this(), more);
    }
    lock.unlock();
    QueryResult<std::unique_ptr<T>> result = work(std::move(part), worker);
    lock.lock();
    if (!result) upcoming_ = nullptr;  // what follows is not wanted
    results_.emplace(number, std::move(result));
    result_ready_.notify_all();
  }

  QueryResult<std::unique_ptr<T>> work(std::unique_ptr<ScanPart> part, std::unique_ptr<Worker>& worker) {
    try {
      if (worker == nullptr) {
        VARVE_QUERY_ASSIGN(worker, make_worker_());
      }
      return worker->work(std::move(part));
    } catch (const std::bad_alloc&) {
      return tl::make_unexpected(no_memory());
    }
  }
  static QueryError no_memory() {
    return limit_error("memory_limit", "the machine has no memory left for this query");
  }

  WorkerPool* const pool_;
  const Cut cut_;
  const MakeWorker make_worker_;
  const uint64_t ahead_max_;

  std::mutex mutex_;  // guards the rest but own_worker_
  std::condition_variable result_ready_;
  std::map<uint64_t, QueryResult<std::unique_ptr<T>>> results_;  // by number of the part
  uint64_t begun_ = 0;                                           // parts
  uint64_t taken_ = 0;                                           // results
  bool looked_ahead_ = false;
  std::unique_ptr<ScanPart> upcoming_;
  size_t asked_ = 0;    // helpers that have not come yet
  size_t working_ = 0;  // helpers
  bool stopped_ = false;
  std::unique_ptr<Worker> own_worker_;
  std::vector<std::unique_ptr<Worker>> idle_workers_;
};

}  // namespace varve
