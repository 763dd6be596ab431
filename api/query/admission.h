// Places for running queries, and the short queue before them: bounded in length and in time, and fair.
// A place that comes free goes to the client with the fewest queries running, among equals to who came first, so that
// one client's burst does not keep the others out.
// Threads: any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>

namespace varve {

struct AdmissionLimits {
  uint32_t places = 16;
  uint32_t queue = 64;
  std::chrono::milliseconds wait{5000};
};

class Admission {
 public:
  explicit Admission(AdmissionLimits limits) : limits_(limits) {}

  enum class Entry { kIn, kQueueFull, kLate, kStopped };
  // Returns at once when a place is free, else when one comes free, `stopped` says so, or the wait is over. After kIn the
  // caller owes leave().
  Entry enter(const std::string& client, const std::function<bool()>& stopped);
  void leave(const std::string& client);
  size_t waiting() const;
  AdmissionLimits limits() const;
  void set_limits(AdmissionLimits limits);  // of those who come or leave from now on

 private:
  struct Waiter {
    const std::string& client;
    bool admitted = false;
    std::condition_variable changed;
  };
  void admit_next();
  uint32_t running_of(const std::string& client) const;

  mutable std::mutex mutex_;  // guards what follows
  AdmissionLimits limits_;
  uint32_t taken_ = 0;
  std::map<std::string, uint32_t> running_;  // by client; only those with queries running
  std::list<Waiter*> waiting_;               // in order of arrival
};

}  // namespace varve
