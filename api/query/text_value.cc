#include "api/query/text_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "storage/base/timestamp.h"

namespace varve {

namespace {

constexpr double kPlainScale = 10'000;    // four decimals
constexpr double kPlainScaledMax = 1e15;  // 15 digits: no two such decimals are the same double

constexpr std::array<char, 200> kPairs = [] {  // "00", "01" ... "99"
  std::array<char, 200> pairs{};
  for (size_t i = 0; i < 100; ++i) {
    pairs[2 * i] = static_cast<char>('0' + i / 10);
    pairs[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return pairs;
}();

char* write_pair(char* to, uint64_t below_100) {
  std::memcpy(to, &kPairs[2 * below_100], 2);
  return to + 2;
}

// Readings are mostly short decimals. Such a number times 10^4 is whole, and dividing the whole number gives
// it back exactly; then its digits are the shortest text that reads back as the value. Null: not such a
// number.
char* write_plain_decimal(char* to, double value) {
  const double scaled = std::nearbyint(value * kPlainScale);
  const bool plain = std::fabs(scaled) < kPlainScaledMax && scaled / kPlainScale == value;
  if (!plain || (value == 0 && std::signbit(value))) return nullptr;
  const auto digits = static_cast<uint64_t>(std::fabs(scaled));
  const auto scale = static_cast<uint64_t>(kPlainScale);
  const uint64_t whole = digits / scale;
  const uint64_t fraction = digits % scale;
  if (value < 0) *to++ = '-';
  if (whole < 10) {
    *to++ = static_cast<char>('0' + whole);
  } else if (whole < 100) {
    to = write_pair(to, whole);
  } else {
    to = write_int(to, static_cast<int64_t>(whole));
  }
  *to++ = '.';
  to = write_pair(to, fraction / 100);
  if (fraction % 100 != 0) {
    to = write_pair(to, fraction % 100);
    return to[-1] == '0' ? to - 1 : to;
  }
  return to[-1] == '0' ? to - 1 : to;  // one digit stays: 7.0
}

char* write_text(char* to, std::string_view text) {
  return std::copy(text.begin(), text.end(), to);
}

}  // namespace

char* write_double(char* to, double value) {
  if (std::isnan(value)) return write_text(to, "NaN");
  if (std::isinf(value)) return write_text(to, value > 0 ? "Inf" : "-Inf");
  if (char* const end = write_plain_decimal(to, value)) return end;
  char* const end = std::to_chars(to, to + kNumberBytesMax, value).ptr;
  const std::string_view written(to, static_cast<size_t>(end - to));
  return written.find_first_of(".e") == std::string_view::npos ? write_text(end, ".0") : end;
}

char* write_int(char* to, int64_t value) {
  return std::to_chars(to, to + kNumberBytesMax, value).ptr;
}

void append_double(std::string& out, double value) {
  char text[kNumberBytesMax];
  out.append(text, static_cast<size_t>(write_double(text, value) - text));
}

void append_int(std::string& out, int64_t value) {
  char text[kNumberBytesMax];
  out.append(text, static_cast<size_t>(write_int(text, value) - text));
}

void append_text(std::string& out, SqlType type, const VectorView& view, size_t row) {
  const size_t i = view.entry(row);
  switch (view.type) {
    case FieldType::kDouble:
      return append_double(out, view.doubles[i]);
    case FieldType::kInt64:
      if (type == SqlType::kTimestamp) return append_timestamp(out, view.ints[i]);
      return append_int(out, view.ints[i]);
    case FieldType::kBool:
      out += view.bools[i] != 0 ? "true" : "false";
      return;
    case FieldType::kString:
      out += view.string(row);
      return;
  }
}

}  // namespace varve
