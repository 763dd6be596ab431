// How a token is compared: what the guard does must not depend on how much of a token is right, or whose it is. Counted
// at the linker's wrap of CRYPTO_memcmp, not timed.
#include "api/http/token_guard.h"

#include <gtest/gtest.h>

#include <vector>

#include "storage/base/clock.h"
#include "tests/support/temp_dir.h"

namespace {
thread_local std::vector<size_t> t_compared;  // bytes of each comparison
}

extern "C" {
// NOLINTBEGIN: the linker's names
int __real_CRYPTO_memcmp(const void* a, const void* b, size_t size);
int __wrap_CRYPTO_memcmp(const void* a, const void* b, size_t size) {
  t_compared.push_back(size);
  return __real_CRYPTO_memcmp(a, b, size);
}
// NOLINTEND
}

namespace varve::test {
namespace {

TEST(TokenGuard, ComparesEveryTokenInFullWhicheverIsShown) {
  constexpr size_t kTokens = 5;
  constexpr size_t kHashBytes = 32;
  const TempDir folder;
  const auto store = std::move(*TokenStore::open(folder.path().string()));
  std::vector<std::string> tokens;
  for (size_t i = 0; i < kTokens; ++i) {
    tokens.push_back(create_token(*store, {"t" + std::to_string(i), "read", {}}, real_clock())->token);
  }
  MetricsRegistry metrics;
  TokenGuard guard(store.get(), false, real_clock(), metrics);
  std::vector<std::string> shown = tokens;
  for (const std::string& token : tokens) {
    std::string nearly = token;
    nearly.back() = nearly.back() == 'A' ? 'B' : 'A';
    shown.push_back(nearly);
    shown.push_back(token.substr(0, 10));
  }
  shown.push_back(new_token());
  shown.emplace_back("x");
  const std::vector<size_t> all_of_each(kTokens, kHashBytes);
  for (size_t i = 0; i < shown.size(); ++i) {
    t_compared.clear();
    const auto caller = guard.caller(shown[i]);
    EXPECT_EQ(t_compared, all_of_each) << shown[i];
    EXPECT_EQ(caller.has_value(), i < kTokens) << shown[i];
    if (caller) {
      EXPECT_EQ(caller->name, "t" + std::to_string(i % kTokens));
    }
  }
}

}  // namespace
}  // namespace varve::test
