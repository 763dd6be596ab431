// XXH3 checksums. A seed ties bytes to their place, so that a block found elsewhere does not verify.
// Threads: pure functions.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace varve {

uint64_t checksum64(std::string_view bytes, uint64_t seed = 0);

// Wide enough to stand for the bytes: two different ones share it as good as never.
struct Hash128 {
  uint64_t low = 0, high = 0;
  auto operator<=>(const Hash128&) const = default;
};
Hash128 hash128(std::string_view bytes, uint64_t seed = 0);

}  // namespace varve
