// Which bytes are text. RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace varve {

// Bytes of the well-formed character `text` begins with, 1 to 4; 0 when it begins with none.
size_t utf8_character_bytes(std::string_view text);

// The text with U+FFFD for every byte that belongs to no character.
std::string valid_utf8(std::string_view text);

}  // namespace varve
