#include "storage/codec/string_page.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include "tests/storage/codec/generators.h"

namespace varve {
namespace {

using testing::exact_copy;
using testing::Random;

std::string encode(const std::vector<std::string>& values, Effort effort = Effort::kFast) {
  const std::vector<std::string_view> views(values.begin(), values.end());
  std::string page;
  encode_string_page(views, effort, page);
  return page;
}

void expect_round_trip(const std::vector<std::string>& values, Effort effort) {
  StringPage back;
  const auto result = decode_string_page(exact_copy(encode(values, effort)), values.size(), back);
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(back.size(), values.size());
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(back[i], values[i]) << "row " << i;
}

TEST(StringPage, ReturnsEveryShapeAtEverySize) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto values =
        testing::strings(random, static_cast<int>(seed % testing::kStringShapes), testing::page_size(random));
    for (const Effort effort : {Effort::kFast, Effort::kExhaustive}) {
      ASSERT_NO_FATAL_FAILURE(expect_round_trip(values, effort));
    }
  }
}

TEST(StringPage, CostsAFractionOfABitForFewDistinctStrings) {
  std::vector<std::string> states(1024);
  for (size_t i = 0; i < states.size(); ++i) states[i] = i % 700 < 690 ? "running" : "stopped";
  EXPECT_LE(encode(states).size(), 60u);
}

TEST(StringPage, PutsLargeDictionariesUnderZstd) {
  std::vector<std::string> lines(1024);
  for (size_t i = 0; i < lines.size(); ++i)
    lines[i] = "GET /api/v1/query?sensor=" + std::to_string(i) + " 200 OK";
  EXPECT_LE(encode(lines).size(), 8000u);  // 33 KB of text
}

TEST(StringPage, NeverLeavesItsBytesWhenTheyAreBroken) {
  for (int shape = 0; shape < testing::kStringShapes; ++shape) {
    Random random(static_cast<uint64_t>(shape));
    for (const size_t n : {size_t{20}, size_t{1024}}) {
      const std::string good = encode(testing::strings(random, shape, n));
      const size_t step = good.size() > 600 ? 97 : 1;
      for (size_t cut = 0; cut < good.size(); cut += step) {
        StringPage out;
        EXPECT_FALSE(decode_string_page(exact_copy(good.substr(0, cut)), n, out));
      }
      for (size_t bit = 0; bit < good.size() * 8; bit += step) {
        auto bad = exact_copy(good);
        bad[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
        StringPage out;
        if (!decode_string_page(bad, n, out)) continue;
        size_t bytes = 0;
        for (size_t i = 0; i < n; ++i) bytes += out[i].size();  // every view lies inside
        EXPECT_LE(bytes, kStringPageBytesMax * n);
      }
    }
  }
}

TEST(StringPage, ChecksDeclaredSizesBeforeAllocating) {
  // Three entries whose lengths add up to far more than a page may hold.
  std::string page;
  ByteWriter(page).u8(0);
  encode_int_page(std::vector<int64_t>{1, int64_t{1} << 40, 5}, Effort::kFast, page);
  page += "abc";
  StringPage out;
  EXPECT_FALSE(decode_string_page(exact_copy(page), 3, out));
  EXPECT_LE(out.bytes.capacity(), 1024u);

  // A zstd frame that says another size than the lengths.
  const std::string text(5000, 'x');
  std::string frame(ZSTD_compressBound(text.size()), '\0');
  frame.resize(ZSTD_compress(frame.data(), frame.size(), text.data(), text.size(), 1));
  page.clear();
  ByteWriter(page).u8(2);
  encode_int_page(std::vector<int64_t>{4999}, Effort::kFast, page);
  ByteWriter(page).varint(frame.size());
  page += frame;
  const auto result = decode_string_page(exact_copy(page), 1, out);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kCorruption);
}

}  // namespace
}  // namespace varve
