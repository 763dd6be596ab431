// The known name nearest to a mistyped one, for "did you mean" hints.
// Distance: insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
// Threads: pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace varve {

// Empty when no candidate is within a third of the word's length (at least 1, at most 3 edits).
std::string nearest_name(std::string_view word, std::span<const std::string> candidates);

}  // namespace varve
