// Assertions about our own code.
// VARVE_CHECK is on in every build: a false condition is a bug of ours, never a fault of the world
// (bad input, disk and network are Errors, see error.h). It prints the place and aborts.
// VARVE_DCHECK is the same for hot loops, compiled only without NDEBUG.
#pragma once

namespace varve {
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace varve

#define VARVE_CHECK(condition) \
  (__builtin_expect(!!(condition), 1) ? void(0) : ::varve::check_failed(#condition, __FILE__, __LINE__))

#ifdef NDEBUG
#define VARVE_DCHECK(condition) void(0)
#else
#define VARVE_DCHECK(condition) VARVE_CHECK(condition)
#endif
