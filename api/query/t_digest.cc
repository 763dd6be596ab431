#include "api/query/t_digest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace varve {
namespace {

constexpr double kCompression = 200;  // twice the paper's usual 100: half the error for 16 KiB more
constexpr size_t kClustersMax = 2 * static_cast<size_t>(kCompression);
constexpr size_t kBuffered = 5 * kClustersMax;  // values sorted at once; the paper's factor

// k1: steep at both ends, so that clusters there stay small.
double scale(double share) {
  return kCompression / (2 * std::numbers::pi) * std::asin(2 * std::clamp(share, 0.0, 1.0) - 1);
}
double share_of(double scaled) {
  const double angle =
      std::clamp(scaled * 2 * std::numbers::pi / kCompression, -std::numbers::pi / 2, std::numbers::pi / 2);
  return (std::sin(angle) + 1) / 2;
}

}  // namespace

TDigest::TDigest()
    : min_(std::numeric_limits<double>::infinity()), max_(-std::numeric_limits<double>::infinity()) {
  clusters_.reserve(kClustersMax + kBuffered);
}

uint64_t TDigest::count() const {
  return below_ + finite_ + above_;
}

size_t TDigest::memory_bytes() const {
  return sizeof(*this) + (kClustersMax + kBuffered) * sizeof(Cluster);
}

void TDigest::add(double value) {
  if (std::isinf(value)) {
    ++(value < 0 ? below_ : above_);
    return;
  }
  if (clusters_.size() == clusters_.capacity()) compress();
  clusters_.push_back({value, 1});
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
  ++finite_;
}

void TDigest::merge(TDigest& other) {
  other.compress();
  for (const Cluster& cluster : other.clusters_) {
    if (clusters_.size() == clusters_.capacity()) compress();
    clusters_.push_back(cluster);
  }
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  below_ += other.below_;
  above_ += other.above_;
  finite_ += other.finite_;
}

void TDigest::compress() {
  if (clusters_.size() == merged_) return;
  std::sort(clusters_.begin(), clusters_.end(),
            [](const Cluster& a, const Cluster& b) { return a.mean < b.mean; });
  const auto total = static_cast<double>(finite_);
  size_t into = 0;
  double before = 0;  // weight of the clusters before clusters_[into]
  double limit = total * share_of(scale(0) + 1);
  for (size_t i = 1; i < clusters_.size(); ++i) {
    Cluster& open = clusters_[into];
    const Cluster next = clusters_[i];
    if (before + open.weight + next.weight <= limit) {
      open.weight += next.weight;
      open.mean += (next.mean - open.mean) * (next.weight / open.weight);
      continue;
    }
    before += open.weight;
    limit = total * share_of(scale(before / total) + 1);
    clusters_[++into] = next;
  }
  clusters_.resize(into + 1);
  merged_ = clusters_.size();
}

// `rank` in 0 .. finite_ - 1. A cluster of weight w stands for the ranks around its middle.
double TDigest::finite_quantile(double rank) const {
  if (rank <= 0) return min_;
  if (rank >= static_cast<double>(finite_ - 1)) return max_;
  double before = 0;
  double left_rank = 0;
  double left_value = min_;
  for (const Cluster& cluster : clusters_) {
    const double middle = before + (cluster.weight - 1) / 2;
    if (middle >= rank) {
      const double share = middle > left_rank ? (rank - left_rank) / (middle - left_rank) : 1;
      return left_value + (cluster.mean - left_value) * share;
    }
    left_rank = middle;
    left_value = cluster.mean;
    before += cluster.weight;
  }
  const double last_rank = static_cast<double>(finite_ - 1);
  const double share = last_rank > left_rank ? (rank - left_rank) / (last_rank - left_rank) : 1;
  return left_value + (max_ - left_value) * share;
}

double TDigest::quantile(double share) {
  if (count() == 0) return std::numeric_limits<double>::quiet_NaN();
  compress();
  const double rank = share * static_cast<double>(count() - 1);
  const auto low = static_cast<double>(below_);
  if (rank < low) return -std::numeric_limits<double>::infinity();
  if (finite_ == 0 || rank > low + static_cast<double>(finite_ - 1)) {
    return std::numeric_limits<double>::infinity();
  }
  return finite_quantile(rank - low);
}

}  // namespace varve
