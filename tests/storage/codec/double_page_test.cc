#include "storage/codec/double_page.h"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/storage/codec/generators.h"

namespace varve {
namespace {

using testing::exact_copy;
using testing::Random;

std::string encode(const std::vector<double>& values, Effort effort) {
  std::string page;
  encode_double_page(values, effort, page);
  return page;
}

void expect_same_bits(const std::vector<double>& values, Effort effort) {
  std::vector<double> back(values.size());
  const auto result = decode_double_page(exact_copy(encode(values, effort)), values.size(), back.data());
  ASSERT_TRUE(result) << result.error().message;
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint64_t>(back[i]), std::bit_cast<uint64_t>(values[i])) << "row " << i;
  }
}

TEST(DoublePage, ReturnsTheBitsOfEveryShapeAtEverySize) {
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto values =
        testing::doubles(random, static_cast<int>(seed % testing::kDoubleShapes), testing::page_size(random));
    for (const Effort effort : {Effort::kFast, Effort::kExhaustive}) {
      ASSERT_NO_FATAL_FAILURE(expect_same_bits(values, effort));
    }
  }
}

TEST(DoublePage, ReturnsConsecutiveDecimalsOfEveryPlaceWithoutExceptions) {
  double power = 1;
  for (unsigned places = 0; places <= kDecimalPlacesMax; ++places, power *= 10) {
    std::vector<double> values(kVectorValues);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(123456 + 7 * i) / power;
    ASSERT_NO_FATAL_FAILURE(expect_same_bits(values, Effort::kFast));
    EXPECT_LE(encode(values, Effort::kFast).size(), 40u) << places << " places";
  }
}

TEST(DoublePage, KeepsOddValuesAsExceptionsOfADecimalPage) {
  std::vector<double> values(kVectorValues);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i % 50) / 100;
  const size_t plain = encode(values, Effort::kFast).size();
  values[3] = std::bit_cast<double>(0x7ff8dead00000001);
  values[500] = -0.0;
  values[1023] = std::numeric_limits<double>::infinity();
  ASSERT_NO_FATAL_FAILURE(expect_same_bits(values, Effort::kFast));
  EXPECT_LE(encode(values, Effort::kFast).size(), plain + 60);
}

TEST(DoublePage, CostsAConstantPageForNothingButNaN) {
  const std::vector<double> values(kVectorValues, std::numeric_limits<double>::quiet_NaN());
  EXPECT_LE(encode(values, Effort::kFast).size(), 16u);
}

TEST(DoublePage, NeverLeavesItsBytesWhenTheyAreBroken) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    const size_t n = seed % 4 == 0 ? kVectorValues : 1 + testing::below(random, 100);
    const auto values = testing::doubles(random, static_cast<int>(seed % testing::kDoubleShapes), n);
    const std::string good = encode(values, Effort::kExhaustive);
    const size_t step = good.size() > 600 ? 7 : 1;
    for (size_t cut = 0; cut < good.size(); cut += step) {
      std::vector<double> out(n);
      EXPECT_FALSE(decode_double_page(exact_copy(good.substr(0, cut)), n, out.data()));
    }
    for (size_t bit = 0; bit < good.size() * 8; bit += step) {
      auto bad = exact_copy(good);
      bad[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
      std::vector<double> out(n);
      (void)decode_double_page(bad, n, out.data());
    }
  }
}

TEST(DoublePage, RejectsImpossibleHeaders) {
  std::vector<double> out(4);
  const auto decode = [&out](std::vector<uint8_t> page) { return decode_double_page(page, 4, out.data()); };
  EXPECT_FALSE(decode({})) << "empty";
  EXPECT_FALSE(decode({16, 0, 0, 0, 2})) << "16 decimal places";
  EXPECT_FALSE(decode({2, 5, 0, 0, 0, 0, 0, 0})) << "more exceptions than values";
  EXPECT_FALSE(decode({2, 1})) << "cut before the exception positions";
  EXPECT_FALSE(decode({2, 0, 0, 0, 2, 9})) << "trailing byte";
  EXPECT_TRUE(decode({2, 0, 0, 0, 2})) << "the same page, whole";
  EXPECT_EQ(out, std::vector<double>(4, 0.01));
}

}  // namespace
}  // namespace varve
