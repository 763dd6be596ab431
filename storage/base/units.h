// Text forms of durations and byte sizes, as in the configuration.
//   duration: "0", or number + ns us ms s m h d w, e.g. "500ms", "60s", "1d"; result in ns, never negative
//   bytes:    number + nothing, KB MB GB (1000) or KiB MiB GiB (1024), e.g. "512MiB"
// Errors: kInvalidArgument naming the text and what is accepted.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/error.h"

namespace varve {

Result<int64_t> parse_duration(std::string_view text);
Result<uint64_t> parse_bytes(std::string_view text);
std::string format_duration(int64_t ns);   // the largest unit that divides it: "60s" -> "1m"
std::string format_bytes(uint64_t bytes);  // for people: "12.3 MiB"

}  // namespace varve
