// The buckets of GROUP BY time(interval, offset): aligned to 1970 on the clock of a time zone, as InfluxDB does it.
// Where the clock jumps by less than the interval a bucket is that much longer or shorter (days of 23 and 25 hours).
// Threads: values; pure functions.
#pragma once

#include <cstdint>

#include "api/query/time_zone.h"

namespace varve::influxql {

// Times of InfluxDB end two ns before those of int64; nothing is computed past them.
constexpr int64_t kTimeMin = INT64_MIN + 2;
constexpr int64_t kTimeMax = INT64_MAX - 1;

struct Bucket {
  int64_t start = kTimeMin;
  int64_t end = kTimeMax;  // exclusive
};

struct Window {
  int64_t interval_ns = 0;  // 0 = one bucket holds everything
  int64_t offset_ns = 0;
  TimeZone zone;

  bool none() const { return interval_ns == 0; }
  Bucket at(int64_t time) const;
};

}  // namespace varve::influxql
