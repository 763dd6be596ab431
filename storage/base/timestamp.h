// Timestamps as text: int64 ns since the Unix epoch, UTC, proleptic Gregorian calendar.
//   parse:  "2025-07-01", "2025-07-01T12:30", "2025-07-01 12:30:15.250", with "Z", "+02:00", "+0200" or nothing (UTC)
//   format: RFC 3339 in UTC, as many fraction digits in groups of three as the value needs
// Range:  the int64 range, 1677-09-21 to 2262-04-11; beyond is kInvalidArgument.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/error.h"

namespace varve {

struct CivilTime {
  int64_t year = 1970;
  int month = 1, day = 1;  // from 1
  int hour = 0, minute = 0, second = 0;
  int64_t nanosecond = 0;
};

Result<int64_t> parse_timestamp(std::string_view text);
std::string format_timestamp(int64_t ns);
void append_timestamp(std::string& out, int64_t ns);

CivilTime to_civil(int64_t ns);
int64_t days_from_civil(int64_t year, int month, int day);  // since 1970-01-01
// UTC; fields must be in range (day against month included) and the result in the int64 range.
Result<int64_t> from_civil(const CivilTime& civil);

}  // namespace varve
