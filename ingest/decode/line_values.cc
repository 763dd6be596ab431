#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "ingest/decode/decimal.h"
#include "ingest/decode/json.h"
#include "ingest/decode/line_parser.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

constexpr int64_t kTimeNsMax = INT64_MAX - 1;  // InfluxDB's range; its ends are marks of its own
constexpr int64_t kTimeNsMin = -kTimeNsMax;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Powers of ten that a double holds exactly.
constexpr double kExactPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr uint64_t kExactMantissaMax = uint64_t{1} << 53;

// Of a timestamp's absolute value, for kAutoPrecision.
int64_t unit_of(int64_t time) {
  if (time < 5'000'000'000) return kNsPerSecond;
  if (time < 5'000'000'000'000) return kNsPerMs;
  return time < 5'000'000'000'000'000 ? kNsPerUs : 1;
}

}  // namespace

bool LineParser::read_fields() {
  while (true) {
    if (tags_.size() + fields_.size() == kFieldsPerRowMax) return bad_line("too many fields");
    const size_t position = fields_.size();
    FieldItem& item = fields_.emplace_back();
    if (!read_name(field_keys_, position, "field", item.name) || !read_value(item)) return false;
    if (at_ == end_ || *at_ != ',') return true;
    ++at_;
  }
}

bool LineParser::read_value(FieldItem& item) {
  if (at_ == end_) return bad_line("expected a value");
  const char c = *at_;
  if (is_digit(c) || c == '-' || c == '.') return read_number(item);
  if (c == '"') return read_string(item);
  return read_bool(item);
}

bool LineParser::read_bool(FieldItem& item) {
  const char* p = at_;
  while (!ends_value(p)) ++p;
  const std::string_view word(at_, static_cast<size_t>(p - at_));
  const bool yes = word == "t" || word == "T" || word == "true" || word == "True" || word == "TRUE";
  const bool no = word == "f" || word == "F" || word == "false" || word == "False" || word == "FALSE";
  if (!yes && !no) return bad_line("expected a number, true, false or a quoted string");
  item.type = FieldType::kBool;
  item.boolean = yes;
  at_ = p;
  return true;
}

bool LineParser::read_string(FieldItem& item) {
  const char* const start = ++at_;
  const char* p = start;
  bool escaped = false;
  for (; p != end_ && *p != '"'; ++p) {
    has_line_feed_ |= *p == '\n';
    if (*p != '\\' || p + 1 == end_ || (p[1] != '"' && p[1] != '\\')) continue;
    escaped = true;
    ++p;
  }
  if (p == end_) return bad_line("expected a closing quote for the string");
  item.type = FieldType::kString;
  item.text = {start, static_cast<size_t>(p - start)};
  if (escaped) {
    if (unescaped_used_ == unescaped_.size()) unescaped_.emplace_back();
    std::string& text = unescaped_[unescaped_used_++];
    text.clear();
    for (const char* c = start; c != p; ++c) {
      if (*c == '\\' && (c[1] == '"' || c[1] == '\\')) ++c;
      text.push_back(*c);
    }
    item.text = text;
  }
  at_ = p + 1;
  if (!ends_value(at_)) return bad_line("expected a comma, space or end of line after the string");
  if (item.text.size() > kStringValueBytesMax) {
    return refuse("value_too_long", fmt::format("field '{}' has {} bytes; a string may have {}", item.name,
                                                item.text.size(), kStringValueBytesMax));
  }
  return true;
}

