// XXH3-64 checksums. A seed ties bytes to their place, so that a block found elsewhere does not verify.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string_view>

namespace varve {

uint64_t checksum64(std::string_view bytes, uint64_t seed = 0);

}  // namespace varve
