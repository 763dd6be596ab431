// The grid of time_bucket, date_bin, date_trunc and SAMPLE BY: which bucket a time lies in, and where the bucket ends.
// Buckets follow each other without holes; each is [start, end_of(start)).
//   fixed:     [origin + k * width, origin + (k + 1) * width) in UTC; whole weeks begin on Mondays
//   calendar:  days, weeks, months and years as the clock of a time zone shows them: a day of the switch to summer time
//              has 23 hours. A midnight the clock skips is the moment it skips it, of two midnights the first counts.
//   clock:     parts of a day in a time zone: buckets begin where the clock shows a multiple of the width. The hour that
//              the clock repeats has buckets of its own, so '1h' always is 60 minutes; one that is longer than the
//              repeated time holds both ('4h' from 0:00 has 5 hours then, and 3 hours where an hour is skipped).
// A start before the first representable time is clamped to it, an end beyond the last to that.
// Errors:  invalid_interval, invalid_time_zone; with position.
// Threads: values; pure functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "api/query/query_error.h"
#include "api/query/time_zone.h"

namespace varve {

struct BucketRule {
  int64_t width_ns = 0;  // 0 = whole months
  int64_t origin_ns =
      0;  // a start, on the zone's clock; for months: how long after a month's start buckets begin
  int64_t months = 0;  // of one bucket
  int64_t origin_month = 0;
  TimeZone zone;

  // Every bucket has the same width: what a scan's statistics can be asked for.
  bool is_fixed() const { return months == 0 && zone.is_utc(); }
  int64_t start_of(int64_t time) const;
  int64_t end_of(int64_t start) const;  // INT64_MAX for the last bucket, which includes it
  int64_t mean_width_ns() const;        // for estimates
  bool operator==(const BucketRule&) const = default;

 private:
  bool whole_days() const;
  int64_t local_start(int64_t local) const;
  int64_t local_end(int64_t local) const;  // of the bucket `local` lies in
};

// `width` as written: a duration ('5m', '1h30m', '1w') or months and years ('1 month', '3M', '1y', '1 quarter').
QueryResult<BucketRule> parse_bucket_width(std::string_view width, size_t position);
// The zone by name; in UTC the rule stays fixed.
QueryResult<void> set_time_zone(BucketRule& rule, std::string_view zone, size_t position);
// Where the grid lies: a bucket starts at `origin` (UTC, or the zone's clock), or `by_ns` later than it would.
QueryResult<void> set_origin(BucketRule& rule, int64_t origin, size_t position);
QueryResult<void> shift_origin(BucketRule& rule, int64_t by_ns, size_t position);

}  // namespace varve
