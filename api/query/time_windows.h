// The time range of a plan in steps, for an answer that its first or last rows decide: ORDER BY time LIMIT n, or groups
// by time_bucket in such an order. Each window is twice as wide as all before, so at most twice the rows needed are read,
// and rows only once.
// Threads: a value.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "api/query/plan.h"
#include "storage/scan.h"

namespace varve {

class TimeWindows {
 public:
  // nullopt: the plan is not of that kind. `extents`: where the rows lie.
  static std::optional<TimeWindows> of(const SelectPlan& plan, const std::vector<ScanExtent>& extents);

  std::optional<TimeRange> next();
  uint64_t rows_wanted() const { return rows_wanted_; }

 private:
  TimeWindows(const SelectPlan& plan, const std::vector<ScanExtent>& extents, uint64_t rows_wanted,
              bool descending, const GroupKey* bucket);
  int64_t first_width(const std::vector<ScanExtent>& extents) const;

  TimeRange left_;  // of the plan's range, what no window had yet
  uint64_t rows_wanted_ = 0;
  bool descending_ = false;
  std::optional<BucketRule> buckets_;
  int64_t width_ns_ = 0;  // of the next window
};

}  // namespace varve
