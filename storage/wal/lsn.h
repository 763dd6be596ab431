// Log sequence number: 1, 2, 3 ... one a record; 0 = before the first.
#pragma once

#include <cstdint>

namespace varve {

using Lsn = uint64_t;

}  // namespace varve
