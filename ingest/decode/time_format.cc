#include "ingest/decode/time_format.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "storage/base/clock.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

// Bounds of the guess of format "auto": seconds until the year 2128, and as many ms, us.
constexpr int64_t kSecondsBelow = 5'000'000'000;
constexpr int64_t kMsBelow = kSecondsBelow * 1000;
constexpr int64_t kUsBelow = kMsBelow * 1000;

constexpr std::array<std::string_view, 12> kMonths = {"january",   "february", "march",    "april",
                                                      "may",       "june",     "july",     "august",
                                                      "september", "october",  "november", "december"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sunday",   "monday", "tuesday", "wednesday",
                                                       "thursday", "friday", "saturday"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

int64_t unit_of_size(int64_t whole) {
  const uint64_t size = whole < 0 ? 0 - static_cast<uint64_t>(whole) : static_cast<uint64_t>(whole);
  if (size < static_cast<uint64_t>(kSecondsBelow)) return kNsPerSecond;
  if (size < static_cast<uint64_t>(kMsBelow)) return kNsPerMs;
  if (size < static_cast<uint64_t>(kUsBelow)) return kNsPerUs;
  return 1;
}

Error not_a_number(std::string_view text) {
  return invalid_argument(fmt::format("'{}' is not a number of seconds, ms, us or ns since 1970", text));
}
Error out_of_range(std::string_view text) {
  return invalid_argument(fmt::format("time '{}' is outside 1677-09-21 to 2262-04-11", text));
}

// Numbers with an exponent, as some JSON writers print large ones.
Result<int64_t> parse_scientific(std::string_view text, int64_t unit_ns) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc{} || parsed.ptr != end || !std::isfinite(number)) return not_a_number(text);
  if (std::abs(number) >= 0x1p63) return out_of_range(text);
  if (unit_ns == 0) unit_ns = unit_of_size(static_cast<int64_t>(number));
  const long double ns = static_cast<long double>(number) * static_cast<long double>(unit_ns);
  if (std::abs(ns) >= 0x1p63L) return out_of_range(text);
  return static_cast<int64_t>(ns);
}

}  // namespace

Result<int64_t> parse_epoch_number(std::string_view text, int64_t unit_ns) {
  size_t at = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (negative || text[0] == '+')) ++at;
  const size_t first = at;
  uint64_t whole = 0;
  bool overflow = false;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    overflow |= __builtin_mul_overflow(whole, uint64_t{10}, &whole);
    overflow |= __builtin_add_overflow(whole, static_cast<uint64_t>(text[at] - '0'), &whole);
  }
  if (at == first) return not_a_number(text);
  if (at < text.size() && text[at] != '.') return parse_scientific(text, unit_ns);
  if (overflow || whole > static_cast<uint64_t>(INT64_MAX)) return out_of_range(text);
  if (unit_ns == 0) unit_ns = unit_of_size(static_cast<int64_t>(whole));
  int64_t ns = 0;
  if (__builtin_mul_overflow(static_cast<int64_t>(whole), unit_ns, &ns)) return out_of_range(text);
  if (at < text.size()) {
    const size_t point = at++;
    for (int64_t scale = unit_ns / 10; at < text.size() && is_digit(text[at]); ++at, scale /= 10) {
      if (__builtin_add_overflow(ns, scale * (text[at] - '0'), &ns)) return out_of_range(text);
    }
    if (at == point + 1) return not_a_number(text);
    if (at < text.size()) return parse_scientific(text, unit_ns);
  }
  return negative ? -ns : ns;
}

namespace {

// Reads one text by one pattern.
class PatternReader {
 public:
  PatternReader(std::string_view pattern, std::string_view text) : pattern_(pattern), text_(text) {}

  // False when the text does not match.
  bool read() {
    for (size_t i = 0; i < pattern_.size(); ++i) {
      const char c = pattern_[i];
      if (is_blank(c)) {
        skip_blanks();
      } else if (c != '%') {
        if (!skip(c)) return false;
      } else if (!read_directive(pattern_[++i])) {
        return false;
      }
    }
    skip_blanks();
    return at_ == text_.size();
  }

  // Local time, or UTC when has_offset().
  Result<int64_t> instant() const {
    int64_t ns = 0;
    if (has_epoch_) {
      if (__builtin_mul_overflow(epoch_seconds_, kNsPerSecond, &ns) ||
          __builtin_add_overflow(ns, civil_.nanosecond, &ns)) {
        return out_of_range(text_);
      }
      return ns;
    }
    CivilTime civil = civil_;
    if (half_day_ >= 0) {
      if (civil.hour < 1 || civil.hour > 12) return invalid_argument("%I takes 1 to 12");
      civil.hour = civil.hour % 12 + half_day_ * 12;
    }
    if (day_of_year_ > 0) {
      const int64_t days_before = days_from_civil(civil.year, 1, 1);
      if (days_before + day_of_year_ > days_from_civil(civil.year + 1, 1, 1)) {
        return invalid_argument("%j is outside the year");
      }
      civil.month = 1;
      civil.day = 1;
    }
    VARVE_ASSIGN(ns, from_civil(civil));
    const int64_t shift_ns =
        (day_of_year_ > 0 ? (day_of_year_ - 1) * kNsPerDay : 0) - offset_seconds_ * kNsPerSecond;
    if (__builtin_add_overflow(ns, shift_ns, &ns)) return out_of_range(text_);
    return ns;
  }
  bool has_offset() const { return has_offset_ || has_epoch_; }

