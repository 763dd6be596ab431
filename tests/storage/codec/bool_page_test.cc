#include "storage/codec/bool_page.h"

#include <gtest/gtest.h>

#include "tests/storage/codec/generators.h"

namespace varve {
namespace {

using testing::exact_copy;
using testing::Random;

std::string encode(const std::vector<uint8_t>& values) {
  std::string page;
  encode_bool_page(values, Effort::kFast, page);
  return page;
}

TEST(BoolPage, ReturnsNoiseRunsAndConstants) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    std::vector<uint8_t> values(testing::page_size(random)), back(values.size());
    const size_t odds = 1 + testing::below(random, 60);
    uint8_t state = random() & 1;
    for (uint8_t& v : values) v = state ^= testing::below(random, odds) == 0;
    const auto page = exact_copy(encode(values));
    ASSERT_TRUE(decode_bool_page(page, values.size(), back.data()));
    ASSERT_EQ(back, values);
    EXPECT_LE(page.size(), values.size() / 8 + 8);
  }
}

TEST(BoolPage, CostsThreeBytesForAConstant) {
  EXPECT_EQ(encode(std::vector<uint8_t>(1024, 1)).size(), 3u);
}

TEST(BoolPage, RejectsValuesThatAreNeitherFalseNorTrue) {
  std::string page;
  const std::vector<int64_t> values = {0, 1, 2};
  encode_int_page(values, Effort::kFast, page);
  std::vector<uint8_t> out(3);
  const auto result = decode_bool_page(exact_copy(page), 3, out.data());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kCorruption);
}

TEST(BoolPage, NeverLeavesItsBytesWhenTheyAreBroken) {
  std::vector<uint8_t> values(100);
  for (size_t i = 0; i < values.size(); ++i) values[i] = i % 3 == 0;
  const std::string good = encode(values);
  std::vector<uint8_t> out(values.size());
  for (size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(decode_bool_page(exact_copy(good.substr(0, cut)), out.size(), out.data()));
  }
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    auto bad = exact_copy(good);
    bad[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    if (decode_bool_page(bad, out.size(), out.data())) {
      for (const uint8_t v : out) EXPECT_LE(v, 1);
    }
  }
}

}  // namespace
}  // namespace varve
