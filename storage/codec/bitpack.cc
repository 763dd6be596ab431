#include "storage/codec/bitpack.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "storage/base/check.h"
#include "storage/codec/loops.h"
#include "storage/codec/target_clones.h"

namespace varve {
namespace {

static_assert(std::endian::native == std::endian::little, "packed words are read and written as they lie");

// Words of a page lie at any byte address. (As a template argument such a type would lose its attributes.)
template <class T>
struct Packed;
template <>
struct Packed<uint32_t> {
  typedef uint32_t Word __attribute__((aligned(1), may_alias));
};
template <>
struct Packed<uint64_t> {
  typedef uint64_t Word __attribute__((aligned(1), may_alias));
};

// `out` must be a __restrict parameter here: captured by a lambda it loses the no-alias promise and g++ gives
// up on the 64-bit case (measured: 4-8x slower).
template <class T, class Out, class Transform>
VARVE_INLINE void unpack_rows(const uint8_t* bytes, unsigned width, Out* __restrict out, Transform f) {
  using Word = typename Packed<T>::Word;
  const Word* __restrict in = reinterpret_cast<const Word*>(bytes);
  constexpr unsigned kBits = sizeof(T) * 8, kLanes = kVectorValues / kBits;
  const T mask = static_cast<T>(low_bits(width));
  for (unsigned row = 0; row < kBits; ++row) {
    const unsigned bit = row * width, word = bit / kBits, shift = bit % kBits, up = kBits - 1 - shift;
    const Word* __restrict low = in + size_t{word} * kLanes;
    // A row that starts in the last word also ends there: its high part is masked off, so any word will do.
    const Word* __restrict high = word + 1 < width ? low + kLanes : low;
    Out* __restrict to = out + size_t{row} * kLanes;
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      to[lane] = f(static_cast<T>(((T{low[lane]} >> shift) | ((T{high[lane]} << 1) << up)) & mask));
    }
  }
}

template <class T>
VARVE_INLINE void pack_rows(const uint64_t* __restrict values, unsigned width, uint8_t* bytes) {
  using Word = typename Packed<T>::Word;
  Word* __restrict out = reinterpret_cast<Word*>(bytes);
  constexpr unsigned kBits = sizeof(T) * 8, kLanes = kVectorValues / kBits;
  T current[kLanes] = {};
  unsigned fill = 0;
  for (unsigned row = 0; row < kBits; ++row) {
    const uint64_t* __restrict from = values + size_t{row} * kLanes;
    for (unsigned lane = 0; lane < kLanes; ++lane) current[lane] |= static_cast<T>(T(from[lane]) << fill);
    fill += width;
    if (fill < kBits) continue;
    for (unsigned lane = 0; lane < kLanes; ++lane) out[lane] = current[lane];
    out += kLanes;
    fill -= kBits;
    const unsigned written = width - fill;  // bits of this row that fitted, 1..kBits
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      current[lane] = fill ? static_cast<T>((T(from[lane]) >> 1) >> (written - 1)) : T{0};
    }
  }
}

VARVE_TARGET_CLONES void unpack_vector_32(const uint8_t* in, unsigned width, uint64_t base, uint64_t* out) {
  unpack_rows<uint32_t>(in, width, out, [base](uint32_t v) { return uint64_t{v} + base; });
}
VARVE_TARGET_CLONES void unpack_vector_64(const uint8_t* in, unsigned width, uint64_t base, uint64_t* out) {
  unpack_rows<uint64_t>(in, width, out, [base](uint64_t v) { return v + base; });
}
VARVE_TARGET_CLONES void unpack_divide_32(const uint8_t* in, unsigned width, uint64_t base, double divisor,
                                          double* out) {
  unpack_rows<uint32_t>(in, width, out,
                        [=](uint32_t v) { return small_int_to_double(uint64_t{v} + base) / divisor; });
}
VARVE_TARGET_CLONES void unpack_divide_64(const uint8_t* in, unsigned width, uint64_t base, double divisor,
                                          double* out) {
  unpack_rows<uint64_t>(in, width, out, [=](uint64_t v) { return small_int_to_double(v + base) / divisor; });
}
VARVE_TARGET_CLONES void pack_vector_32(const uint64_t* values, unsigned width, uint8_t* out) {
  pack_rows<uint32_t>(values, width, out);
}
VARVE_TARGET_CLONES void pack_vector_64(const uint64_t* values, unsigned width, uint8_t* out) {
  pack_rows<uint64_t>(values, width, out);
}

