#include "storage/base/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "storage/base/check.h"
#include "storage/base/utf8.h"

namespace varve {
namespace {

std::string escape(std::string_view text, bool quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
  return out;
}

std::string render_labels(const MetricLabels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    if (!out.empty()) out += ',';
    out += fmt::format("{}=\"{}\"", name, escape(valid_utf8(value), true));
  }
  return out;
}

// Infinities and NaN as the exposition format spells them.
std::string render_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void append_sample(std::string& out, std::string_view name, std::string_view labels, double value) {
  out += name;
  if (!labels.empty()) out += fmt::format("{{{}}}", labels);
  out += fmt::format(" {}\n", render_number(value));
}

void append_histogram(std::string& out, const std::string& name, const std::string& labels,
                      const LatencyHistogram& histogram) {
  const auto& bounds = LatencyHistogram::bounds_seconds();
  const std::string prefix = labels.empty() ? "" : labels + ",";
  uint64_t cumulative = 0;
  for (size_t i = 0; i <= bounds.size(); ++i) {
    cumulative += histogram.bucket(i);
    const std::string bound = i < bounds.size() ? fmt::format("{}", bounds[i]) : "+Inf";
    out += fmt::format("{}_bucket{{{}le=\"{}\"}} {}\n", name, prefix, bound, cumulative);
  }
  append_sample(out, name + "_sum", labels, histogram.sum_seconds());
  // The sum of the buckets, not count(): le="+Inf" must equal _count even while another thread observes.
  append_sample(out, name + "_count", labels, static_cast<double>(cumulative));
}

}  // namespace

const std::vector<double>& LatencyHistogram::bounds_seconds() {
  static const std::vector<double> bounds{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4,
                                          1e-3, 2.5e-3, 5e-3, 0.01, 0.025,  0.05, 0.1,  0.25,   0.5,
                                          1,    2.5,    5,    10,   25,     50,   100};
  return bounds;
}

LatencyHistogram::LatencyHistogram() : buckets_(bounds_seconds().size() + 1) {}

void LatencyHistogram::observe_ns(int64_t ns) {
  const auto& bounds = bounds_seconds();
  const double seconds =
      static_cast<double>(ns) / 1e9;  // divided: 1000 ns is 1e-6 exactly, and in its bucket
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin();
  buckets_[static_cast<size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(ns, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
}

double LatencyHistogram::sum_seconds() const {
  return static_cast<double>(sum_ns_.load(std::memory_order_relaxed)) * 1e-9;
}

MetricsRegistry::Metric& MetricsRegistry::metric(std::string_view name, std::string_view help, Kind kind,
                                                 const MetricLabels& labels) {
  const std::lock_guard lock(mutex_);
  auto [family, is_new] = families_.try_emplace(std::string(name), Family{kind, std::string(help), {}});
  VARVE_CHECK(family->second.kind == kind);
  std::string key = render_labels(labels);
  auto& series = family->second.metrics;
  if (series.size() >= kSeriesPerFamilyMax && !series.contains(key)) {
    MetricLabels other = labels;
    for (auto& [label, value] : other) value = "other";
    key = render_labels(other);
  }
  auto [entry, added] = series.try_emplace(key);
  Metric& metric = entry->second;
  if (added) {
    metric.labels = key;
    if (kind == Kind::kCounter) metric.counter = std::make_unique<Counter>();
    if (kind == Kind::kGauge || kind == Kind::kTotal) metric.gauge = std::make_unique<Gauge>();
    if (kind == Kind::kHistogram) metric.histogram = std::make_unique<LatencyHistogram>();
  }
  return metric;
}

Counter& MetricsRegistry::counter(std::string_view name, std::string_view help, MetricLabels labels) {
  return *metric(name, help, Kind::kCounter, labels).counter;
}

Gauge& MetricsRegistry::gauge(std::string_view name, std::string_view help, MetricLabels labels) {
  return *metric(name, help, Kind::kGauge, labels).gauge;
}

Gauge& MetricsRegistry::total(std::string_view name, std::string_view help, MetricLabels labels) {
  return *metric(name, help, Kind::kTotal, labels).gauge;
}

LatencyHistogram& MetricsRegistry::histogram(std::string_view name, std::string_view help,
                                             MetricLabels labels) {
  return *metric(name, help, Kind::kHistogram, labels).histogram;
}

uint64_t MetricsRegistry::add_collector(std::function<void()> collect) {
  const std::lock_guard lock(collect_mutex_);
  collectors_.emplace(next_collector_, std::move(collect));
  return next_collector_++;
}

void MetricsRegistry::remove_collector(uint64_t id) {
  const std::lock_guard lock(collect_mutex_);
  collectors_.erase(id);
}

std::string MetricsRegistry::render() {
  {
    const std::lock_guard lock(collect_mutex_);
    for (auto& [id, collect] : collectors_) collect();
  }
  const std::lock_guard lock(mutex_);
  std::string out;
  for (const auto& [name, family] : families_) {
    constexpr std::string_view kKindNames[] = {"counter", "gauge", "counter", "histogram"};
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, escape(family.help, false), name,
                       kKindNames[static_cast<size_t>(family.kind)]);
    for (const auto& [key, metric] : family.metrics) {
      switch (family.kind) {
        case Kind::kCounter:
          append_sample(out, name, metric.labels, static_cast<double>(metric.counter->value()));
          break;
        case Kind::kGauge:
        case Kind::kTotal:
          append_sample(out, name, metric.labels, metric.gauge->value());
          break;
        case Kind::kHistogram:
          append_histogram(out, name, metric.labels, *metric.histogram);
          break;
      }
    }
  }
  return out;
}

}  // namespace varve
