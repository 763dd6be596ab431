#include "ingest/decode/printable.h"

#include <fmt/format.h>

#include <algorithm>

#include "storage/base/utf8.h"

namespace varve {
std::string printable(std::string_view text, size_t bytes_max) {
  std::string out;
  out.reserve(std::min(text.size(), bytes_max));
  for (size_t at = 0; at < text.size();) {
    const size_t length = utf8_character_bytes(text.substr(at));
    if (out.size() + (length == 0 ? 4 : length) > bytes_max) break;
    if (length == 0) {
      out += fmt::format("\\x{:02X}", static_cast<unsigned char>(text[at++]));
    } else {
      out.append(text.substr(at, length));
      at += length;
    }
  }
  return out;
}

}  // namespace varve
