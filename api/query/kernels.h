// The inner loops of queries: plain, vectorisable, built per instruction set (storage/codec/target_clones.h).
// Sums have one order of additions whatever the instruction set: eight lanes, then the lanes.
// Threads: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>

namespace varve {

bool any_nan(const double* values, size_t n);
double sum_of(const double* values, size_t n);
int64_t sum_of(const int64_t* values, size_t n);   // modulo 2^64: for values whose sums cannot overflow
double min_of(const double* values, size_t n);     // n >= 1, none is NaN
double max_of(const double* values, size_t n);     // the same
int64_t min_of(const int64_t* values, size_t n);   // n >= 1
int64_t max_of(const int64_t* values, size_t n);   // n >= 1
size_t count_set(const uint8_t* flags, size_t n);  // flags of 0 and 1

// out[i] = values[i] OP right ? 1 : 0
void mask_less(const double* values, size_t n, double right, uint8_t* out);
void mask_less_equal(const double* values, size_t n, double right, uint8_t* out);
void mask_greater(const double* values, size_t n, double right, uint8_t* out);
void mask_greater_equal(const double* values, size_t n, double right, uint8_t* out);

}  // namespace varve
