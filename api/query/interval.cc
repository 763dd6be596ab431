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
  int64_t count;          // of ns, or of months
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

constexpr NamedUnit kMonthUnits[] = {
    {"mo", "month", 1}, {"mon", "mon", 1}, {"q", "quarter", 3}, {"y", "year", 12}, {"yr", "yr", 12}};

// What one of the unit is: ns, or months; 0 and 0 when there is no such unit.
Duration unit_of(std::string_view written) {
  if (written == "M") return {1, 0};
  const std::string unit = ascii_lower(written);
  const std::string_view singular = unit.size() > 2 && unit.back() == 's'
                                        ? std::string_view(unit).substr(0, unit.size() - 1)
                                        : std::string_view(unit);
  for (const NamedUnit& known : kUnits) {
    if (unit == known.short_name || singular == known.name) return {0, known.count};
  }
  for (const NamedUnit& known : kMonthUnits) {
    if (unit == known.short_name || singular == known.name) return {known.count, 0};
  }
  return {};
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

Error wrong_duration(std::string_view text, std::string_view why) {
  return invalid_argument(fmt::format("'{}' is not a duration ({}); use e.g. '5m', '1 hour' or '1h30m'",
                                      text.substr(0, 40), why));
}

}  // namespace

Result<Duration> parse_calendar_duration(std::string_view text) {
  std::string_view rest = text;
  const auto skip_spaces = [&] {
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  };
  skip_spaces();
  const bool negative = !rest.empty() && rest.front() == '-';
  if (negative) rest.remove_prefix(1);
  skip_spaces();
  if (rest.empty()) return wrong_duration(text, "it is empty");
  Duration total;
  for (; !rest.empty(); skip_spaces()) {
    int64_t count = 0;
    const auto [end, failed] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (failed != std::errc() || rest.front() == '-') return wrong_duration(text, "expected a whole number");
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    skip_spaces();
    size_t letters = 0;
    while (letters < rest.size() && is_letter(rest[letters])) ++letters;
    if (letters == 0 && count == 0 && rest.empty()) break;  // '0'
    const Duration unit = unit_of(rest.substr(0, letters));
    if (unit.ns == 0 && unit.months == 0)
      return wrong_duration(text, "expected ns us ms s m h d w, months or years");
    rest.remove_prefix(letters);
    int64_t& part = unit.months != 0 ? total.months : total.ns;
    if (__builtin_mul_overflow(count, unit.months + unit.ns, &count) ||
        __builtin_add_overflow(part, count, &part)) {
      return wrong_duration(text, "it is longer than 292 years");
    }
  }
  if (negative) total = {-total.months, -total.ns};
  return total;
}

Result<int64_t> parse_interval(std::string_view text) {
  VARVE_ASSIGN(const Duration parsed, parse_calendar_duration(text));
  if (parsed.months != 0) return wrong_duration(text, "months and years have no fixed length");
  return parsed.ns;
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
