#include "ingest/decode/decimal.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace varve {
namespace {

// Whether a decimal number, possibly with an exponent, is less than 1 in size.
bool is_below_one(std::string_view text) {
  const size_t mark = std::min(text.find_first_of("eE"), text.size());
  const std::string_view digits = text.substr(0, mark);
  const size_t point = std::min(digits.find('.'), digits.size());
  const size_t first = digits.find_first_of("123456789");
  if (first == std::string_view::npos) return true;
  int64_t exponent = 0;
  for (const char c : text.substr(mark)) {
    if (c >= '0' && c <= '9') exponent = std::min<int64_t>(exponent * 10 + (c - '0'), INT32_MAX);
  }
  if (text.substr(mark).find('-') != std::string_view::npos) exponent = -exponent;
  const auto places =
      static_cast<int64_t>(point) - static_cast<int64_t>(first);  // 1 = units, 0 and less = decimals
  return places + exponent <= 0;
}

}  // namespace

bool parse_decimal(std::string_view text, double& value) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec == std::errc::result_out_of_range && is_below_one(text)) {
    value = text[0] == '-' ? -0.0 : 0.0;
    return true;
  }
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && std::isfinite(value);
}

}  // namespace varve
