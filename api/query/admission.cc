#include "api/query/admission.h"

#include <algorithm>

namespace varve {

// How often a waiting query looks whether it is still wanted.
constexpr std::chrono::milliseconds kStopCheck{50};

size_t Admission::waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

AdmissionLimits Admission::limits() const {
  const std::lock_guard lock(mutex_);
  return limits_;
}

void Admission::set_limits(AdmissionLimits limits) {
  const std::lock_guard lock(mutex_);
  limits_ = limits;
  while (taken_ < limits_.places && !waiting_.empty()) admit_next();
}

uint32_t Admission::running_of(const std::string& client) const {
  const auto found = running_.find(client);
  return found == running_.end() ? 0 : found->second;
}

Admission::Entry Admission::enter(const std::string& client, const std::function<bool()>& stopped) {
  std::unique_lock lock(mutex_);
  if (taken_ < limits_.places) {  // nobody waits while a place is free
    ++taken_;
    ++running_[client];
    return Entry::kIn;
  }
  if (waiting_.size() >= limits_.queue) return Entry::kQueueFull;
  Waiter self{client, false, {}};
  const auto place = waiting_.insert(waiting_.end(), &self);
  const auto end = std::chrono::steady_clock::now() + limits_.wait;
  while (true) {
    const auto now = std::chrono::steady_clock::now();
    if (self.admitted) return Entry::kIn;
    const bool unwanted = stopped();
    if (unwanted || now >= end) {
      waiting_.erase(place);
      return unwanted ? Entry::kStopped : Entry::kLate;
    }
    self.changed.wait_until(lock, std::min(end, now + kStopCheck));
  }
}

void Admission::leave(const std::string& client) {
  const std::lock_guard lock(mutex_);
  --taken_;
  const auto found = running_.find(client);
  if (--found->second == 0) running_.erase(found);
  if (taken_ < limits_.places) admit_next();
}

void Admission::admit_next() {
  const auto next = std::min_element(waiting_.begin(), waiting_.end(), [&](const Waiter* a, const Waiter* b) {
    return running_of(a->client) < running_of(b->client);
  });
  if (next == waiting_.end()) return;
  Waiter& waiter = **next;
  waiting_.erase(next);
  ++taken_;
  ++running_[waiter.client];
  waiter.admitted = true;
  waiter.changed.notify_one();  // under the lock: the waiter's frame goes once it sees `admitted`
}

}  // namespace varve
