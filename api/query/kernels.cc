#include "api/query/kernels.h"

#include "storage/codec/target_clones.h"

namespace varve {
namespace {

constexpr size_t kLanes = 8;

template <class T>
VARVE_INLINE T lane_sum(const T* values, size_t n) {
  T lanes[kLanes] = {};  // independent sums: the loop is not bound by the latency of one addition
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += values[i + lane];
  }
  for (size_t lane = 0; i < n; ++i, ++lane) lanes[lane] += values[i];
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

template <bool is_max, class T>
VARVE_INLINE T extreme(const T* values, size_t n) {
  T lanes[2 * kLanes];
  for (T& lane : lanes) lane = values[0];
  const auto better = [](T a, T b) { return (is_max ? a > b : a < b) ? a : b; };
  size_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    for (size_t lane = 0; lane < 2 * kLanes; ++lane) lanes[lane] = better(values[i + lane], lanes[lane]);
  }
  for (; i < n; ++i) lanes[0] = better(values[i], lanes[0]);
  T best = lanes[0];
  for (const T lane : lanes) best = better(lane, best);
  return best;
}

}  // namespace

VARVE_TARGET_CLONES bool any_nan(const double* values, size_t n) {
  uint64_t found = 0;
  for (size_t i = 0; i < n; ++i) found |= values[i] != values[i] ? 1 : 0;
  return found != 0;
}

VARVE_TARGET_CLONES double sum_of(const double* values, size_t n) {
  return lane_sum(values, n);
}
VARVE_TARGET_CLONES static uint64_t wrapped_sum(const uint64_t* values, size_t n) {
  return lane_sum(values, n);
}
int64_t sum_of(const int64_t* values, size_t n) {
  return static_cast<int64_t>(wrapped_sum(reinterpret_cast<const uint64_t*>(values), n));
}

VARVE_TARGET_CLONES double min_of(const double* values, size_t n) {
  return extreme<false>(values, n);
}
VARVE_TARGET_CLONES double max_of(const double* values, size_t n) {
  return extreme<true>(values, n);
}
VARVE_TARGET_CLONES int64_t min_of(const int64_t* values, size_t n) {
  return extreme<false>(values, n);
}
VARVE_TARGET_CLONES int64_t max_of(const int64_t* values, size_t n) {
  return extreme<true>(values, n);
}

VARVE_TARGET_CLONES size_t count_set(const uint8_t* flags, size_t n) {
  size_t count = 0;
  for (size_t i = 0; i < n; ++i) count += flags[i];
  return count;
}

VARVE_TARGET_CLONES void mask_less(const double* values, size_t n, double right, uint8_t* out) {
  for (size_t i = 0; i < n; ++i) out[i] = values[i] < right ? 1 : 0;
}
VARVE_TARGET_CLONES void mask_less_equal(const double* values, size_t n, double right, uint8_t* out) {
  for (size_t i = 0; i < n; ++i) out[i] = values[i] <= right ? 1 : 0;
}
VARVE_TARGET_CLONES void mask_greater(const double* values, size_t n, double right, uint8_t* out) {
  for (size_t i = 0; i < n; ++i) out[i] = values[i] > right ? 1 : 0;
}
VARVE_TARGET_CLONES void mask_greater_equal(const double* values, size_t n, double right, uint8_t* out) {
  for (size_t i = 0; i < n; ++i) out[i] = values[i] >= right ? 1 : 0;
}

}  // namespace varve
