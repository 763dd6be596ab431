#include "api/http/request_metrics.h"

#include <algorithm>
#include <mutex>

namespace varve {

void RequestMetrics::count(const std::string& name, int status, int64_t elapsed_ns) {
  Family& of = family(name);
  const int known = std::clamp(status, kStatusMin, kStatusMax);
  std::atomic<Counter*>& slot = of.answers[static_cast<size_t>(known - kStatusMin)];
  Counter* answers = slot.load(std::memory_order_acquire);
  if (answers == nullptr) {
    answers = &metrics_.counter("varve_http_requests_total", "HTTP requests answered.",
                                {{"family", name}, {"status", std::to_string(known)}});
    slot.store(answers, std::memory_order_release);  // whoever was as fast stores the same
  }
  answers->add();
  of.seconds->observe_ns(elapsed_ns);
}

RequestMetrics::Family& RequestMetrics::family(const std::string& name) {
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = families_.find(name); found != families_.end()) return *found->second;
  }
  const std::unique_lock lock(mutex_);
  std::unique_ptr<Family>& made = families_[name];
  if (made == nullptr) {
    made = std::make_unique<Family>();
    made->seconds = &metrics_.histogram(
        "varve_http_request_seconds",
        "From the request's headers to its answer, or to an answer's first byte.", {{"family", name}});
  }
  return *made;
}

}  // namespace varve
