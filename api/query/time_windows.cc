#include "api/query/time_windows.h"

#include <algorithm>

namespace varve {
namespace {

// Beyond it, reading everything and keeping the best rows costs about the same. Guessed.
constexpr uint64_t kRowsWantedMax = 1 << 20;
// Rows a first window should hold for each row wanted: those that filters take are unknown.
constexpr double kRowsEach = 2;

int64_t sum_or_max(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

int64_t difference_or_min(int64_t a, int64_t b) {  // b >= 0
  int64_t difference = 0;
  return __builtin_sub_overflow(a, b, &difference) ? INT64_MIN : difference;
}

int64_t width_of(const TimeRange& range) {
  int64_t width = 0;
  return __builtin_sub_overflow(range.max, range.min, &width) ? INT64_MAX : width;
}

}  // namespace

std::optional<TimeWindows> TimeWindows::of(const SelectPlan& plan, const std::vector<ScanExtent>& extents) {
  uint64_t wanted = 0;
  if (!plan.limit || plan.order.empty() || plan.distinct || plan.fill || extents.empty()) return std::nullopt;
  if (__builtin_add_overflow(*plan.limit, plan.offset, &wanted) || wanted > kRowsWantedMax)
    return std::nullopt;
  const bool steps = std::any_of(  // from rows before the window
      plan.aggregates.begin(), plan.aggregates.end(),
      [](const PlannedAggregate& aggregate) { return is_step_aggregate(aggregate.spec.kind); });
  if (steps) return std::nullopt;
  const OrderKey& order = plan.order.front();
  const SlotScalar* slot = as_slot(order.output ? *plan.outputs[*order.output].expr : *order.expr);
  if (slot == nullptr) return std::nullopt;
  if (!plan.grouped) {
    if (slot->slot != kTimeSlot) return std::nullopt;
    return TimeWindows(plan, extents, wanted, order.descending, nullptr);
  }
  const bool by_bucket =
      slot->slot < plan.keys.size() && plan.keys[slot->slot].kind == GroupKey::Kind::kBucket;
  if (!by_bucket) return std::nullopt;
  return TimeWindows(plan, extents, wanted, order.descending, &plan.keys[slot->slot]);
}

TimeWindows::TimeWindows(const SelectPlan& plan, const std::vector<ScanExtent>& extents, uint64_t rows_wanted,
                         bool descending, const GroupKey* bucket)
    : rows_wanted_(rows_wanted), descending_(descending) {
  left_ = extents.front().time;
  for (const ScanExtent& extent : extents) {
    left_.min = std::min(left_.min, extent.time.min);
    left_.max = std::max(left_.max, extent.time.max);
  }
  left_.min = std::max(left_.min, plan.time.min);
  left_.max = std::min(left_.max, plan.time.max);
  if (bucket == nullptr) {
    width_ns_ = first_width(extents);
    return;
  }
  buckets_ = bucket->bucket;
  const auto buckets = static_cast<int64_t>(std::max<uint64_t>(rows_wanted, 1));
  if (__builtin_mul_overflow(buckets, buckets_->mean_width_ns(), &width_ns_)) width_ns_ = INT64_MAX;
}

// As wide as, were rows spread evenly, holds enough of them.
int64_t TimeWindows::first_width(const std::vector<ScanExtent>& extents) const {
  const double wanted = kRowsEach * static_cast<double>(std::max<uint64_t>(rows_wanted_, 1));
  for (int64_t width = kNsPerMs; width < width_of(left_); width *= 2) {
    const TimeRange window = descending_ ? TimeRange{difference_or_min(left_.max, width), left_.max}
                                         : TimeRange{left_.min, sum_or_max(left_.min, width)};
    double rows = 0;
    for (const ScanExtent& extent : extents) {
      const TimeRange both{std::max(window.min, extent.time.min), std::min(window.max, extent.time.max)};
      if (both.empty()) continue;
      const double share =
          (static_cast<double>(width_of(both)) + 1) / (static_cast<double>(width_of(extent.time)) + 1);
      rows += static_cast<double>(extent.rows) * share;
    }
    if (rows >= wanted) return width;
    if (width > INT64_MAX / 2) break;
  }
  return INT64_MAX;
}

std::optional<TimeRange> TimeWindows::next() {
  if (left_.empty()) return std::nullopt;
  TimeRange window = left_;
  if (descending_) {
    window.min = std::max(left_.min, difference_or_min(left_.max, width_ns_));
    // Buckets are whole, or a group would be found in two windows.
    if (buckets_ && window.min > left_.min) {
      window.min = std::max(left_.min, buckets_->start_of(window.min));
    }
    if (window.min == INT64_MIN) {
      left_ = {1, 0};
    } else {
      left_.max = window.min - 1;
    }
  } else {
    window.max = std::min(left_.max, sum_or_max(left_.min, width_ns_));
    if (buckets_ && window.max < left_.max) {
      const int64_t end = buckets_->end_of(buckets_->start_of(window.max));
      window.max = end == INT64_MAX ? left_.max : std::min(left_.max, end - 1);
    }
    if (window.max == INT64_MAX) {
      left_ = {1, 0};
    } else {
      left_.min = window.max + 1;
    }
  }
  width_ns_ = width_ns_ > INT64_MAX / 2 ? INT64_MAX : width_ns_ * 2;
  return window;
}

}  // namespace varve
