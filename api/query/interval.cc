#include "api/query/interval.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "api/sql/text.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

__extension__ using Wide = __int128;  // a difference of two int64

struct NamedUnit {
  std::string_view short_name;
  std::string_view name;  // singular; an s may follow
  int64_t ns;
};

constexpr std::array<NamedUnit, 11> kUnits{{{"ns", "nanosecond", 1},
                                            {"us", "microsecond", kNsPerUs},
                                            {"ms", "millisecond", kNsPerMs},
                                            {"s", "second", kNsPerSecond},
                                            {"sec", "sec", kNsPerSecond},
                                            {"m", "minute", 60 * kNsPerSecond},
                                            {"min", "min", 60 * kNsPerSecond},
                                            {"h", "hour", 3600 * kNsPerSecond},
                                            {"hr", "hr", 3600 * kNsPerSecond},
                                            {"d", "day", kNsPerDay},
                                            {"w", "week", 7 * kNsPerDay}}};

int64_t unit_ns(std::string_view written) {
  const std::string unit = ascii_lower(written);
  const std::string_view singular = unit.size() > 2 && unit.back() == 's'
                                        ? std::string_view(unit).substr(0, unit.size() - 1)
                                        : std::string_view(unit);
  for (const NamedUnit& known : kUnits) {
    if (unit == known.short_name || singular == known.name) return known.ns;
  }
  return 0;
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

Result<int64_t> parse_interval(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return invalid_argument(fmt::format("'{}' is not a duration ({}); use e.g. '5m', '1 hour' or '1h30m'",
                                        text.substr(0, 40), why));
  };
  std::string_view rest = text;
  const auto skip_spaces = [&] {
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  };
  skip_spaces();
  const bool negative = !rest.empty() && rest.front() == '-';
  if (negative) rest.remove_prefix(1);
  skip_spaces();
  if (rest.empty()) return wrong("it is empty");
  int64_t total = 0;
  for (; !rest.empty(); skip_spaces()) {
    int64_t count = 0;
    const auto [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (failed != std::errc() || rest.front() == '-') return wrong("expected a whole number");
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    skip_spaces();
    size_t letters = 0;
    while (letters < rest.size() && is_letter(rest[letters])) ++letters;
    if (letters == 0 && count == 0 && rest.empty()) break;  // '0'
    const int64_t ns = unit_ns(rest.substr(0, letters));
    if (ns == 0) {
      const std::string unit = ascii_lower(rest.substr(0, letters));
      const bool calendar =
          unit == "mo" || unit.starts_with("month") || unit == "y" || unit.starts_with("year");
      return wrong(calendar ? "months and years have no fixed length" : "expected ns us ms s m h d or w");
    }
    rest.remove_prefix(letters);
    if (__builtin_mul_overflow(count, ns, &count) || __builtin_add_overflow(total, count, &total)) {
      return wrong("it is longer than 292 years");
    }
  }
  return negative ? -total : total;
}

int64_t bucket_start(int64_t time, int64_t width, int64_t origin) {
  int64_t distance = 0;
  int64_t start = 0;
  if (!__builtin_sub_overflow(time, origin, &distance)) {
    const int64_t past_start = distance % width;
    return __builtin_sub_overflow(time, past_start < 0 ? past_start + width : past_start, &start) ? INT64_MIN
                                                                                                  : start;
  }
  const auto wide = static_cast<Wide>(time) - origin;
  const auto past_start = static_cast<int64_t>(wide % width);
  return __builtin_sub_overflow(time, past_start < 0 ? past_start + width : past_start, &start) ? INT64_MIN
                                                                                                : start;
}

}  // namespace varve
