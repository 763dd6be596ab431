// What /metrics says of the process, the tables, the sources and the problems: read when asked for, kept by nobody.
// Tables: the first kTableLabelsMax that are seen get labels of their own, the rest together are database="other",
// table="other" (rows, bytes and series summed; freshness of the freshest).
// Threads: refresh() from any; it takes turns.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "api/http/problems.h"

namespace varve {

constexpr size_t kTableLabelsMax = 200;  // guessed: five series each

class StatusMetrics {
 public:
  StatusMetrics(const HttpServices& services, ProblemWatch& problems);
  void refresh();

 private:
  void refresh_process();
  void refresh_tables();
  void refresh_sources(const std::vector<SourceStatus>& sources);
  void refresh_problems(const std::vector<Problem>& problems);

  const HttpServices& services_;
  ProblemWatch& problems_;
  MetricsRegistry& metrics_;
  const int64_t started_ns_;  // monotonic
  std::mutex mutex_;          // guards labelled_, and lets one refresh at a time
  std::set<std::pair<std::string, std::string>> labelled_;
};

}  // namespace varve
