// Are two short texts the same? Inline, because names of columns have 4 to 20 bytes and are compared for every value
// that comes in: a call of memcmp() takes longer than the comparison (measured: 5 ns and 1).
// Threads: a pure function.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace varve {

// Of two places that have `bytes` bytes each.
inline bool same_bytes(const char* a, const char* b, size_t bytes) {
  const auto differs = [&]<class Word>(size_t at, Word) {
    Word of_a;
    Word of_b;
    std::memcpy(&of_a, a + at, sizeof(Word));
    std::memcpy(&of_b, b + at, sizeof(Word));
    return of_a != of_b;
  };
  // The last word may overlap the one before it.
  if (bytes >= sizeof(uint64_t)) {
    for (size_t at = 0; at + sizeof(uint64_t) < bytes; at += sizeof(uint64_t)) {
      if (differs(at, uint64_t{})) return false;
    }
    return !differs(bytes - sizeof(uint64_t), uint64_t{});
  }
  if (bytes >= sizeof(uint32_t))
    return !differs(0, uint32_t{}) && !differs(bytes - sizeof(uint32_t), uint32_t{});
  for (size_t at = 0; at < bytes; ++at) {
    if (a[at] != b[at]) return false;
  }
  return true;
}

inline bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() && same_bytes(a.data(), b.data(), a.size());
}

}  // namespace varve
