#include "storage/codec/int_page.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "tests/storage/codec/generators.h"

namespace varve {
namespace {

using testing::exact_copy;
using testing::Random;

constexpr Effort kEfforts[] = {Effort::kFast, Effort::kExhaustive};

std::string encode(const std::vector<int64_t>& values, Effort effort) {
  std::string page;
  encode_int_page(values, effort, page);
  return page;
}
IntPredictor predictor(const std::string& page) {
  return static_cast<IntPredictor>(page[0] & 7);
}

void expect_round_trip(const std::vector<int64_t>& values, Effort effort) {
  const auto page = exact_copy(encode(values, effort));
  std::vector<int64_t> back(values.size());
  const auto result = decode_int_page(page, values.size(), back.data());
  ASSERT_TRUE(result) << result.error().message;
  ASSERT_EQ(back, values);
}

TEST(IntPage, ReturnsEveryShapeAtEverySize) {
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const int shape = static_cast<int>(seed % testing::kIntShapes);
    const auto values = testing::ints(random, shape, testing::page_size(random));
    for (const Effort effort : kEfforts) ASSERT_NO_FATAL_FAILURE(expect_round_trip(values, effort));
  }
}

TEST(IntPage, ReturnsEveryCountFrom1To1024) {
  Random random(7);
  for (size_t n = 1; n <= kVectorValues; ++n) {
    const int shape = static_cast<int>(n % testing::kIntShapes);
    ASSERT_NO_FATAL_FAILURE(expect_round_trip(testing::ints(random, shape, n), Effort::kFast)) << n;
  }
}

TEST(IntPage, ReturnsEveryWidthInFullAndShortPages) {
  Random random(8);
  for (unsigned width = 0; width <= 64; ++width) {
    for (const size_t n : {size_t{200}, kVectorValues}) {
      std::vector<int64_t> values(n);
      for (int64_t& v : values) v = static_cast<int64_t>(random() & low_bits(width));
      for (const Effort effort : kEfforts) {
        ASSERT_NO_FATAL_FAILURE(expect_round_trip(values, effort));
        const std::string page = encode(values, effort);
        EXPECT_LE(page.size(), packed_bytes(n, width) + 16) << "width " << width;
      }
    }
  }
}

TEST(IntPage, ChoosesEachPredictorWhereItBelongs) {
  Random random(9);
  const auto chosen = [&](auto generate, Effort effort = Effort::kFast) {
    std::vector<int64_t> values(kVectorValues);
    for (size_t i = 0; i < values.size(); ++i) values[i] = generate(static_cast<int64_t>(i));
    expect_round_trip(values, effort);
    return predictor(encode(values, effort));
  };
  const auto noise = [&](uint64_t limit) { return static_cast<int64_t>(random() % limit); };
  int64_t walk = 0, slope = 0;
  EXPECT_EQ(chosen([&](int64_t) { return noise(1000); }), IntPredictor::kFor);
  EXPECT_EQ(chosen([&](int64_t) { return walk += noise(31) - 15; }), IntPredictor::kDelta);
  EXPECT_EQ(chosen([&](int64_t i) { return 60000 * i + noise(100); }), IntPredictor::kGrid);
  EXPECT_EQ(chosen([&](int64_t) { return walk += slope += noise(2); }, Effort::kExhaustive),
            IntPredictor::kDod);
  EXPECT_EQ(chosen([&](int64_t i) { return i / 100 * 1000003 % 77777; }), IntPredictor::kRle);
  EXPECT_EQ(chosen([&](int64_t) {
              return static_cast<int64_t>((random() % 9 + 1) * (random() % 9 + 1) * 0x9e3779b97f4a7c15) >> 3;
            }),
            IntPredictor::kDict);
}

TEST(IntPage, CostsNextToNothingForConstantsAndExactClocks) {
  EXPECT_LE(encode(std::vector<int64_t>(1024, 5), Effort::kFast).size(), 3u);
  std::vector<int64_t> clock(1024);
  for (size_t i = 0; i < clock.size(); ++i)
    clock[i] = 1735689600000000000 + 10'000'000'000 * static_cast<int64_t>(i);
  EXPECT_LE(encode(clock, Effort::kFast).size(), 24u);
}

TEST(IntPage, PatchesOutliersInsteadOfWideningThePage) {
  std::vector<int64_t> values(1024);
  Random random(10);
  for (int64_t& v : values) v = static_cast<int64_t>(random() % 16);
  values[7] = std::numeric_limits<int64_t>::max();
  values[1000] = std::numeric_limits<int64_t>::min();
  for (const Effort effort : kEfforts) {
    expect_round_trip(values, effort);
    EXPECT_LE(encode(values, effort).size(), 512u + 40);
  }
}

TEST(IntPage, IsNotFooledByPeriodsThatAlignWithItsSample) {
  for (const size_t period : {2, 3, 4, 5, 7, 8, 16, 64}) {
    std::vector<int64_t> values(1024);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i % period == 0 ? 1 : 0);
    expect_round_trip(values, Effort::kFast);
    EXPECT_LE(encode(values, Effort::kFast).size(), 128u + 8) << "period " << period;
  }
}

