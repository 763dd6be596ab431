// Text as a terminal may show it, and how many of its columns that takes: control characters and bytes that are not
// UTF-8 as escapes, so that no value steers the terminal; what is wider than allowed is cut and ends in an ellipsis.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace varve {

struct DisplayText {
  std::string text;
  size_t width = 0;  // columns of the terminal
};

DisplayText display_text(std::string_view text, size_t width_max);

}  // namespace varve
