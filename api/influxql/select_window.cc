#include "api/influxql/select_window.h"

#include <cstdlib>

namespace varve::influxql {
namespace {

// The clock's difference between two moments, when a bucket can hold it.
int64_t jump(int64_t from_offset, int64_t to_offset, int64_t interval) {
  const int64_t difference = from_offset - to_offset;
  return std::abs(difference) < interval ? difference : 0;
}

}  // namespace

Bucket Window::at(int64_t time) const {
  if (none()) return {};
  const int64_t shifted = saturating_subtract(time, offset_ns);
  const int64_t clock = zone.is_utc() ? 0 : zone.period_at(shifted).offset_ns;
  int64_t into = saturating_add(shifted, clock) % interval_ns;
  if (into < 0) into += interval_ns;
  Bucket bucket;
  bucket.start = saturating_add(saturating_subtract(shifted, into), offset_ns);
  bucket.end = saturating_add(saturating_add(shifted, interval_ns - into), offset_ns);
  if (!zone.is_utc()) {
    bucket.start =
        saturating_add(bucket.start, jump(clock, zone.period_at(bucket.start).offset_ns, interval_ns));
    bucket.end = saturating_add(bucket.end, jump(clock, zone.period_at(bucket.end).offset_ns, interval_ns));
  }
  if (bucket.start < kTimeMin) bucket.start = kTimeMin;
  if (bucket.end > kTimeMax) bucket.end = kTimeMax;
  return bucket;
}

}  // namespace varve::influxql
