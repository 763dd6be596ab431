#include "bench/data_sets.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace varve::bench {
namespace {

using Random = std::mt19937_64;
using Normal = std::normal_distribution<double>;

double rounded(double x, double power) {
  return std::round(x * power) / power;
}

template <class Put>
void cpu_walk(Random& random, Put put) {
  Normal step(0, 1);
  double x = std::uniform_real_distribution<double>(0, 100)(random);
  for (size_t i = 0; i < kSeriesValues; ++i) put(x = std::clamp(x + step(random), 0.0, 100.0));
}

struct Wave {
  double mean, day, deviation, memory, noise;
};
template <class Put>
void water(Random& random, Wave w, Put put) {
  Normal normal(0, 1);
  double drift = 0;
  for (size_t i = 0; i < kSeriesValues; ++i) {
    drift = w.memory * drift + w.deviation * std::sqrt(1 - w.memory * w.memory) * normal(random);
    const double minute = static_cast<double>(i);
    put(w.mean + w.day * std::sin(minute * 2 * M_PI / 1440) + drift + w.noise * normal(random));
  }
}

template <class Generate>
DataSet doubles(std::string name, Generate generate) {
  DataSet set{std::move(name), true, {}, {}};
  for (size_t k = 0; k < kSeries; ++k) {
    Random random(k + 1);
    generate(random, [&set](double x) { set.doubles.push_back(x); });
  }
  return set;
}
template <class Generate>
DataSet ints(std::string name, Generate generate) {
  DataSet set{std::move(name), false, {}, {}};
  for (size_t k = 0; k < kSeries; ++k) {
    Random random(k + 1);
    generate(random, [&set](double x) { set.ints.push_back(static_cast<int64_t>(x)); });
  }
  return set;
}
template <class Next>
DataSet clock(std::string name, Next next) {
  DataSet set{std::move(name), false, {}, {}};
  for (size_t k = 0; k < kSeries; ++k) {
    Random random(k + 1);
    Normal jitter(0, 40);
    int64_t tick = 0;
    for (size_t i = 0; i < kSeriesValues; ++i) set.ints.push_back(next(random, jitter, tick));
  }
  return set;
}

constexpr int64_t kStart = 1735689600123;  // 2025-01-01, ms

}  // namespace

std::vector<DataSet> synthetic_data_sets() {
  std::vector<DataSet> sets;
  sets.push_back(
      doubles("cpu_2dec", [](Random& r, auto put) { cpu_walk(r, [&](double x) { put(rounded(x, 100)); }); }));
  sets.push_back(doubles("cpu_full", [](Random& r, auto put) { cpu_walk(r, put); }));
  sets.push_back(ints("cpu_int", [](Random& r, auto put) { cpu_walk(r, put); }));
  sets.push_back(doubles("water_ph", [](Random& r, auto put) {
    water(r, {7.3, 0.15, 0.08, 0.999, 0.01}, [&](double x) { put(rounded(x, 100)); });
  }));
  sets.push_back(doubles("water_temp", [](Random& r, auto put) {
    water(r, {12, 2.5, 1.0, 0.9995, 0.02}, [&](double x) { put(rounded(x, 100)); });
  }));
  sets.push_back(doubles("water_turb", [](Random& r, auto put) {  // log-normal with spikes
    Normal normal(0, 1);
    double a = 0;
    for (size_t i = 0; i < kSeriesValues; ++i) {
      a = 0.99 * a + 0.08 * normal(r);
      double x = 3.4 * std::exp(a + 0.05 * normal(r));
      if (r() % 500 == 0) x *= 10 + static_cast<double>(r() % 20);
      put(rounded(x, 100));
    }
  }));
  sets.push_back(ints("water_cond", [](Random& r, auto put) {
    water(r, {412, 20, 10, 0.999, 1.5}, [&](double x) { put(rounded(x, 1)); });
  }));
  sets.push_back(ints("water_batt", [](Random& r, auto put) {
    Normal normal(0, 0.3);
    for (size_t i = 0; i < kSeriesValues; ++i)
      put(std::round(97 - static_cast<double>(i) * 0.002 + normal(r)));
  }));
  sets.push_back(
      clock("ts_constant", [](Random&, Normal&, int64_t& tick) { return kStart + 10000 * tick++; }));
  sets.push_back(clock("ts_jitter", [](Random& r, Normal& jitter, int64_t& tick) {
    return kStart + 60000 * tick++ + static_cast<int64_t>(jitter(r));
  }));
  sets.push_back(clock("ts_jitter_gaps", [](Random& r, Normal& jitter, int64_t& tick) {
    if (r() % 200 == 0) tick += 1 + static_cast<int64_t>(r() % 30);
    return kStart + 60000 * tick++ + static_cast<int64_t>(jitter(r));
  }));
  sets.push_back(clock("ts_drift", [](Random& r, Normal& jitter, int64_t& elapsed) {
    const int64_t now = kStart + elapsed;
    elapsed += 60000 + static_cast<int64_t>(jitter(r));
    return now;
  }));
  sets.push_back(clock("counter", [](Random& r, Normal&, int64_t& count) {
    return count += 1500 + static_cast<int64_t>(r() % 700);
  }));
  return sets;
}

}  // namespace varve::bench
