#include "api/query/text_value.h"

#include <charconv>
#include <cmath>

#include "storage/base/timestamp.h"

namespace varve {

namespace {

constexpr int kPlainDecimals = 4;
constexpr double kPlainScale = 10'000;
constexpr double kPlainScaledMax = 1e15;  // 15 digits: no two such decimals are the same double

// Readings are mostly short decimals. Such a number times 10^4 is whole, and dividing the whole number gives
// it back exactly; then its digits are the shortest text that reads back as the value. False: not such a
// number.
bool append_plain_decimal(std::string& out, double value) {
  const double scaled = std::nearbyint(value * kPlainScale);
  const bool plain = std::fabs(scaled) < kPlainScaledMax && scaled / kPlainScale == value;
  if (!plain || (value == 0 && std::signbit(value))) return false;
  const auto digits = static_cast<uint64_t>(std::fabs(scaled));
  const auto scale = static_cast<uint64_t>(kPlainScale);
  if (value < 0) out.push_back('-');
  append_int(out, static_cast<int64_t>(digits / scale));
  char fraction[1 + kPlainDecimals] = {'.'};
  uint64_t rest = digits % scale;
  for (int i = kPlainDecimals; i > 0; --i, rest /= 10) fraction[i] = static_cast<char>('0' + rest % 10);
  size_t length = sizeof(fraction);
  while (length > 2 && fraction[length - 1] == '0') --length;  // one digit stays: 7.0
  out.append(fraction, length);
  return true;
}

}  // namespace

void append_double(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "Inf" : "-Inf";
    return;
  }
  if (append_plain_decimal(out, value)) return;
  char text[40];
  const auto [end, failed] = std::to_chars(text, text + sizeof(text), value);
  const std::string_view written(text, static_cast<size_t>(end - text));
  out += written;
  if (written.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_int(std::string& out, int64_t value) {
  char text[24];
  const auto [end, failed] = std::to_chars(text, text + sizeof(text), value);
  out.append(text, static_cast<size_t>(end - text));
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
