// Quantiles of a stream in fixed memory: a merging t-digest. Values are gathered in a buffer, sorted, and merged into
// clusters that are small near both ends, so that p99 is as near as the median; the ends themselves are exact.
// Accuracy: the rank is off by about 0.5 % at the median and less towards the ends (tests/api/query/t_digest_test.cc).
// Infinities are counted apart; NaN must not be added.
// Threads: a value.
// Source: Dunning and Ertl, Computing Extremely Accurate Quantiles Using t-Digests, 2019, 2.8 (merging), with scale
// function k1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace varve {

class TDigest {
 public:
  TDigest();
  void add(double value);
  void merge(TDigest& other);
  // Interpolated, as percentile's over all values; `share` in 0..1. NaN when nothing was added.
  double quantile(double share);
  uint64_t count() const;
  size_t memory_bytes() const;  // constant

 private:
  struct Cluster {
    double mean;
    double weight;
  };
  void compress();
  double finite_quantile(double rank) const;

  std::vector<Cluster> clusters_;  // ascending; [0, merged_) are merged, the rest is the buffer
  size_t merged_ = 0;
  double min_;
  double max_;
  uint64_t below_ = 0;  // how many are -inf
  uint64_t above_ = 0;  // inf
  uint64_t finite_ = 0;
};

}  // namespace varve
