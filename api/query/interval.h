// Durations as SQL writes them: '5m', '1 hour', '1h30m', '1 day 12 hours', '-15 minutes', '0'.
// Units: ns us ms s m h d w and their English names. Months, quarters and years (M mo q y; `m` is a minute) have no fixed
// length: parse_calendar_duration counts them apart, parse_interval refuses them.
// Errors:  kInvalidArgument naming the text and what is accepted.
// Threads: pure function.
#pragma once

#include <cstdint>
#include <string_view>

#include "storage/base/error.h"

namespace varve {

struct Duration {
  int64_t months = 0;
  int64_t ns = 0;
};
Result<Duration> parse_calendar_duration(std::string_view text);
Result<int64_t> parse_interval(std::string_view text);  // ns

// Start of the bucket `time` lies in: buckets are [origin + k * width, origin + (k + 1) * width), width > 0.
// A start before the first representable time is clamped to it.
int64_t bucket_start(int64_t time, int64_t width, int64_t origin);

}  // namespace varve
