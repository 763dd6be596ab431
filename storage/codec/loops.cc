#include "storage/codec/loops.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#ifndef VARVE_CODEC_ONLY
#define VARVE_CODEC_ONLY 0  // every set
#endif

namespace varve {
namespace {

VARVE_INLINE unsigned bit_width64(uint64_t x) {
  return 64 - static_cast<unsigned>(std::countl_zero(x));
}
VARVE_INLINE uint64_t u(int64_t v) {
  return static_cast<uint64_t>(v);
}
VARVE_INLINE int64_t s(uint64_t v) {
  return static_cast<int64_t>(v);
}

// Prefix sums: 3.9 Gvalues/s scalar, 6.4 in AVX2 and 10 in AVX-512 registers. The carry between registers
// must not pass through the shuffles of the scan, or it is slower than scalar: it adds each register's own
// total.
#if VARVE_HAS_TARGET_CLONES
typedef uint64_t Lanes8 __attribute__((vector_size(64)));

__attribute__((target("arch=x86-64-v4"))) void prefix_sum_for_machine(uint64_t* values, size_t n,
                                                                      uint64_t start) {
  const Lanes8 zero = {};
  Lanes8 carry = zero + start;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    Lanes8 x;
    std::memcpy(&x, values + i, sizeof x);
    x += __builtin_shuffle(zero, x, Lanes8{0, 8, 9, 10, 11, 12, 13, 14});
    x += __builtin_shuffle(zero, x, Lanes8{0, 0, 8, 9, 10, 11, 12, 13});
    x += __builtin_shuffle(zero, x, Lanes8{0, 0, 0, 0, 8, 9, 10, 11});
    const Lanes8 sums = x + carry;
    std::memcpy(values + i, &sums, sizeof sums);
    carry += __builtin_shuffle(x, Lanes8{7, 7, 7, 7, 7, 7, 7, 7});
  }
  for (start = carry[0]; i < n; ++i) values[i] = start += values[i];
}
#endif
#if VARVE_HAS_TARGET_CLONES || VARVE_CODEC_ONLY == 3
typedef uint64_t Lanes4 __attribute__((vector_size(32)));

__attribute__((target("arch=x86-64-v3"))) void prefix_sum_for_machine(uint64_t* values, size_t n,
                                                                      uint64_t start) {
  const Lanes4 zero = {};
  Lanes4 carry = zero + start;
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    Lanes4 x;
    std::memcpy(&x, values + i, sizeof x);
    x += __builtin_shuffle(zero, x, Lanes4{0, 4, 5, 6});
    x += __builtin_shuffle(zero, x, Lanes4{0, 0, 4, 5});
    const Lanes4 sums = x + carry;
    std::memcpy(values + i, &sums, sizeof sums);
    carry += __builtin_shuffle(x, Lanes4{3, 3, 3, 3});
  }
  for (start = carry[0]; i < n; ++i) values[i] = start += values[i];
}
#endif
#if VARVE_HAS_TARGET_CLONES
__attribute__((target("default")))
#endif
#if VARVE_CODEC_ONLY != 3
void prefix_sum_for_machine(uint64_t* values, size_t n, uint64_t start) {
  for (size_t i = 0; i < n; ++i) values[i] = start += values[i];
}
#endif

}  // namespace

VARVE_TARGET_CLONES MinMax min_max(const int64_t* values, size_t n) {
  int64_t low = values[0], high = values[0];
  for (size_t i = 1; i < n; ++i) {
    low = values[i] < low ? values[i] : low;
    high = values[i] > high ? values[i] : high;
  }
  return {low, high};
}

