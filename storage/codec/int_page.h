// One page of 1..1024 int64 values; every column type ends up here.
//
//   page        u8 kind: bits 0-2 predictor, bit 3 scaled, bit 4 patched, bit 5 fraction (GRID only), bits 6-7 zero
//   FOR 0       v = base + r                      width 0 = constant
//   DELTA 1     v[i] = v[i-1] + base + r[i]       r[0] = r[1], so that the head costs no width
//   GRID 2      v = base + ramp(i) + r            width 0 = constant interval; best for jittered clocks
//                                                 ramp(i) = step * i + floor(fraction * i / 1024)
//   DOD 3       second differences                very smooth data only
//     u8 width | if scaled: varint factor, zigzag origin (values are origin + factor * v)
//     zigzag base | DELTA: zigzag start, GRID: zigzag step, DOD: zigzag start, zigzag slope
//     if fraction: varint 1..1023 (else 0)
//     if patched: varint count, u8 patch width, positions (packed, bits of n - 1), patches (packed, zigzag r)
//     r, packed at `width` (bitpack.h)
//   RLE 4       varint runs | page of run values | page of run lengths - 1
//   DICT 5      varint size | page of distinct values, ascending | page of indices
//     Inner pages have predictors 0-3.
//   All varints LEB128. The predictor is chosen by size. Arithmetic is modulo 2^64, so any input is exact.
//
// Decode:  never reads outside `page`, never writes beyond n values. kCorruption when the bytes cannot be a page of
//          n values; flipped bits may also give other values, which is what checksums are for.
// Threads: pure functions.
// Source:  storage-format notes; FOR/DELTA/patches after Zukowski et al., PFOR, ICDE 2006; GRID is ours: on
//          independent jitter of deviation s it costs s, deltas 1.4 s, delta-of-delta 2.4 s.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "storage/base/bytes.h"
#include "storage/base/error.h"
#include "storage/codec/bitpack.h"

namespace varve {

// kFast estimates sizes from every 8th value (1-3 GB/s, +0.6% bits): memtable runs and flush.
// kExhaustive compares exact sizes and tries DOD: compaction.
enum class Effort { kFast, kExhaustive };

enum class IntPredictor : uint8_t { kFor = 0, kDelta = 1, kGrid = 2, kDod = 3, kRle = 4, kDict = 5 };

// Appends one page. 1 <= values.size() <= kVectorValues.
void encode_int_page(std::span<const int64_t> values, Effort effort, std::string& out);

// The whole span is one page of n values, 1 <= n <= kVectorValues.
Result<void> decode_int_page(std::span<const uint8_t> page, size_t n, int64_t* out);

// For pages that hold integer pages: decode one at the reader; false on corruption.
bool decode_int_page(ByteReader& reader, size_t n, int64_t* out);
// The same, giving double(value) / divisor; exact for |value| < 2^51, some double otherwise.
bool decode_int_page_divided(ByteReader& reader, size_t n, double divisor, double* out);

}  // namespace varve
