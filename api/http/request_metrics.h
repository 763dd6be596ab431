// Counts and times of answered requests. A request costs a shared lock and four atomic adds; the registry, with its text
// of labels and its lock, is asked only the first time a family or a status comes up.
// Threads: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>

#include "storage/base/metrics.h"

namespace varve {

class RequestMetrics {
 public:
  explicit RequestMetrics(MetricsRegistry& metrics) : metrics_(metrics) {}
  void count(const std::string& family, int status, int64_t elapsed_ns);

 private:
  static constexpr int kStatusMin = 100;
  static constexpr int kStatusMax = 599;
  struct Family {
    LatencyHistogram* seconds = nullptr;
    std::array<std::atomic<Counter*>, kStatusMax - kStatusMin + 1> answers{};
  };
  Family& family(const std::string& name);

  MetricsRegistry& metrics_;
  std::shared_mutex mutex_;  // guards the map, not what it holds
  std::map<std::string, std::unique_ptr<Family>> families_;
};

}  // namespace varve