VARVE_TARGET_CLONES void count_widths(const int64_t* values, size_t n, bool sampled, int64_t min, int64_t mid,
                                      WidthHistogram& histogram) {
  const auto count = [&](int64_t value) {
    const uint64_t distance = u(value) - u(mid);
    const uint64_t magnitude = distance ^ u(s(distance) >> 63);
    ++histogram.above_min[bit_width64(u(value) - u(min))];
    ++histogram.around_mid[distance == 0 ? 0 : bit_width64(magnitude) + 1];
    ++histogram.counted;
  };
  if (sampled) {
    for (size_t group = 0; group + 8 <= n; group += 8) count(values[group + (group / 8 * 5 + 3) % 8]);
  } else {
    for (size_t i = 0; i < n; ++i) count(values[i]);
  }
}

// Both mask instead of comparing unsigned numbers, which AVX2 cannot.
VARVE_TARGET_CLONES MinMax min_max_inside(const int64_t* values, size_t n, int64_t base, unsigned width) {
  const uint64_t outside = ~((uint64_t{1} << width) - 1);
  int64_t low = INT64_MAX, high = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint64_t distance = u(values[i]) - u(base);
    const int64_t for_low = (distance & outside) == 0 ? s(distance) : INT64_MAX;
    const int64_t for_high = (distance & outside) == 0 ? s(distance) : 0;
    low = for_low < low ? for_low : low;
    high = for_high > high ? for_high : high;
  }
  return {s(u(base) + u(low)), s(u(base) + u(high))};
}

VARVE_TARGET_CLONES size_t count_outside(const int64_t* values, size_t n, int64_t base, unsigned width) {
  const uint64_t outside = ~((uint64_t{1} << width) - 1);
  uint64_t count = 0;
  for (size_t i = 0; i < n; ++i) count += ((u(values[i]) - u(base)) & outside) != 0 ? 1 : 0;
  return count;
}

VARVE_TARGET_CLONES uint64_t sum(const int64_t* values, size_t n) {
  uint64_t total = 0;
  for (size_t i = 0; i < n; ++i) total += u(values[i]);
  return total;
}

VARVE_TARGET_CLONES bool is_line(const int64_t* values, size_t n) {
  const uint64_t step = u(values[1]) - u(values[0]);
  uint64_t different = 0;
  for (size_t i = 1; i < n; ++i) different |= (u(values[i]) - u(values[i - 1])) ^ step;
  return different == 0;
}

VARVE_TARGET_CLONES void fill_line(uint64_t* out, size_t n, uint64_t start, uint64_t step) {
  // By addition: 64-bit multiplication is slow below AVX-512.
  for (size_t i = 0; i < n; ++i, start += step) out[i] = start;
}

// Exact division by factor = odd * 2^zeros: shift, then multiply by the inverse of `odd` modulo 2^64. The product is
// the quotient exactly when it is no larger than a quotient can be.
VARVE_TARGET_CLONES bool divide_differences(const int64_t* values, size_t n, uint64_t factor,
                                            int64_t* __restrict out) {
  const auto zeros = static_cast<unsigned>(std::countr_zero(factor));
  const uint64_t odd = factor >> zeros, below = (uint64_t{1} << zeros) - 1;
  uint64_t inverse = odd;  // right in 3 bits; each step doubles them
  for (int bits = 3; bits < 64; bits *= 2) inverse *= 2 - odd * inverse;
  const uint64_t largest = odd == 1 ? u(INT64_MAX) : (uint64_t{1} << 63) / odd;
  const int64_t first = values[0];
  uint64_t inexact = 0;
  for (size_t i = 0; i < n; ++i) {
    const int64_t difference = s(u(values[i]) - u(first));
    const uint64_t quotient = u(difference >> zeros) * inverse;
    inexact |= u(difference) & below;
    inexact |= quotient + largest > 2 * largest ? 1 : 0;
    out[i] = s(quotient);
  }
  return inexact == 0;
}

VARVE_TARGET_CLONES void deltas(const int64_t* values, size_t n, int64_t* __restrict out) {
  for (size_t i = 1; i < n; ++i) out[i] = s(u(values[i]) - u(values[i - 1]));
  out[0] = out[1];
}