 private:
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool skip(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool number(int digits_max, int64_t& value) {
    const size_t first = at_;
    value = 0;
    while (digits_max-- > 0 && is_digit(peek())) value = value * 10 + (text_[at_++] - '0');
    return at_ > first;
  }
  bool number(int digits_max, int& value) {
    int64_t wide = 0;
    if (!number(digits_max, wide)) return false;
    value = static_cast<int>(wide);
    return true;
  }
  // The full name or its first three letters; the position counts from 0.
  template <size_t N>
  bool name(const std::array<std::string_view, N>& names, int& index) {
    size_t end = at_;
    std::string word;
    while (end < text_.size() && lower(text_[end]) >= 'a' && lower(text_[end]) <= 'z')
      word += lower(text_[end++]);
    for (size_t i = 0; i < N; ++i) {
      for (const std::string_view candidate : {names[i], names[i].substr(0, 3)}) {
        if (word.substr(0, candidate.size()) != candidate) continue;
        index = static_cast<int>(i);
        at_ += candidate.size();
        return true;
      }
    }
    return false;
  }
  bool half_day() {
    const char c = lower(peek());
    if (c != 'a' && c != 'p') return false;
    ++at_;
    half_day_ = c == 'p' ? 1 : 0;
    skip('.');  // "p.m."
    if (lower(peek()) != 'm') return false;
    ++at_;
    skip('.');
    return true;
  }
  bool fraction() {
    civil_.nanosecond = 0;
    int64_t scale = kNsPerSecond / 10;
    const size_t first = at_;
    for (; at_ - first < 9 && is_digit(peek()); scale /= 10)
      civil_.nanosecond += scale * (text_[at_++] - '0');
    return at_ > first;
  }
  bool offset() {
    has_offset_ = true;
    if (skip('Z') || skip('z')) return true;
    const bool minus = peek() == '-';
    if (!skip('-') && !skip('+')) return false;
    int hours = 0;
    int minutes = 0;
    if (!is_digit(peek()) || !number(2, hours)) return false;
    skip(':');
    if (is_digit(peek()) && !number(2, minutes)) return false;
    if (hours > 23 || minutes > 59) return false;
    offset_seconds_ = (minus ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
  }
  bool epoch() {
    const bool minus = skip('-');
    if (!number(18, epoch_seconds_)) return false;
    if (minus) epoch_seconds_ = -epoch_seconds_;
    has_epoch_ = true;
    return true;
  }
  bool read_directive(char directive) {
    int index = 0;
    switch (directive) {
      case 'Y':
        return number(4, civil_.year);
      case 'y':
        if (!number(2, civil_.year)) return false;
        civil_.year += civil_.year < 69 ? 2000 : 1900;
        return true;
      case 'm':
        return number(2, civil_.month);
      case 'e':
        skip_blanks();
        return number(2, civil_.day);
      case 'd':
        return number(2, civil_.day);
      case 'j':
        return number(3, day_of_year_) && day_of_year_ > 0;
      case 'b':
        if (!name(kMonths, index)) return false;
        civil_.month = index + 1;
        return true;
      case 'a':
        return name(kWeekdays, index);
      case 'H':
      case 'I':
        return number(2, civil_.hour);
      case 'p':
        return half_day();
      case 'M':
        return number(2, civil_.minute);
      case 'S':
        return number(2, civil_.second);
      case 'f':
        return fraction();
      case 'z':
        return offset();
      case 's':
        return epoch();
      default:
        return skip('%');
    }
  }

  std::string_view pattern_;
  std::string_view text_;
  size_t at_ = 0;
  CivilTime civil_;
  int half_day_ = -1;        // 0 = AM, 1 = PM, -1 = not given
  int64_t day_of_year_ = 0;  // from 1; 0 = not given
  bool has_epoch_ = false;
  int64_t epoch_seconds_ = 0;
  int64_t offset_seconds_ = 0;
  bool has_offset_ = false;
};

// Writes the directives that stand for others out, and checks that the pattern gives one instant.
Result<std::string> expand_pattern(std::string_view pattern) {
  const auto wrong = [&](std::string_view why) {
    return invalid_argument(fmt::format("time format '{}': {}", pattern, why));
  };
  std::string out;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      out += pattern[i];
      continue;
    }
    if (++i == pattern.size()) return wrong("ends in a lone %");
    switch (pattern[i]) {
      case 'F':
        out += "%Y-%m-%d";
        break;
      case 'D':
        out += "%m/%d/%y";
        break;
      case 'T':
        out += "%H:%M:%S";
        break;
      case 'R':
        out += "%H:%M";
        break;
      case 'B':
      case 'h':
        out += "%b";
        break;
      case 'A':
        out += "%a";
        break;
      case 'n':
      case 't':
        out += ' ';
        break;
      default:
        if (std::string_view("YymdejbaHIpMSfzs%").find(pattern[i]) == std::string_view::npos) {
          return wrong(fmt::format("%{} is not supported", pattern[i]));
        }
        out += '%';
        out += pattern[i];
    }
  }
  std::string directives;
  for (size_t i = 0; i + 1 < out.size(); ++i) {
    if (out[i] == '%') directives += out[++i];
  }
  const auto has = [&](char directive) { return directives.find(directive) != std::string::npos; };
  if (has('s')) {
    if (has('Y') || has('y') || has('H') || has('I') || has('z'))
      return wrong("%s already is the whole time");
    return out;
  }
  if (!has('Y') && !has('y')) return wrong("has no year (%Y) and is not auto, s, ms, us, ns or rfc3339");
  if (!has('j') && !((has('m') || has('b')) && (has('d') || has('e')))) return wrong("has no month and day");
  if (has('I') != has('p')) return wrong("%I and %p go together; without AM or PM use %H");
  if (has('H') && has('I')) return wrong("has both %H and %I");
  return out;
}

bool has_offset(std::string_view rfc3339) {
  return rfc3339.size() > 10 && rfc3339.find_first_of("Zz+-", 10) != std::string_view::npos;
}

bool looks_numeric(std::string_view text) {
  size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  while (at < text.size() && is_digit(text[at])) ++at;
  return at == text.size() || text[at] == '.' || text[at] == 'e' || text[at] == 'E';
}

}  // namespace

