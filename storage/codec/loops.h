// The inner loops of the page codecs other than bit-packing: plain, vectorisable, built per instruction set.
// All integer arithmetic is modulo 2^64; every array has n <= 1024 elements unless said otherwise.
// Threads: pure functions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "storage/codec/target_clones.h"

namespace varve {

// Exact for |int64(v)| < 2^51, on any instruction set: the integer is placed in the mantissa of 1.5 * 2^52.
constexpr uint64_t kMantissaBits = 0x4338000000000000;
constexpr double kMantissaDouble = 0x1.8p52;
VARVE_INLINE double small_int_to_double(uint64_t v) {
  return std::bit_cast<double>(v + kMantissaBits) - kMantissaDouble;
}

struct MinMax {
  int64_t min, max;
};
MinMax min_max(const int64_t* values, size_t n);  // n >= 1

// A straight line through a page: step * i + floor(fraction * i / 1024), fraction < 1024.
struct Ramp {
  uint64_t step = 0;
  uint64_t fraction = 0;
};
constexpr unsigned kRampShift = 10;

// Counts of how many bits values need. above_min[w]: value - min needs w bits. around_mid[w]: value - mid as
// a signed number needs w bits (0 for equal). With `sampled`, one value of every 8 is counted, at changing
// places so that a period of 2, 4 or 8 rows cannot hide.
struct WidthHistogram {
  uint32_t above_min[66] = {};
  uint32_t around_mid[66] = {};
  uint32_t counted = 0;
};
void count_widths(const int64_t* values, size_t n, bool sampled, int64_t min, int64_t mid,
                  WidthHistogram& histogram);

// Smallest and largest value inside [base, base + 2^width - 1]; at least one must lie there; width < 64.
MinMax min_max_inside(const int64_t* values, size_t n, int64_t base, unsigned width);

// How many values lie outside [base, base + 2^width), width < 64.
size_t count_outside(const int64_t* values, size_t n, int64_t base, unsigned width);

uint64_t sum(const int64_t* values, size_t n);
bool is_line(const int64_t* values, size_t n);  // n >= 2: all at the distance of the first two
void fill_line(uint64_t* out, size_t n, uint64_t start, uint64_t step);
// out[i] = (values[i] - values[0]) / factor, the difference as a signed number; false when one is no multiple of it
// or is INT64_MIN. 1 < factor < 2^63.
bool divide_differences(const int64_t* values, size_t n, uint64_t factor, int64_t* out);

void deltas(const int64_t* values, size_t n, int64_t* out);                    // n >= 2; out[0] = out[1]
void second_deltas(const int64_t* values, size_t n, int64_t* out);             // n >= 3; out[0..1] = out[2]
void subtract_ramp(const int64_t* values, size_t n, Ramp ramp, int64_t* out);  // values[i] - ramp(i)
void add_ramp(uint64_t* values, size_t n, Ramp ramp);
void prefix_sum(uint64_t* values, size_t n, uint64_t start);  // inclusive, out[0] = start + values[0]
void scale(uint64_t* values, size_t n, uint64_t origin, uint64_t factor);  // origin + values[i] * factor
void residuals(const int64_t* values, size_t n, uint64_t base, uint64_t mask, uint64_t* out);
void divide_small_ints(const int64_t* values, size_t n, double divisor, double* out);  // |values| < 2^51
size_t count_runs(const int64_t* values, size_t n);                                    // n >= 1

// Decimal test: digits[i] = round(values[i] * power) where that returns to the very same bits by division and
// |digits| < 2^51; elsewhere digits[i] = 0 and exact[i] = 0. Returns the number of inexact values.
size_t to_decimals(const double* values, size_t n, double power, int64_t* digits, uint8_t* exact);

// IEEE-754 bits as integers of the same order (negative numbers reversed), and back.
void ordered_from_doubles(const double* values, size_t n, int64_t* out);
void doubles_from_ordered(const int64_t* values, size_t n, double* out);

}  // namespace varve
