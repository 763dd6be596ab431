// Decimals as Avro and Kafka Connect carry them: an integer in big-endian two's complement, and a scale, the number of
// its digits behind the point. Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace varve {

constexpr size_t kDecimalBytesMax = 16;  // 38 digits, as SQL databases have
constexpr int kDecimalScaleMax = 100;    // guessed: beyond any that a double tells from 0

// "-12.50"; nothing when there are no bytes, or more than kDecimalBytesMax, or the scale is out of range.
std::optional<std::string> decimal_text(std::string_view bytes, int64_t scale);

// Standard base64 (RFC 4648, 4), padded; nothing when it is not.
std::optional<std::string> from_base64(std::string_view text);
std::string to_base64(std::string_view bytes);

}  // namespace varve
