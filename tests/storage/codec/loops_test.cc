// The vectorised loops against plain ones, in every length around a register and with the edges of 64 bits.
#include "storage/codec/loops.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/storage/codec/generators.h"

namespace varve {
namespace {

using testing::Random;

constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();

TEST(Loops, PrefixSumOfEveryLengthWraps) {
  Random random(5);
  for (size_t n = 1; n <= 100; ++n) {
    std::vector<uint64_t> values(n), expected(n);
    const uint64_t start = random();
    uint64_t sum = start;
    for (size_t i = 0; i < n; ++i) expected[i] = sum += values[i] = random();
    prefix_sum(values.data(), n, start);
    ASSERT_EQ(values, expected);
  }
}

TEST(Loops, LinesOfEveryLengthAreSeenAndFilled) {
  Random random(6);
  for (size_t n = 2; n <= 100; ++n) {
    const uint64_t start = random(), step = random();
    std::vector<uint64_t> line(n);
    fill_line(line.data(), n, start, step);
    std::vector<int64_t> values;
    for (size_t i = 0; i < n; ++i) {
      ASSERT_EQ(line[i], start + step * i);
      values.push_back(static_cast<int64_t>(line[i]));
    }
    EXPECT_TRUE(is_line(values.data(), n));
    if (n == 2) continue;  // any two values are one
    ++values[testing::below(random, n)];
    EXPECT_FALSE(is_line(values.data(), n)) << n;
  }
}

TEST(Loops, CountsAndBoundsWhatLiesInAWindowOfEveryWidth) {
  Random random(7);
  for (unsigned width = 0; width < 64; ++width) {
    for (const size_t n : {1, 7, 8, 9, 100}) {
      const int64_t base = static_cast<int64_t>(random());
      const uint64_t last = (uint64_t{1} << width) - 1;
      std::vector<int64_t> values(n);
      size_t outside = 0;
      uint64_t low = last, high = 0;
      for (size_t i = 0; i < n; ++i) {
        uint64_t distance = random() >> (random() % 64);
        if (i == 0) distance = last;  // one inside, at its edge
        if (i == 1) distance = last + 1;
        if (i == 2) distance = ~uint64_t{0};
        values[i] = static_cast<int64_t>(static_cast<uint64_t>(base) + distance);
        if (distance > last) {
          ++outside;
        } else {
          low = std::min(low, distance);
          high = std::max(high, distance);
        }
      }
      ASSERT_EQ(count_outside(values.data(), n, base, width), outside) << width << " bits, " << n;
      const MinMax inside = min_max_inside(values.data(), n, base, width);
      ASSERT_EQ(static_cast<uint64_t>(inside.min) - static_cast<uint64_t>(base), low);
      ASSERT_EQ(static_cast<uint64_t>(inside.max) - static_cast<uint64_t>(base), high);
    }
  }
}

TEST(Loops, DividesDifferencesExactlyOrNotAtAll) {
  Random random(8);
  const auto divide = [](const std::vector<int64_t>& values, uint64_t factor, std::vector<int64_t>& out) {
    out.resize(values.size());
    return divide_differences(values.data(), values.size(), factor, out.data());
  };
  std::vector<int64_t> out;
  for (int round = 0; round < 3000; ++round) {
    const uint64_t factor = 2 + (random() >> (1 + random() % 63)) % (static_cast<uint64_t>(kMax) - 2);
    const int64_t largest = kMax / static_cast<int64_t>(factor);
    std::vector<int64_t> values, quotients;
    const int64_t first = static_cast<int64_t>(random());
    for (int i = 0; i < 20; ++i) {
      const int64_t quotient = i == 0   ? 0
                               : i == 1 ? largest
                               : i == 2 ? -largest
                                        : static_cast<int64_t>(random()) % (largest + 1);
      quotients.push_back(quotient);
      values.push_back(
          static_cast<int64_t>(static_cast<uint64_t>(first) + static_cast<uint64_t>(quotient) * factor));
    }
    ASSERT_TRUE(divide(values, factor, out)) << "factor " << factor;
    ASSERT_EQ(out, quotients) << "factor " << factor;
    int64_t& odd = values[1 + testing::below(random, 19)];
    odd = static_cast<int64_t>(static_cast<uint64_t>(odd) + 1 + random() % (factor - 1));
    // One that wraps may be a multiple again, of another quotient: only true quotients count.
    const bool exact = divide(values, factor, out);
    for (size_t i = 0; exact && i < values.size(); ++i) {
      const auto difference =
          static_cast<int64_t>(static_cast<uint64_t>(values[i]) - static_cast<uint64_t>(first));
      ASSERT_EQ(difference % static_cast<int64_t>(factor), 0);
    }
  }
  EXPECT_FALSE(divide({0, 3}, 2, out));
  EXPECT_FALSE(divide({0, -3}, 2, out));
  EXPECT_FALSE(divide({0, kMax}, 3 * (uint64_t{1} << 40), out));
  EXPECT_FALSE(divide({0, kMin}, 3, out));
  EXPECT_FALSE(divide({kMin, kMax}, 3, out)) << "the difference wraps to -1";
}

}  // namespace
}  // namespace varve