Result<TimeParser> TimeParser::make(std::string_view format, std::string_view zone) {
  TimeParser parser;
  parser.format_ = format;
  if (format == "auto") {
    parser.kind_ = Kind::kAuto;
  } else if (format == "rfc3339") {
    parser.kind_ = Kind::kRfc3339;
  } else if (format == "s" || format == "ms" || format == "us" || format == "ns") {
    parser.kind_ = Kind::kUnit;
    parser.unit_ns_ = format == "s"    ? kNsPerSecond
                      : format == "ms" ? kNsPerMs
                      : format == "us" ? kNsPerUs
                                       : 1;
  } else {
    parser.kind_ = Kind::kPattern;
    VARVE_ASSIGN(parser.pattern_, expand_pattern(format));
  }
  if (zone == "UTC" || zone == "Z") return parser;
  try {
    parser.zone_ = date::locate_zone(zone);
  } catch (const std::exception&) {
    return invalid_argument(fmt::format(
        "time zone '{}' is not in the system's tz database; use a name like 'Europe/Paris' or 'UTC'", zone));
  }
  return parser;
}

Result<int64_t> TimeParser::parse(std::string_view text) const {
  switch (kind_) {
    case Kind::kUnit:
      return parse_epoch_number(text, unit_ns_);
    case Kind::kRfc3339:
      return parse_rfc3339(text);
    case Kind::kPattern:
      return parse_pattern(text);
    case Kind::kAuto:
      break;
  }
  return looks_numeric(text) ? parse_epoch_number(text, 0) : parse_rfc3339(text);
}

Result<int64_t> TimeParser::parse_rfc3339(std::string_view text) const {
  auto ns = parse_timestamp(text);
  if (!ns || zone_ == nullptr || has_offset(text)) return ns;
  return to_utc(*ns);
}

Result<int64_t> TimeParser::parse_pattern(std::string_view text) const {
  PatternReader reader(pattern_, text);
  if (!reader.read()) {
    return invalid_argument(fmt::format("'{}' is not a time of format '{}'", text, format_));
  }
  auto ns = reader.instant();
  if (!ns) return with_context(std::move(ns.error()), fmt::format("'{}'", text));
  if (zone_ == nullptr || reader.has_offset()) return ns;
  return to_utc(*ns);
}

Result<int64_t> TimeParser::to_utc(int64_t local_ns) const {
  try {
    const date::local_time<std::chrono::nanoseconds> local{std::chrono::nanoseconds(local_ns)};
    const date::local_info info = zone_->get_info(local);
    int64_t utc = 0;
    const int64_t offset_ns = std::chrono::nanoseconds(info.first.offset).count();
    if (__builtin_sub_overflow(local_ns, offset_ns, &utc)) return out_of_range(format_timestamp(local_ns));
    return utc;
  } catch (const std::exception& e) {
    return invalid_argument(fmt::format("time zone '{}': {}", zone_->name(), e.what()));
  }
}

}  // namespace varve
