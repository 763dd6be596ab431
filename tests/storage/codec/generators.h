// Adversarial columns for the codec tests, seeded: every test prints its seed through SCOPED_TRACE.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace varve::testing {

using Random = std::mt19937_64;

inline size_t below(Random& random, size_t limit) {
  return static_cast<size_t>(random() % limit);
}

constexpr int kIntShapes = 14;

// n values of one shape 0..kIntShapes-1: what each predictor likes, and what none does.
inline std::vector<int64_t> ints(Random& random, int shape, size_t n) {
  const uint64_t mask = ~uint64_t{0} >> below(random, 64);
  const uint64_t step = random() & mask, base = random();
  const uint64_t noise_mask = ~uint64_t{0} >> (1 + below(random, 63));
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min(), kMax = std::numeric_limits<int64_t>::max();
  std::vector<int64_t> values(n);
  uint64_t state = base, slope = random() & noise_mask;
  for (size_t i = 0; i < n; ++i) {
    uint64_t v = 0;
    switch (shape) {
      case 0:
        v = base;
        break;  // constant
      case 1:
        v = base + step * i;
        break;  // exact clock
      case 2:
        v = base + step * i + (random() & noise_mask);
        break;  // jittered clock
      case 3:
        v = base + (random() & mask);
        break;  // any width
      case 4:
        v = state += (random() & noise_mask) - (noise_mask >> 1);
        break;  // walk
      case 5:
        v = below(random, 8) == 0 ? (state = random() & 0xffff) : state;
        break;  // runs
      case 6:
        v = base + (random() % 7) * step;
        break;  // few distinct, a common factor
      case 7:
        v = below(random, 50) == 0 ? random() : base + (random() & 15);
        break;  // outliers
      case 8:
        v = static_cast<uint64_t>(i % 2 ? kMin : kMax);
        break;  // the extremes
      case 9:
        v = random();
        break;  // noise
      case 10:
        v = state += slope += random() % 3;
        break;  // smooth: second differences
      case 11:
        v = (random() % 200) * 0x9e3779b97f4a7c15;
        break;  // few distinct, all far apart
      case 12:
        v = i + 1 == n ? static_cast<uint64_t>(kMin) : static_cast<uint64_t>(kMax) - (random() & 1);
        break;
      default:
        v = base + 1000 * (random() & mask);
        break;  // scaled
    }
    values[i] = static_cast<int64_t>(v);
  }
  return values;
}

constexpr int kDoubleShapes = 10;

inline std::vector<double> doubles(Random& random, int shape, size_t n) {
  static const double kOdd[] = {0.0,
                                -0.0,
                                std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(),
                                std::numeric_limits<double>::quiet_NaN(),
                                std::bit_cast<double>(0x7ff0000000000001),
                                std::bit_cast<double>(0xfff8123456789abc),
                                std::numeric_limits<double>::denorm_min(),
                                std::numeric_limits<double>::max(),
                                std::numeric_limits<double>::lowest(),
                                0x1p51,
                                0x1p51 - 1,
                                -0x1p51,
                                1e15,
                                0.1 + 0.2};
  std::normal_distribution<double> normal(0, 1);
  const double power = std::pow(10, static_cast<double>(below(random, 16)));
  std::vector<double> values(n);
  double walk = 100 * normal(random);
  for (size_t i = 0; i < n; ++i) {
    walk += normal(random);
    const double decimal = std::round(walk * power) / power;
    switch (shape) {
      case 0:
        values[i] = decimal;
        break;
      case 1:
        values[i] = walk;
        break;
      case 2:
        values[i] = below(random, 30) ? decimal : kOdd[below(random, std::size(kOdd))];
        break;
      case 3:
        values[i] = kOdd[below(random, std::size(kOdd))];
        break;
      case 4:
        values[i] = std::bit_cast<double>(random());
        break;  // any bits
      case 5:
        values[i] = static_cast<double>(static_cast<int64_t>(random()));
        break;  // huge integers
      case 6:
        values[i] = kOdd[4];
        break;  // nothing but NaN
      case 7:
        values[i] = below(random, 60) ? std::round(walk) / 4 : decimal;
        break;  // a few long decimals
      case 8:
        values[i] = static_cast<double>(static_cast<float>(walk));
        break;  // floats stored as doubles
      default:
        values[i] = (i < n / 2 ? 0.0 : -0.0);
        break;
    }
  }
  return values;
}

constexpr int kStringShapes = 7;

inline std::vector<std::string> strings(Random& random, int shape, size_t n) {
  std::vector<std::string> values(n);
  for (size_t i = 0; i < n; ++i) {
    switch (shape) {
      case 0:
        values[i] = "ok";
        break;
      case 1:
        values[i] = "state-" + std::to_string(below(random, 5));
        break;
      case 2:
        values[i] = "request " + std::to_string(random()) + " served by host-" + std::to_string(i % 3);
        break;
      case 3:
        values[i] = std::string(below(random, 20), static_cast<char>(random()));
        break;
      case 4:
        break;  // empty
      case 5:
        values[i] = std::to_string(random()) + std::string(1, '\0') + "\xff";
        break;
      default:
        values[i] = std::string(below(random, 300), 'x') + std::to_string(below(random, 400));
        break;
    }
  }
  return values;
}

// A page size: small ones, a full one, anything.
inline size_t page_size(Random& random) {
  switch (below(random, 4)) {
    case 0:
      return 1 + below(random, 8);
    case 1:
      return 1024;
    case 2:
      return 1017 + below(random, 8);
    default:
      return 1 + below(random, 1024);
  }
}

// An exactly sized heap copy: the address sanitizer sees the first byte read beyond it.
inline std::vector<uint8_t> exact_copy(const std::string& bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace varve::testing
