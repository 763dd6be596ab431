#include "api/query/t_digest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace varve {
namespace {

// How far off the quantile's rank is, as a share of all values.
double rank_error(const std::vector<double>& sorted, double share, double found) {
  const auto low = std::lower_bound(sorted.begin(), sorted.end(), found) - sorted.begin();
  const auto high = std::upper_bound(sorted.begin(), sorted.end(), found) - sorted.begin();
  const double wanted = share * static_cast<double>(sorted.size() - 1);
  const double off =
      std::max({0.0, static_cast<double>(low) - 1 - wanted, wanted - static_cast<double>(high)});
  return off / static_cast<double>(sorted.size());
}

void expect_near(TDigest& digest, std::vector<double> values) {
  std::sort(values.begin(), values.end());
  EXPECT_EQ(digest.count(), values.size());
  EXPECT_EQ(digest.quantile(0), values.front());
  EXPECT_EQ(digest.quantile(1), values.back());
  for (const double share : {0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999}) {
    const double allowed = 0.02 * std::sqrt(share * (1 - share));  // k1: less towards the ends
    EXPECT_LE(rank_error(values, share, digest.quantile(share)), allowed) << share;
  }
}

TEST(TDigest, IsNearTheQuantilesOfManyShapes) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(20, 3);
  std::exponential_distribution<double> exponential(0.1);
  std::uniform_int_distribution<int> dice(1, 6);
  for (int shape = 0; shape < 5; ++shape) {
    TDigest digest;
    std::vector<double> values;
    for (int i = 0; i < 100'000; ++i) {
      const double value = shape == 0   ? normal(random)
                           : shape == 1 ? exponential(random)
                           : shape == 2 ? dice(random)
                           : shape == 3 ? i
                                        : -i;
      digest.add(value);
      values.push_back(value);
    }
    SCOPED_TRACE("shape " + std::to_string(shape));
    expect_near(digest, values);
  }
}

TEST(TDigest, MergesToWhatOneWouldBe) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal(0, 1);
  TDigest first;
  TDigest second;
  std::vector<double> values;
  for (int i = 0; i < 50'000; ++i) {
    values.push_back(normal(random));
    (i % 3 == 0 ? first : second).add(values.back());
  }
  first.merge(second);
  expect_near(first, values);
}

TEST(TDigest, IsExactWhileValuesAreFew) {
  TDigest digest;
  EXPECT_TRUE(std::isnan(digest.quantile(0.5)));
  for (const double value : {5.0, 1.0, 3.0}) digest.add(value);
  EXPECT_EQ(digest.quantile(0.5), 3.0);
  EXPECT_EQ(digest.quantile(0.25), 2.0);
}

TEST(TDigest, CountsInfinitiesApart) {
  TDigest digest;
  digest.add(-INFINITY);
  digest.add(1);
  digest.add(2);
  digest.add(INFINITY);
  EXPECT_EQ(digest.quantile(0), -INFINITY);
  EXPECT_EQ(digest.quantile(1), INFINITY);
  EXPECT_EQ(digest.quantile(0.5), 1.5);
  TDigest only;
  only.add(INFINITY);
  EXPECT_EQ(only.quantile(0.5), INFINITY);
}

TEST(TDigest, KeepsItsSizeWhateverIsAdded) {
  TDigest digest;
  const size_t before = digest.memory_bytes();
  for (int i = 0; i < 1'000'000; ++i) digest.add(i % 1000);
  EXPECT_EQ(digest.memory_bytes(), before);
  EXPECT_LT(before, 64U << 10);
}

}  // namespace
}  // namespace varve
