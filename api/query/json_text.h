// JSON strings: quoted, escaped, always valid UTF-8 (a byte that is not becomes U+FFFD).
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace varve {

void append_json_string(std::string& out, std::string_view text);
void append_json_text(std::string& out, std::string_view text);  // without the quotes
bool is_plain_json(std::string_view text);                       // nothing in it is escaped

// Length in bytes and code point of the character at `at`; length 0 = not valid UTF-8 (overlong, surrogate, cut).
struct Utf8Character {
  size_t bytes = 0;
  uint32_t code_point = 0;
};
Utf8Character decode_utf8(std::string_view text, size_t at);

}  // namespace varve