TEST(IntPage, NeverLeavesItsBytesWhenTheyAreBroken) {
  // Each bit flipped and each truncation: an error or other values, and nothing read or written outside.
  std::set<IntPredictor> seen;
  for (uint64_t seed = 0; seed < 140; ++seed) {
    Random random(seed);
    const size_t n = seed % 3 == 0 ? kVectorValues : 1 + testing::below(random, 120);
    const auto values = testing::ints(random, static_cast<int>(seed % testing::kIntShapes), n);
    const std::string good = encode(values, Effort::kExhaustive);
    seen.insert(predictor(good));
    const size_t step = good.size() > 600 ? 7 : 1;
    for (size_t cut = 0; cut < good.size(); cut += step) {
      std::vector<int64_t> out(n);
      EXPECT_FALSE(decode_int_page(exact_copy(good.substr(0, cut)), n, out.data()));
    }
    for (size_t bit = 0; bit < good.size() * 8; bit += step) {
      auto bad = exact_copy(good);
      bad[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
      std::vector<int64_t> out(n);
      (void)decode_int_page(bad, n, out.data());
    }
    std::vector<int64_t> out(n);
    EXPECT_FALSE(decode_int_page(exact_copy(good + '\0'), n, out.data())) << "a trailing byte must be seen";
  }
  EXPECT_EQ(seen.size(), 6u) << "every predictor must have been broken";
}

struct BadPage {
  const char* name;
  std::string bytes;
  size_t n;
};

TEST(IntPage, RejectsImpossibleHeaders) {
  const auto page = [](std::initializer_list<int> bytes) {
    std::string out;
    for (const int b : bytes) out.push_back(static_cast<char>(b));
    return out;
  };
  const BadPage table[] = {
      {"empty", "", 1},
      {"unknown predictor", page({6, 0, 0}), 4},
      {"reserved bits", page({64, 0, 0}), 4},
      {"fraction without a grid", page({32, 0, 0, 1}), 4},
      {"fraction of nothing", page({34, 0, 0, 2, 0}), 4},
      {"fraction of a whole step", page({34, 0, 0, 2, 128, 8}), 4},
      {"width over 64", page({0, 65, 0}), 1},
      {"more patches than values", page({16, 0, 0, 5, 0, 0}), 4},
      {"no patches", page({16, 0, 0, 0, 0}), 4},
      {"patch width over 64", page({16, 0, 0, 1, 65, 0}), 4},
      {"patch outside the page", page({16, 0, 0, 1, 1, 7, 1}), 5},
      {"no runs", page({4, 0}), 4},
      {"more runs than values", page({4, 5, 0, 0, 2, 0, 0, 0}), 4},
      {"runs too short", page({4, 2, 0, 0, 2, 0, 0, 0}), 4},
      {"runs too long", page({4, 2, 0, 0, 2, 0, 0, 8}), 4},
      {"runs within runs", page({4, 1, 4, 1, 0, 0, 2, 0, 0, 6}), 4},
      {"no dictionary", page({5, 0}), 4},
      {"dictionary over 256", page({5, 129, 2, 0, 0, 2, 0, 0, 0}), 4},
      {"index over 256", page({5, 1, 0, 0, 2, 0, 0, 128, 4}), 4},
      {"flags on a run page", page({4 | 8, 1, 0, 0, 2, 0, 0, 6}), 4},
  };
  for (const BadPage& bad : table) {
    std::vector<int64_t> out(bad.n);
    const auto result = decode_int_page(exact_copy(bad.bytes), bad.n, out.data());
    ASSERT_FALSE(result) << bad.name;
    EXPECT_EQ(result.error().code, ErrorCode::kCorruption) << bad.name;
  }
}

}  // namespace
}  // namespace varve
