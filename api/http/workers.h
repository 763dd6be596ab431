// The threads that serve connections: a few stay, more come while every one is busy, and idle extras leave.
// A connection holds its worker until it closes, so the number of workers bounds the number of served
// connections. Threads: enqueue() and shutdown() from one thread, as the acceptor does.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace varve {

struct WorkerLimits {
  size_t kept = 8;   // guessed: a page, Grafana and a few writers
  size_t max = 512;  // 512 connections served at once; a thread's stack is touched only as far as it is used
  size_t queue = 1024;  // accepted connections waiting for a worker; the next is closed at once
  std::chrono::seconds idle{10};
};

class Workers {
 public:
  explicit Workers(WorkerLimits limits) : limits_(limits) {}
  ~Workers() { shutdown(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  bool enqueue(std::function<void()> job);  // false: full, or shut down
  void shutdown();                          // finishes the queue, joins every thread

 private:
  void work(std::list<std::jthread>::iterator self);

  const WorkerLimits limits_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  std::list<std::jthread> running_;
  std::list<std::jthread> left_;  // ended, to be joined
  size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace varve
