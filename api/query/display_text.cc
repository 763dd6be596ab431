#include "api/query/display_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "api/query/json_text.h"

namespace varve {
namespace {

struct Range {
  uint32_t from;
  uint32_t to;
};

// Rough but enough to keep columns straight: marks that take no place, and characters that take two
// (Unicode 15, East Asian Width W and F, joined where gaps are unassigned).
constexpr Range kZeroWidth[] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
                                {0x64b, 0x65f},   {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064},
                                {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}};
constexpr Range kDoubleWidth[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
                                  {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
                                  {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
                                  {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

template <size_t N>
bool in_ranges(const Range (&ranges)[N], uint32_t code_point) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const Range& range) { return code_point >= range.from && code_point <= range.to; });
}

}  // namespace

DisplayText display_text(std::string_view text, size_t width_max) {
  DisplayText cell;
  const auto escape = [&](std::string_view shown) {
    cell.text += shown;
    cell.width += shown.size();
  };
  for (size_t at = 0; at < text.size();) {
    if (cell.width >= width_max || cell.text.size() >= 4 * width_max) {
      cell.text += "\xe2\x80\xa6";  // ellipsis
      ++cell.width;
      break;
    }
    const Utf8Character character = decode_utf8(text, at);
    const auto byte = static_cast<unsigned char>(text[at]);
    if (character.bytes == 0 || byte < 0x20 || byte == 0x7f ||
        (character.code_point >= 0x80 && character.code_point < 0xa0)) {
      escape(byte == '\n'   ? "\\n"
             : byte == '\t' ? "\\t"
             : byte == '\r' ? "\\r"
                            : fmt::format("\\x{:02x}", byte));
      at += std::max<size_t>(character.bytes, 1);
      continue;
    }
    cell.text += text.substr(at, character.bytes);
    if (in_ranges(kDoubleWidth, character.code_point)) {
      cell.width += 2;
    } else if (!in_ranges(kZeroWidth, character.code_point)) {
      cell.width += 1;
    }
    at += character.bytes;
  }
  return cell;
}

}  // namespace varve
