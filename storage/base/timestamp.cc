#include "storage/base/timestamp.h"

#include <fmt/format.h>

#include "storage/base/clock.h"

namespace varve {
namespace {

constexpr int kDaysPerEra = 146'097;  // 400 Gregorian years
constexpr int kSecondsPerDay = 86'400;

bool is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int days_in_month(int64_t year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap(year) ? 29 : kDays[month - 1];
}

class TextCursor {
 public:
  explicit TextCursor(std::string_view text) : text_(text) {}
  bool done() const { return at_ == text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  bool skip(char c) {
    if (peek() != c || done()) return false;
    ++at_;
    return true;
  }
  // Exactly `width` digits.
  bool digits(int width, int& value) {
    value = 0;
    for (int i = 0; i < width; ++i, ++at_) {
      if (peek() < '0' || peek() > '9') return false;
      value = value * 10 + (text_[at_] - '0');
    }
    return true;
  }
  // 1 to 9 digits after a point, as nanoseconds; more digits are dropped.
  bool fraction(int64_t& ns) {
    int64_t scale = kNsPerSecond;
    if (peek() < '0' || peek() > '9') return false;
    while (peek() >= '0' && peek() <= '9') {
      scale /= 10;
      ns += scale * (text_[at_++] - '0');
    }
    return true;
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

bool parse_clock_time(TextCursor& in, CivilTime& civil) {
  if (!in.digits(2, civil.hour) || !in.skip(':') || !in.digits(2, civil.minute)) return false;
  if (!in.skip(':')) return true;
  if (!in.digits(2, civil.second)) return false;
  return !(in.skip('.') || in.skip(',')) || in.fraction(civil.nanosecond);
}

bool parse_zone(TextCursor& in, int64_t& offset_seconds) {
  offset_seconds = 0;
  if (in.done() || in.skip('Z') || in.skip('z')) return true;
  const int64_t sign = in.peek() == '-' ? -1 : 1;
  if (!in.skip('+') && !in.skip('-')) return false;
  int hours = 0;
  int minutes = 0;
  if (!in.digits(2, hours)) return false;
  const bool colon = in.skip(':');
  if ((colon || !in.done()) && !in.digits(2, minutes)) return false;
  if (hours > 23 || minutes > 59) return false;
  offset_seconds = sign * (hours * 3600 + minutes * 60);
  return true;
}

}  // namespace

int64_t days_from_civil(int64_t year, int month, int day) {
  // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years start in March.
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t year_of_era = year - era * 400;
  const int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * kDaysPerEra + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

CivilTime to_civil(int64_t ns) {
  int64_t days = ns / kNsPerDay;
  int64_t rest = ns % kNsPerDay;
  if (rest < 0) {
    rest += kNsPerDay;
    --days;
  }
  days += 719'468;
  const int64_t era = (days >= 0 ? days : days - (kDaysPerEra - 1)) / kDaysPerEra;
  const int64_t day_of_era = days - era * kDaysPerEra;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  CivilTime civil;
  civil.day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  civil.month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  civil.year = year_of_era + era * 400 + (civil.month <= 2 ? 1 : 0);
  civil.nanosecond = rest % kNsPerSecond;
  const auto second_of_day = static_cast<int>(rest / kNsPerSecond);
  civil.hour = second_of_day / 3600;
  civil.minute = second_of_day / 60 % 60;
  civil.second = second_of_day % 60;
  return civil;
}

Result<int64_t> from_civil(const CivilTime& civil) {
  const bool in_range = civil.month >= 1 && civil.month <= 12 && civil.day >= 1 && civil.year >= 1677 &&
                        civil.year <= 2262 && civil.day <= days_in_month(civil.year, civil.month) &&
                        civil.hour >= 0 && civil.hour <= 23 && civil.minute >= 0 && civil.minute <= 59 &&
                        civil.second >= 0 && civil.second <= 60 && civil.nanosecond >= 0 &&
                        civil.nanosecond < kNsPerSecond;
  if (!in_range) return invalid_argument("a part of the time is out of range");
  int64_t seconds = days_from_civil(civil.year, civil.month, civil.day) * kSecondsPerDay + civil.hour * 3600 +
                    civil.minute * 60 + civil.second;
  int64_t nanosecond = civil.nanosecond;
  if (seconds < 0) {  // the first second of the range has no whole-second form
    ++seconds;
    nanosecond -= kNsPerSecond;
  }
  int64_t ns = 0;
  if (__builtin_mul_overflow(seconds, kNsPerSecond, &ns) || __builtin_add_overflow(ns, nanosecond, &ns)) {
    return invalid_argument("the time is outside 1677-09-21 to 2262-04-11");
  }
  return ns;
}

Result<int64_t> parse_timestamp(std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return invalid_argument(
        fmt::format("'{}' is not a time ({}); use e.g. 2025-07-01 or 2025-07-01T12:30:00Z", text, why));
  };
  TextCursor in(text);
  CivilTime civil;
  int year = 0;
  int64_t offset_seconds = 0;
  if (!in.digits(4, year) || !in.skip('-') || !in.digits(2, civil.month) || !in.skip('-') ||
      !in.digits(2, civil.day)) {
    return wrong("expected YYYY-MM-DD");
  }
  civil.year = year;
  if (!in.done()) {
    if (!in.skip('T') && !in.skip('t') && !in.skip(' ')) return wrong("expected T or a space after the date");
    if (!parse_clock_time(in, civil)) return wrong("expected HH:MM[:SS[.fraction]]");
    if (!parse_zone(in, offset_seconds) || !in.done()) return wrong("expected Z or an offset like +02:00");
  }
  auto ns = from_civil(civil);
  if (!ns) return wrong(ns.error().message);
  int64_t utc = 0;
  if (__builtin_sub_overflow(*ns, offset_seconds * kNsPerSecond, &utc)) return wrong("out of range");
  return utc;
}

void append_timestamp(std::string& out, int64_t ns) {
  const CivilTime t = to_civil(ns);
  char text[32] = "0000-00-00T00:00:00";
  const auto put = [&](int at, int width, int64_t value) {
    for (int i = width - 1; i >= 0; --i, value /= 10) text[at + i] = static_cast<char>('0' + value % 10);
  };
  put(0, 4, t.year);
  put(5, 2, t.month);
  put(8, 2, t.day);
  put(11, 2, t.hour);
  put(14, 2, t.minute);
  put(17, 2, t.second);
  int length = 19;
  if (t.nanosecond != 0) {
    int digits = 9;
    int64_t fraction = t.nanosecond;
    while (digits > 3 && fraction % 1000 == 0) {
      fraction /= 1000;
      digits -= 3;
    }
    text[length] = '.';
    put(length + 1, digits, fraction);
    length += digits + 1;
  }
  text[length++] = 'Z';
  out.append(text, static_cast<size_t>(length));
}

std::string format_timestamp(int64_t ns) {
  std::string out;
  append_timestamp(out, ns);
  return out;
}

}  // namespace varve
