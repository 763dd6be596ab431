// Counts of rows the store refused, by reason; a limit that refuses rows is logged, too.
// Threads: any.
#pragma once

#include <vector>

#include "storage/base/metrics.h"
#include "storage/engine.h"

namespace varve {

class RefusedRows {
 public:
  explicit RefusedRows(MetricsRegistry& metrics) : metrics_(metrics) {}
  void count(const std::vector<RejectedRow>& rows);

 private:
  MetricsRegistry& metrics_;
};

}  // namespace varve
