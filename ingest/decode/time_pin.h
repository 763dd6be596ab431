// The times of one source: TimeParser (time_format.h), and for format "auto" what the source's times have shown.
// A number whose size tells its unit (1e9 up to 5e9 in it: 2001 to 2128) is read in that unit and pins it. A smaller
// one, or one between those sizes, tells nothing: it is read in the pinned unit, and before there is one as seconds,
// ms, us or ns by its size. So a sensor whose clock begins at 0 is read in the unit of the others, and two producers
// with different units are both read right. Digits are a number, in quotes or not.
// Other text is RFC 3339 or one of these forms, UTC unless they say otherwise; the form that matched last is tried
// first:
//   2025/07/01 12:30:15.5   01.07.2025 12:30:15   20250701T123015Z   Tue, 01 Jul 2025 12:30:15 GMT (or +0200)
//   Tue Jul  1 12:30:15 2025
// "07/01/2025" is refused: July or January is for time_format = "%m/%d/%Y" to say.
// Errors: as TimeParser.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ingest/decode/time_format.h"

namespace varve {

class PinnedTime {
 public:
  static Result<PinnedTime> make(std::string_view format);
  Result<int64_t> parse(std::string_view text);
  bool is_auto() const { return is_auto_; }

 private:
  explicit PinnedTime(TimeParser parser) : parser_(std::move(parser)) {}
  Result<int64_t> parse_number(std::string_view text);

  TimeParser parser_;
  bool is_auto_ = false;
  int64_t unit_ns_ = 0;  // 0 = not pinned
  std::vector<TimeParser> forms_;
  size_t form_ = 0;  // that matched last; forms_.size() = RFC 3339
};

}  // namespace varve
