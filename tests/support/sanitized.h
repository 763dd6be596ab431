// Whether this is a build with AddressSanitizer or ThreadSanitizer: ten times slower, with a memory of its own. Tests
// that sweep or measure take smaller sizes there; they run in full in the release suite.
#pragma once

namespace varve::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

}  // namespace varve::test
