// The first byte of an integer page and the limits its encoder and decoder share; the bytes are drawn in
// int_page.h.
#pragma once

#include <bit>
#include <cstddef>

namespace varve {

constexpr unsigned kPredictorMask = 7, kScaledFlag = 8, kPatchedFlag = 16, kFractionFlag = 32, kKindMask = 63;
constexpr size_t kDictionaryMax = 256;  // distinct values: one byte of index

// Width of a position in a page of n values.
inline unsigned position_bits(size_t n) {
  return static_cast<unsigned>(std::bit_width(n - 1));
}

}  // namespace varve