uint64_t load64(const uint8_t* p) {
  uint64_t x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

// Needs 16 readable bytes from the byte where each value starts.
VARVE_INLINE void unpack_stream_fast(const uint8_t* in, size_t first_bit, size_t n, unsigned width,
                                     uint64_t base, uint64_t* out) {
  const uint64_t mask = low_bits(width);
  size_t bit = first_bit;
  if (width <= 57) {  // 57 = 64 - 7: value and its offset in the first byte fit one load
    for (size_t i = 0; i < n; ++i, bit += width) out[i] = ((load64(in + bit / 8) >> (bit % 8)) & mask) + base;
  } else {
    for (size_t i = 0; i < n; ++i, bit += width) {
      const unsigned shift = bit % 8;
      const uint64_t high = in[bit / 8 + 8];
      out[i] = (((load64(in + bit / 8) >> shift) | ((high << 1) << (63 - shift))) & mask) + base;
    }
  }
}

}  // namespace

void pack_stream(const uint64_t* values, size_t n, unsigned width, uint8_t* out) {
  if (width == 0) return;
  uint64_t pending = 0;  // bits not yet written, LSB first
  unsigned fill = 0;     // how many, 0..63
  for (size_t i = 0; i < n; ++i) {
    pending |= values[i] << fill;
    fill += width;
    if (fill < 64) continue;
    std::memcpy(out, &pending, 8);
    out += 8;
    fill -= 64;
    const unsigned written = width - fill;  // 1..64
    pending = fill ? (values[i] >> 1) >> (written - 1) : 0;
  }
  std::memcpy(out, &pending, (fill + 7) / 8);
}

void unpack_stream(const uint8_t* in, size_t n, unsigned width, uint64_t base, uint64_t* out) {
  constexpr size_t kReach = 9;  // bytes one value may touch
  if (width == 0) {
    std::fill_n(out, n, base);
    return;
  }
  const size_t bytes = stream_bytes(n, width);
  // Values starting at least kReach bytes before the end are read in place, the last few from a padded copy.
  size_t in_place = 0;
  if (bytes >= kReach) in_place = std::min(n, ((bytes - kReach) * 8 + 7) / width + 1);
  unpack_stream_fast(in, 0, in_place, width, base, out);
  if (in_place == n) return;
  const size_t first_byte = in_place * width / 8;
  uint8_t tail[32] = {};
  VARVE_DCHECK(bytes - first_byte + kReach <= sizeof tail);
  std::memcpy(tail, in + first_byte, bytes - first_byte);
  unpack_stream_fast(tail, in_place * width % 8, n - in_place, width, base, out + in_place);
}

void pack_bits(const uint64_t* values, size_t n, unsigned width, uint8_t* out) {
  VARVE_DCHECK(n <= kVectorValues && width <= kWidthMax);
  if (width == 0 || n == 0) return;
  if (n < kVectorValues) return pack_stream(values, n, width, out);
  width <= 32 ? pack_vector_32(values, width, out) : pack_vector_64(values, width, out);
}

void append_packed(const uint64_t* values, size_t n, unsigned width, std::string& out) {
  const size_t at = out.size();
  out.resize(at + packed_bytes(n, width));
  pack_bits(values, n, width, reinterpret_cast<uint8_t*>(out.data() + at));
}

void append_stream(const uint64_t* values, size_t n, unsigned width, std::string& out) {
  const size_t at = out.size();
  out.resize(at + stream_bytes(n, width));
  pack_stream(values, n, width, reinterpret_cast<uint8_t*>(out.data() + at));
}

void unpack_bits(const uint8_t* in, size_t n, unsigned width, uint64_t base, uint64_t* out) {
  VARVE_DCHECK(n <= kVectorValues && width <= kWidthMax);
  if (width == 0 || n < kVectorValues) {
    unpack_stream(in, n, width, base, out);
  } else {
    width <= 32 ? unpack_vector_32(in, width, base, out) : unpack_vector_64(in, width, base, out);
  }
}

void unpack_divide(const uint8_t* in, unsigned width, uint64_t base, double divisor, double* out) {
  VARVE_DCHECK(width <= kWidthMax);
  if (width == 0) {
    std::fill_n(out, kVectorValues, small_int_to_double(base) / divisor);
  } else {
    width <= 32 ? unpack_divide_32(in, width, base, divisor, out)
                : unpack_divide_64(in, width, base, divisor, out);
  }
}

}  // namespace varve
