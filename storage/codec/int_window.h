// The window of an integer page: residuals in [base, base + 2^width) are packed, the others become patches.
// Exact: by histogram of the bits each residual needs. Estimated: the same from one residual of every 8, to compare
// predictors; the winner's window is then fitted to all residuals. Threads: pure functions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "storage/codec/bitpack.h"

namespace varve {

struct Window {
  int64_t base = 0;
  unsigned width = kWidthMax;
  bool patched = false;
  double bits = 1e18;  // size of residuals and patches
  // How it was found, for fit_window(): windows of any width start at `anchor`, or lie around it.
  int64_t anchor = 0;
  bool around = false;
  unsigned full_width = kWidthMax;  // of a window that holds every residual
};

// n >= 1.
Window exact_window(const int64_t* residual, size_t n);
Window estimated_window(const int64_t* residual, size_t n);
// The width next to a patched estimate's whose size over all residuals is smallest, at its exact size.
Window fit_window(const int64_t* residual, size_t n, const Window& estimate);

}  // namespace varve
