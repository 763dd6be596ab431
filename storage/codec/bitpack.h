// Bit-packing of up to 1024 unsigned values at one width of 0..64 bits.
//
// n == 1024, interleaved lanes (every offset in words of T = u32 for width <= 32, else u64; L = 1024 /
// bits(T)):
//
//     value i  = lane i % L, row i / L          lane l = LSB-first bit stream of its rows, in `width` words
//     word w of lane l sits at w * L + l        size = 128 * width bytes
//
// so every value of a row has the same shift, one row is one SIMD operation at any register width, and values
// come out in order. n < 1024: one plain LSB-first stream of ceil(n * width / 8) bytes.
//
// Bounds:  the caller checks that packed_bytes(n, width) bytes exist; nothing beyond them is read or written.
// Threads: pure functions.
// Source:  Afroozeh and Boncz, FastLanes, VLDB 2023, without its transposed order (we want rows in order).
//          One run-time width loop instead of 65 templates: 12-17 against 14-26 Gvalues/s, 1/20 of the code.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "storage/base/bytes.h"

namespace varve {

constexpr size_t kVectorValues = 1024;  // values of a full page: 8 KB decoded, a quarter of a 32 KB L1 cache
constexpr unsigned kWidthMax = 64;      // bits

constexpr size_t stream_bytes(size_t n, unsigned width) {
  return (n * width + 7) / 8;
}
constexpr size_t packed_bytes(size_t n, unsigned width) {
  return stream_bytes(n, width);
}
static_assert(packed_bytes(kVectorValues, 13) == 128 * 13, "lanes waste nothing");
constexpr uint64_t low_bits(unsigned width) {
  return width >= 64 ? ~uint64_t{0} : (uint64_t{1} << width) - 1;
}

// Writes exactly packed_bytes(n, width) bytes. Values must be below 2^width.
void pack_bits(const uint64_t* values, size_t n, unsigned width, uint8_t* out);

// out[i] = base + value[i], modulo 2^64.
void unpack_bits(const uint8_t* in, size_t n, unsigned width, uint64_t base, uint64_t* out);

// The plain stream for any n, also 1024: for short lists inside pages.
void pack_stream(const uint64_t* values, size_t n, unsigned width, uint8_t* out);
void unpack_stream(const uint8_t* in, size_t n, unsigned width, uint64_t base, uint64_t* out);

// The same two, appending to a page, and the bytes of one while reading a page (the reader remembers if they
// are not there).
void append_packed(const uint64_t* values, size_t n, unsigned width, std::string& out);
void append_stream(const uint64_t* values, size_t n, unsigned width, std::string& out);
inline const uint8_t* take_packed(ByteReader& reader, size_t bytes) {
  return reinterpret_cast<const uint8_t*>(reader.bytes(bytes).data());
}

// out[i] = double(int64(base + value[i])) / divisor, n == 1024 only; exact when |base + value| < 2^51.
void unpack_divide(const uint8_t* in, unsigned width, uint64_t base, double divisor, double* out);

}  // namespace varve