bool LineParser::read_number(FieldItem& item) {
  const char* p = at_;
  const bool negative = *p == '-';
  if (negative) ++p;
  const char* const digits = p;
  uint64_t mantissa = 0;  // meaningless past 19 digits, and then not used
  while (p != end_ && is_digit(*p)) mantissa = mantissa * 10 + static_cast<uint64_t>(*p++ - '0');
  auto digit_count = static_cast<size_t>(p - digits);
  if (p != end_ && (*p == 'i' || *p == 'u') && digit_count > 0) {
    const char suffix = *p;
    if (!ends_value(p + 1)) return bad_line("expected a number");
    at_ = p + 1;
    return read_integer(item, {digits, digit_count}, negative, suffix);
  }
  size_t decimals = 0;
  if (p != end_ && *p == '.') {
    const char* const point = ++p;
    while (p != end_ && is_digit(*p)) mantissa = mantissa * 10 + static_cast<uint64_t>(*p++ - '0');
    decimals = static_cast<size_t>(p - point);
    digit_count += decimals;
  }
  if (digit_count == 0) return bad_line("expected a number");
  const char* const number = at_;
  if (ends_value(p)) {
    at_ = p;
    // Clinger, "How to Read Floating Point Numbers Accurately", 1990: both operands exact, one rounding.
    if (digit_count <= 19 && mantissa <= kExactMantissaMax && decimals < std::size(kExactPowers)) {
      const double magnitude = static_cast<double>(mantissa) / kExactPowers[decimals];
      item.number = negative ? -magnitude : magnitude;
      return true;
    }
    return read_double(item, {number, static_cast<size_t>(p - number)});
  }
  if (*p != 'e' && *p != 'E') return bad_line("expected a number");
  ++p;
  if (p != end_ && (*p == '+' || *p == '-')) ++p;
  const char* const exponent = p;
  while (p != end_ && is_digit(*p)) ++p;
  if (p == exponent || !ends_value(p)) return bad_line("expected a number");
  at_ = p;
  return read_double(item, {number, static_cast<size_t>(p - number)});
}

bool LineParser::read_integer(FieldItem& item, std::string_view digits, bool negative, char suffix) {
  const auto out_of_range = [&] {
    return refuse("out_of_range", fmt::format("field '{}': {}{}{} does not fit in int64", item.name,
                                              negative ? "-" : "", digits.substr(0, 40), suffix));
  };
  if (suffix == 'u' && negative) return out_of_range();
  uint64_t value = 0;
  for (const char c : digits) {
    if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(c - '0'), &value)) {
      return out_of_range();
    }
  }
  const uint64_t max = static_cast<uint64_t>(INT64_MAX) + (negative ? 1 : 0);
  if (value > max) return out_of_range();
  item.type = FieldType::kInt64;
  item.whole = static_cast<int64_t>(negative ? 0 - value : value);
  return true;
}

bool LineParser::read_double(FieldItem& item, std::string_view text) {
  if (parse_decimal(text, item.number)) return true;
  return refuse("out_of_range",
                fmt::format("field '{}': {} does not fit in a double", item.name, text.substr(0, 40)));
}

bool LineParser::read_time() {
  while (at_ != end_ && *at_ == ' ') ++at_;
  if (ends_line(at_)) {
    const int64_t unit = std::max<int64_t>(options_.precision_ns, 1);
    const int64_t rest = options_.now_ns % unit;
    time_ns_ = options_.now_ns - (rest < 0 ? rest + unit : rest);
    return true;
  }
  const char* const start = at_;
  const char* p = at_;
  const bool negative = *p == '-';
  if (negative) ++p;
  const char* const digits = p;
  uint64_t magnitude = 0;  // meaningless past 19 digits, and then too large
  while (p != end_ && is_digit(*p)) magnitude = magnitude * 10 + static_cast<uint64_t>(*p++ - '0');
  const char* significant = digits;
  while (significant != p && *significant == '0') ++significant;
  bool overflow = p - significant > 19 || magnitude > static_cast<uint64_t>(kTimeNsMax);
  auto value = static_cast<int64_t>(magnitude);
  const char* after = p;
  while (after != end_ && *after == ' ') ++after;
  if (p == digits || !ends_line(after)) return refuse("bad_time", "the timestamp is not a whole number");
  const int64_t unit = options_.precision_ns == kAutoPrecision ? unit_of(value) : options_.precision_ns;
  overflow |= __builtin_mul_overflow(value, unit, &value);
  if (overflow || value > kTimeNsMax) {
    const std::string_view text(start, static_cast<size_t>(p - start));
    return refuse("bad_time",
                  fmt::format("timestamp {} is outside 1677-09-21 to 2262-04-11 at this precision",
                              text.substr(0, 40)));
  }
  static_assert(kTimeNsMin == -kTimeNsMax);
  time_ns_ = negative ? -value : value;
  at_ = after;
  return true;
}

}  // namespace varve
