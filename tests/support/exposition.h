// A strict reader of the Prometheus text format 0.0.4, for tests of what /metrics answers.
// Strict: HELP and TYPE before a family's samples and once each, families in one piece, names and labels well formed, no
// series twice, values that Prometheus reads, counters named _total, histograms with ascending cumulative buckets that end
// in +Inf = _count and a _sum, a last line feed. The first fault found is told with its line.
// Threads: pure function.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace varve::test {

struct Sample {
  std::string name;                           // with _bucket, _sum, _count
  std::map<std::string, std::string> labels;  // unescaped
  double value = 0;
};

struct MetricFamily {
  std::string help;
  std::string type;  // counter | gauge | histogram
  std::vector<Sample> samples;
};

struct Exposition {
  std::map<std::string, MetricFamily> families;
  std::string fault;  // empty = none
  // The value of the one sample of this name whose labels include these; NaN and a fault in the test otherwise.
  double value(const std::string& name, const std::map<std::string, std::string>& labels = {}) const;
  bool has(const std::string& name, const std::map<std::string, std::string>& labels = {}) const;
};

Exposition read_exposition(std::string_view text);

}  // namespace varve::test
