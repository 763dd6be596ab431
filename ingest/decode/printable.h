// Text of unknown origin made fit for logs, JSON and string columns: valid UTF-8, cut to a length.
// Threads: pure function.
#pragma once

#include <string>
#include <string_view>

namespace varve {

// At most `bytes_max` bytes of valid UTF-8: bytes that are not UTF-8 become \xNN, and the cut is between
// characters.
std::string printable(std::string_view text, size_t bytes_max);

}  // namespace varve
