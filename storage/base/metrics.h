// Counters, gauges and histograms, written by any thread and read as Prometheus text (exposition format 0.0.4).
// A registry owns its metrics for its lifetime, so references handed out stay valid. Asking twice for the same name
// and labels gives the same metric. Names follow Prometheus: varve_ prefix, base units, _total on counters.
// Bounded: a family holds kSeriesPerFamilyMax label sets. One more gets the values "other": its counts are added there,
// and a gauge there is of no use (who sets gauges by an unbounded label must bound it, as TableLabels does).
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace varve {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// Buckets from 1 us to 100 s, 1-2.5-5 a decade: wide enough for a sync and for a slow query.
class LatencyHistogram {
 public:
  static const std::vector<double>& bounds_seconds();
  LatencyHistogram();
  void observe_ns(int64_t ns);
  uint64_t bucket(size_t index) const { return buckets_[index].load(std::memory_order_relaxed); }
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }
  double sum_seconds() const;

 private:
  std::vector<std::atomic<uint64_t>> buckets_;  // one per bound, then +Inf; not cumulative
  std::atomic<uint64_t> count_{0};
  std::atomic<int64_t> sum_ns_{0};
};

class MetricsRegistry {
 public:
  static constexpr size_t kSeriesPerFamilyMax =
      1000;  // guessed: what a scrape of some 100 KB a family may hold

  Counter& counter(std::string_view name, std::string_view help, MetricLabels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, MetricLabels labels = {});
  // A count kept elsewhere, which a collector sets: shown as a counter.
  Gauge& total(std::string_view name, std::string_view help, MetricLabels labels = {});
  LatencyHistogram& histogram(std::string_view name, std::string_view help, MetricLabels labels = {});
  // Called before each rendering, to set gauges that are cheaper to read than to keep. Returns an id for remove.
  uint64_t add_collector(std::function<void()> collect);
  void remove_collector(uint64_t id);  // after it returns, the collector is not running and never runs again

  std::string render();  // HELP and TYPE before the samples, a metric's lines together

 private:
  enum class Kind { kCounter, kGauge, kTotal, kHistogram };
  struct Metric {
    std::string labels;  // rendered: a="b",c="d"
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<LatencyHistogram> histogram;
  };
  struct Family {
    Kind kind;
    std::string help;
    std::map<std::string, Metric> metrics;  // by rendered labels
  };
  Metric& metric(std::string_view name, std::string_view help, Kind kind, const MetricLabels& labels);

  std::mutex mutex_;  // guards families_
  std::map<std::string, Family, std::less<>> families_;
  std::mutex collect_mutex_;  // guards collectors_; held while they run; taken before mutex_
  std::map<uint64_t, std::function<void()>> collectors_;
  uint64_t next_collector_ = 1;
};

}  // namespace varve
