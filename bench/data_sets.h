// The synthetic columns that sizes and speeds of the codec are quoted on: 60 series of 10240 values each,
// series after series, seeded by their number, so that every run and machine sees the same bits.
// cpu: clamped random walk (TSBS). water: daily wave + slow drift + sensor noise. ts: milliseconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace varve::bench {

constexpr size_t kSeries = 60;
constexpr size_t kSeriesValues = 10240;

struct DataSet {
  std::string name;
  bool is_double;
  std::vector<double> doubles;
  std::vector<int64_t> ints;
  size_t size() const { return is_double ? doubles.size() : ints.size(); }
};

std::vector<DataSet> synthetic_data_sets();

}  // namespace varve::bench
