#include "storage/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace varve {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return invalid_argument("odd");
  return n / 2;
}

Result<std::unique_ptr<int>> quarter(int n) {
  VARVE_ASSIGN(int once, half(n));
  VARVE_ASSIGN(int twice, with_context(half(once), "second half"));
  VARVE_TRY(half(0));
  return std::make_unique<int>(twice);
}

TEST(Error, AssignPassesValuesAndReturnsTheFirstError) {
  EXPECT_EQ(**quarter(8), 2);
  auto odd = quarter(7);
  ASSERT_FALSE(odd);
  EXPECT_EQ(odd.error().message, "odd");
  EXPECT_EQ(odd.error().code, ErrorCode::kInvalidArgument);
}

TEST(Error, ContextGoesBeforeTheMessageAndKeepsTheCode) {
  auto second = quarter(6);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "second half: odd");
  EXPECT_EQ(second.error().code, ErrorCode::kInvalidArgument);
}

TEST(Error, IoErrorNamesTheSystemReason) {
  EXPECT_EQ(io_error("open x", ENOENT).message, "open x: No such file or directory");
}

}  // namespace
}  // namespace varve
