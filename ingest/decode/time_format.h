// Times as sources write them: numbers, RFC 3339, or a strptime pattern; the result is int64 ns since the
// epoch, UTC. format: auto     a number counts s, ms, us or ns by its size (below 5e9, 5e12, 5e15, else ns);
// other text is RFC 3339
//         s ms us ns   a number in that unit; decimals are exact to the ns, digits beyond are dropped
//         rfc3339  "2025-07-01", "2025-07-01T12:30:00.5+02:00" and what else storage/base/timestamp.h reads
//         pattern  %Y %y %m %d %e %j %b %B %h %a %A %H %I %p %M %S %f %z %s %F %D %T %R %n %t %%; blanks
//         match any
//                  number of blanks, numbers need no leading zeros, %y is 1969..2068, %f is 1..9 digits of a
//                  second
// zone:   of times that carry no offset of their own: "UTC" or a name of the system's tz database. A local
// time that
//         happens twice (clocks go back) is the earlier one; one that never happens (clocks go forward) is
//         read with the offset from before the change, so it lands as far after it.
// Errors: make: kInvalidArgument for an unknown zone or pattern, or a pattern that cannot give one instant.
//         parse: kInvalidArgument for what is not such a time or lies outside 1677-09-21 to 2262-04-11.
// Threads: a value; const methods from any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"

namespace date {
class time_zone;
}

namespace varve {

class TimeParser {
 public:
  static Result<TimeParser> make(std::string_view format, std::string_view zone = "UTC");
  Result<int64_t> parse(std::string_view text) const;

 private:
  enum class Kind { kAuto, kUnit, kRfc3339, kPattern };
  TimeParser() = default;
  Result<int64_t> parse_pattern(std::string_view text) const;
  Result<int64_t> parse_rfc3339(std::string_view text) const;
  Result<int64_t> to_utc(int64_t local_ns) const;

  Kind kind_ = Kind::kAuto;
  int64_t unit_ns_ = 0;  // kUnit
  std::string format_;
  std::string pattern_;  // %F, %D, %T, %R and %h written out
  const date::time_zone* zone_ =
      nullptr;  // nullptr = UTC; owned by the tz database, for the life of the process
};

// A number in units of `unit_ns`, or guessed by its size when `unit_ns` is 0.
Result<int64_t> parse_epoch_number(std::string_view text, int64_t unit_ns);

}  // namespace varve
