// JSON written straight into a reused string: the generators make a million messages a second, without
// allocating. Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace varve {

// The text in quotes, escaped; bytes that are not UTF-8 are passed on as they are.
void append_raw_json_string(std::string& out, std::string_view text);

// A decimal number with `decimals` digits behind the point: (-1234, 3) is -1.234.
void append_fixed_point(std::string& out, int64_t scaled, int decimals);

}  // namespace varve
