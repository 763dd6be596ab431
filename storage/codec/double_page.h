// One page of 1..1024 doubles, bit for bit: NaN payloads, -0.0 and infinities come back as they were.
//
//   DECIMAL   u8 places 0..15 | varint exception count | if any: positions (packed, bits of n - 1),
//             integer page of the exceptions' ordered bits | integer page of digits, |digits| < 2^51
//             value = digits / 10^places; exceptions overwrite
//   ORDERED   u8 255 | integer page of ordered bits (sign-flipped IEEE-754: same order as the numbers)
//
// Decimals are decoded by division, which IEEE rounds correctly, so every decimal of up to 15 digits that
// fits 2^51 returns exactly. ALP multiplies by 10^f * 10^-e and misses 0.8% of consecutive decimals at 3, 4,
// 6 places; division costs half the unpack rate (7.5 against 14 Gvalues/s in L1), still above RAM speed.
// ORDERED on full-precision walks is smaller than ALP-RD (52.4 against 53.7 bits), so ALP-RD is not needed.
//
// Errors, bounds, threads: as int_page.h.
// Source:  Afroozeh et al., ALP, SIGMOD 2024, for decimals with exceptions; the division is our departure.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "storage/codec/int_page.h"

namespace varve {

constexpr unsigned kDecimalPlacesMax = 15;

// Returns the sum when every value is a decimal: added exactly as integers, rounded once.
std::optional<double> encode_double_page(std::span<const double> values, Effort effort, std::string& out);

Result<void> decode_double_page(std::span<const uint8_t> page, size_t n, double* out);
// The same at the reader, which stops behind the page; false on corruption.
bool decode_double_page(ByteReader& reader, size_t n, double* out);

}  // namespace varve
