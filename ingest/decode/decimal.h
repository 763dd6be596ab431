// Decimal text to double, for the cases that a fast path leaves over.
// Threads: pure function.
#pragma once

#include <string_view>

namespace varve {

// `text`: -digits.digits with an optional exponent, already checked. Rounds to nearest; what is too small to
// tell from zero is zero. False when it is too large for a double.
bool parse_decimal(std::string_view text, double& value);

}  // namespace varve
