// Time zones of the IANA database (the system's /usr/share/zoneinfo), and months of the proleptic Gregorian calendar.
// Local times are int64 ns since 1970-01-01 00:00 on the zone's clock; everything is clamped to the range of int64.
// Errors:  kInvalidArgument for an unknown zone, naming the nearest; kUnavailable when the system has no database.
// Threads: values; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "storage/base/error.h"

namespace date {
class time_zone;
}

namespace varve {

class TimeZone {
 public:
  // A stretch of time with one offset: [begin, end).
  struct Period {
    int64_t begin = INT64_MIN;
    int64_t end = INT64_MAX;
    int64_t offset_ns = 0;  // local = UTC + offset
  };

  TimeZone() = default;  // UTC
  static Result<TimeZone> find(std::string_view name);

  bool operator==(const TimeZone&) const = default;
  bool is_utc() const { return zone_ == nullptr; }
  std::string_view name() const;
  Period period_at(int64_t time) const;
  // The first moment the clock shows `local`; for a time the clock skips, the moment it skips it.
  int64_t to_utc(int64_t local) const;

 private:
  const date::time_zone* zone_ = nullptr;  // lives as long as the process
};

int64_t saturating_add(int64_t a, int64_t b);
int64_t saturating_subtract(int64_t a, int64_t b);

int64_t month_of(int64_t local);     // months since January 1970
int64_t month_start(int64_t month);  // its first moment

}  // namespace varve
