// Aggregate functions: one state per group, fed by runs of rows of one group, by rows with a group each, or by the
// statistics of a whole block.
//   NULLs take part in nothing but count(*). sum of nothing is NULL. sum of int64 is exact or the error `overflow`.
//   first, last: the value at the smallest, largest time; of equal times the first, last met (series order).
//   variance, stddev: of a sample (n - 1). percentile(x, p): p in 0..100, interpolated between neighbours; exact until the
//   values kept pass exact_bytes_max, then groups of many values go over to a t-digest (t_digest.h) and say so.
//   increase, delta, rate, derivative, integral look at steps: from a row of a series to its next row with a value that
//   passed WHERE, also across buckets; a step belongs to the group of its later row. A group's answer is the sum over its
//   series, NULL when it has no step.
//     delta:      sum of differences. increase: the same of a counter, which begins again at 0 when its value falls.
//     rate, derivative: increase, delta of each series divided by the time its steps take, in `unit` (1 s)
//     integral:   area under the straight lines between rows, in value * `unit`
// Threads: an aggregate belongs to one query on one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/query/scalar.h"
#include "storage/scan.h"

namespace varve {

enum class AggregateKind {
  kCountRows,
  kCount,
  kCountDistinct,
  kSum,
  kAvg,
  kMin,
  kMax,
  kFirst,
  kLast,
  kVariance,
  kStddev,
  kPercentile,
  kIncrease,
  kDelta,
  kRate,
  kDerivative,
  kIntegral,
};
struct AggregateName {
  std::string_view name;
  AggregateKind kind;
  size_t arguments_max = 1;
};
// spread is max - min and kMax here, median is percentile 50. Null when there is no such aggregate.
const AggregateName* find_aggregate(std::string_view name);
std::vector<std::string> aggregate_names();
// Looks at steps: all rows of a series must reach one aggregate, in ascending time.
bool is_step_aggregate(AggregateKind kind);
bool needs_times(AggregateKind kind);

struct AggregateInput {
  VectorView argument;  // unset for kCountRows
  const int64_t* times = nullptr;
  SeriesId series = 0;  // all rows are of this one
};

// A block known by its statistics. `column` is of the argument, null for kCountRows.
struct BlockInput {
  const ColumnStatistics* column = nullptr;
  uint64_t rows = 0;
  int64_t time_min = 0;
  int64_t time_max = 0;
  bool one_series = false;  // no group holds rows of two series, so blocks of a group come in order of time
};

class Aggregate {
 public:
  virtual ~Aggregate() = default;
  virtual void resize(size_t groups) = 0;  // new groups start empty
  virtual void add_run(size_t group, const AggregateInput& input, size_t from, size_t to) = 0;
  virtual void add_rows(const uint32_t* groups, const AggregateInput& input, size_t rows) = 0;
  // False when the statistics cannot tell: then the rows are needed. Nothing was added.
  virtual bool add_block(size_t group, const BlockInput& block) = 0;
  virtual bool block_suffices(const BlockInput&) const { return true; }  // add_block() will not be false
  // Whether groups collected apart can be put together: kGroups: only when a group was never in both.
  enum class Merging { kNo, kGroups, kYes };
  virtual Merging merging() const { return Merging::kNo; }
  // `other` is of the same kind and saw later rows (of a later series, or of later times of the same). Its group g goes
  // to group targets[g] here, and is used up.
  virtual void merge(Aggregate& other, std::span<const uint32_t> targets);
  virtual void results(size_t from, size_t count, ColumnVector& out, EvalContext& context) = 0;
  virtual size_t group_bytes() const = 0;             // per group
  virtual bool approximate() const { return false; }  // some result is not exact
  size_t dynamic_bytes() const {
    return dynamic_bytes_;
  }  // beyond group_bytes: strings, sets, lists of values

 protected:
  size_t dynamic_bytes_ = 0;
};

struct AggregateSpec {
  AggregateKind kind = AggregateKind::kCountRows;
  SqlType argument = SqlType::kNull;  // its type; kNull for kCountRows
  double percentile = 0;
  int64_t unit_ns = 1'000'000'000;        // of rate, derivative, integral
  uint64_t exact_bytes_max = UINT64_MAX;  // of kPercentile
  size_t position = 0;
};

SqlType aggregate_result_type(const AggregateSpec& spec);
// Whether block statistics can answer it for a plain column of this type.
bool statistics_can_answer(const AggregateSpec& spec);
std::unique_ptr<Aggregate> make_aggregate(const AggregateSpec& spec);

}  // namespace varve
