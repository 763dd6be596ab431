#include "storage/codec/int_window.h"

#include <algorithm>

#include "storage/codec/int_page_kind.h"
#include "storage/codec/loops.h"

namespace varve {
namespace {

constexpr size_t kEstimateValuesMin = 128;  // below this the exact histogram is as cheap as the estimate
constexpr double kEstimateGain = 0.98;  // patches for less are not worth the exact pass, nor their decoding
// Rows of packed series repeat with small periods; a prime stride keeps a sample from seeing one phase only.
constexpr size_t kSampleStride = 389;
constexpr double kPatchHeaderBits = 24;
constexpr double kNeverBits = 1e18;

uint64_t u(int64_t v) {
  return static_cast<uint64_t>(v);
}
int64_t s(uint64_t v) {
  return static_cast<int64_t>(v);
}

double patch_bits(size_t n, unsigned full_width) {
  return position_bits(n) + std::min(kWidthMax, full_width + 1);
}

int64_t window_base(int64_t anchor, bool around, unsigned width) {
  return around && width > 0 ? s(u(anchor) - (uint64_t{1} << (width - 1))) : anchor;
}

// The cheapest width by histogram, for a window starting at the minimum or around a middle value.
void narrow(const WidthHistogram& histogram, size_t n, int64_t min, int64_t mid, Window& best) {
  const unsigned full = best.full_width;
  const double per_count = static_cast<double>(n) / histogram.counted;
  const double each = patch_bits(n, full);
  for (const bool around : {false, true}) {
    const uint32_t* need = around ? histogram.around_mid : histogram.above_min;
    uint32_t outside = 0;
    for (unsigned width = full; width < 66; ++width) outside += need[width];
    // Here `outside` = values that need more than `width` bits.
    for (unsigned width = full; width-- > 0; outside += need[width]) {
      if (outside == histogram.counted) break;
      const double patches = outside ? outside * per_count : (per_count > 1 ? 1 : 0);
      const double bits =
          static_cast<double>(n) * width + (patches > 0 ? kPatchHeaderBits + patches * each : 0);
      if (bits >= best.bits) continue;
      best.anchor = around ? mid : min;
      best.around = around;
      best.base = window_base(best.anchor, around, width);
      best.width = width;
      best.patched = true;
      best.bits = bits;
    }
  }
}

// A value near the middle of the residuals, from a sample.
int64_t middle(const int64_t* residual, size_t n, size_t count) {
  int64_t sample[32];
  for (size_t i = 0, at = n / 2; i < count; ++i, at = (at + kSampleStride) % n) sample[i] = residual[at];
  std::nth_element(sample, sample + count / 2, sample + count);
  return sample[count / 2];
}

// A window laid around a guess: what lies inside may need a bit less.
void tighten(const int64_t* residual, size_t n, Window& window) {
  const MinMax inside = min_max_inside(residual, n, window.base, window.width);
  const auto width = static_cast<unsigned>(std::bit_width(u(inside.max) - u(inside.min)));
  if (width >= window.width) return;
  window.bits -= static_cast<double>(n) * (window.width - width);
  window.base = inside.min;
  window.width = width;
}

// `window` with its size over all residuals.
Window measured(const int64_t* residual, size_t n, Window window) {
  const size_t outside = count_outside(residual, n, window.base, window.width);
  window.bits = static_cast<double>(n) * window.width;
  if (outside)
    window.bits += kPatchHeaderBits + static_cast<double>(outside) * patch_bits(n, window.full_width);
  if (outside == n) window.bits = kNeverBits;  // nothing to pack
  return window;
}

// The base was a guess too: moves it by quarters of the window and less while that leaves fewer outside.
void slide(const int64_t* residual, size_t n, Window& window) {
  for (unsigned part = 2; part <= 4 && part <= window.width + 1; ++part) {
    const uint64_t step = window.width >= part ? uint64_t{1} << (window.width - part) : 1;
    for (const uint64_t move : {step, 0 - step}) {
      Window moved = window;
      moved.base = s(u(window.base) + move);
      moved = measured(residual, n, moved);
      if (moved.bits >= window.bits) continue;
      window = moved;
      break;
    }
  }
}

// Moved and narrowed while that makes the page smaller.
void improve(const int64_t* residual, size_t n, Window& window) {
  if (window.patched) slide(residual, n, window);
  while (window.width > 0) {
    Window next = window;
    --next.width;
    if (next.width > 0) next.base = s(u(next.base) + (uint64_t{1} << (next.width - 1)));  // the middle half
    next = measured(residual, n, next);
    next.patched = true;
    slide(residual, n, next);
    if (next.bits >= window.bits) break;
    window = next;
  }
  if (window.patched) tighten(residual, n, window);
}

Window whole_window(const int64_t* residual, size_t n) {
  const MinMax range = min_max(residual, n);
  Window whole;
  whole.base = range.min;
  whole.width = whole.full_width = static_cast<unsigned>(std::bit_width(u(range.max) - u(range.min)));
  whole.bits = static_cast<double>(n) * whole.width;
  return whole;
}

}  // namespace

Window exact_window(const int64_t* residual, size_t n) {
  Window best = whole_window(residual, n);
  if (best.width <= 1 || n < 4) return best;
  const int64_t min = best.base, mid = middle(residual, n, 32);
  WidthHistogram histogram;
  count_widths(residual, n, false, min, mid, histogram);
  narrow(histogram, n, min, mid, best);
  improve(residual, n, best);
  return best;
}

Window estimated_window(const int64_t* residual, size_t n) {
  if (n < kEstimateValuesMin) return exact_window(residual, n);
  const Window whole = whole_window(residual, n);
  if (whole.width <= 1) return whole;
  const int64_t min = whole.base, mid = middle(residual, n, 9);
  WidthHistogram histogram;
  count_widths(residual, n, true, min, mid, histogram);
  Window best = whole;
  narrow(histogram, n, min, mid, best);
  return best.bits > kEstimateGain * whole.bits ? whole : best;
}

Window fit_window(const int64_t* residual, size_t n, const Window& estimate) {
  const auto at_width = [&](unsigned width) {
    Window window = estimate;
    window.width = width;
    window.base = window_base(window.anchor, window.around, width);
    return measured(residual, n, window);
  };
  Window best = at_width(estimate.width);
  const auto climb = [&](unsigned step) {  // 1, or -1 modulo 2^32
    const unsigned start = best.width;
    while (best.width + step < estimate.full_width) {
      const Window next = at_width(best.width + step);
      if (next.bits >= best.bits) break;
      best = next;
    }
    return best.width != start;
  };
  if (!climb(1)) climb(~0U);
  slide(residual, n, best);
  if (best.bits < kNeverBits) tighten(residual, n, best);
  return best;
}

}  // namespace varve
