#include "ingest/decode/big_decimal.h"

#include <algorithm>

namespace varve {
namespace {

__extension__ using Wide = unsigned __int128;

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

}  // namespace

std::optional<std::string> decimal_text(std::string_view bytes, int64_t scale) {
  if (bytes.empty() || bytes.size() > kDecimalBytesMax || scale < 0 || scale > kDecimalScaleMax) {
    return std::nullopt;
  }
  const bool negative = (static_cast<unsigned char>(bytes[0]) & 0x80U) != 0;
  Wide magnitude = negative ? ~Wide{0} : Wide{0};
  for (const char c : bytes) magnitude = (magnitude << 8U) | static_cast<unsigned char>(c);
  if (negative) magnitude = ~magnitude + 1;
  std::string text;  // backwards
  const auto places = static_cast<size_t>(scale);
  while (magnitude != 0 || text.size() <= places) {
    text.push_back(static_cast<char>('0' + static_cast<int>(magnitude % 10)));
    magnitude /= 10;
  }
  if (places > 0) text.insert(places, 1, '.');
  if (negative) text.push_back('-');
  std::reverse(text.begin(), text.end());
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 6U) | static_cast<uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<char>((bits >> static_cast<unsigned>(count)) & 0xFFU));
  }
  return bytes;
}

std::string to_base64(std::string_view bytes) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i) {
      bits = (bits << 8U) | (at + i < bytes.size() ? static_cast<uint8_t>(bytes[at + i]) : 0U);
    }
    for (size_t i = 0; i < 4; ++i) {
      const bool padded = at + i > bytes.size();
      text += padded ? '=' : kDigits[(bits >> (18U - 6U * i)) & 63U];
    }
  }
  return text;
}

}  // namespace varve