VARVE_TARGET_CLONES void second_deltas(const int64_t* values, size_t n, int64_t* __restrict out) {
  for (size_t i = 2; i < n; ++i) out[i] = s(u(values[i]) - 2 * u(values[i - 1]) + u(values[i - 2]));
  out[0] = out[1] = out[2];
}

VARVE_TARGET_CLONES void subtract_ramp(const int64_t* values, size_t n, Ramp ramp, int64_t* __restrict out) {
  if (ramp.fraction == 0) {
    for (size_t i = 0; i < n; ++i) out[i] = s(u(values[i]) - ramp.step * i);
    return;
  }
  for (size_t i = 0; i < n; ++i) {
    out[i] = s(u(values[i]) - (ramp.step * i + ((ramp.fraction * i) >> kRampShift)));
  }
}

VARVE_TARGET_CLONES void add_ramp(uint64_t* values, size_t n, Ramp ramp) {
  if (ramp.fraction == 0) {
    for (size_t i = 0; i < n; ++i) values[i] += ramp.step * i;
    return;
  }
  for (size_t i = 0; i < n; ++i) values[i] += ramp.step * i + ((ramp.fraction * i) >> kRampShift);
}

void prefix_sum(uint64_t* values, size_t n, uint64_t start) {
  prefix_sum_for_machine(values, n, start);
}

VARVE_TARGET_CLONES void scale(uint64_t* values, size_t n, uint64_t origin, uint64_t factor) {
  for (size_t i = 0; i < n; ++i) values[i] = origin + values[i] * factor;
}

VARVE_TARGET_CLONES void residuals(const int64_t* values, size_t n, uint64_t base, uint64_t mask,
                                   uint64_t* __restrict out) {
  for (size_t i = 0; i < n; ++i) out[i] = (u(values[i]) - base) & mask;
}

VARVE_TARGET_CLONES void divide_small_ints(const int64_t* values, size_t n, double divisor,
                                           double* __restrict out) {
  for (size_t i = 0; i < n; ++i) out[i] = small_int_to_double(u(values[i])) / divisor;
}

VARVE_TARGET_CLONES size_t count_runs(const int64_t* values, size_t n) {
  size_t runs = 1;
  for (size_t i = 1; i < n; ++i) runs += values[i] != values[i - 1];
  return runs;
}

VARVE_TARGET_CLONES size_t to_decimals(const double* values, size_t n, double power,
                                       int64_t* __restrict digits, uint8_t* __restrict exact) {
  constexpr double kLimit = 0x1p51;
  uint64_t inexact = 0;
  for (size_t i = 0; i < n; ++i) {
    const double scaled = values[i] * power;
    const double rounded = (scaled + kMantissaDouble) - kMantissaDouble;  // to nearest, for |scaled| < 2^51
    // `&` and not `&&`: without a branch the loop vectorises.
    const bool same = (std::bit_cast<uint64_t>(rounded / power) == std::bit_cast<uint64_t>(values[i])) &
                      (std::fabs(rounded) < kLimit) & (std::fabs(scaled) < kLimit);
    digits[i] = s(std::bit_cast<uint64_t>((same ? rounded : 0.0) + kMantissaDouble) - kMantissaBits);
    exact[i] = same;
    inexact += !same;
  }
  return inexact;
}

VARVE_TARGET_CLONES void ordered_from_doubles(const double* values, size_t n, int64_t* __restrict out) {
  for (size_t i = 0; i < n; ++i) {
    const int64_t bits = std::bit_cast<int64_t>(values[i]);
    out[i] = bits ^ s(u(bits >> 63) >> 1);
  }
}

VARVE_TARGET_CLONES void doubles_from_ordered(const int64_t* values, size_t n, double* __restrict out) {
  for (size_t i = 0; i < n; ++i) out[i] = std::bit_cast<double>(values[i] ^ s(u(values[i] >> 63) >> 1));
}

}  // namespace varve
