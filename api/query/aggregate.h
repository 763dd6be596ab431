// Aggregate functions: one state per group, fed by runs of rows of one group, by rows with a group each, or by the
// statistics of a whole block.
//   NULLs take part in nothing but count(*). sum of nothing is NULL. sum of int64 is exact or the error `overflow`.
//   first, last: the value at the smallest, largest time; of equal times the first, last met (series order).
//   variance, stddev: of a sample (n - 1). percentile(x, p): p in 0..100, exact, interpolated between neighbours.
// Threads: an aggregate belongs to one query on one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
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
};

struct AggregateInput {
  VectorView argument;  // unset for kCountRows
  const int64_t* times = nullptr;
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
  // False when the statistics cannot tell: then the rows are needed.
  virtual bool add_block(size_t group, const BlockInput& block) = 0;
  virtual void results(size_t from, size_t count, ColumnVector& out, EvalContext& context) = 0;
  virtual size_t group_bytes() const = 0;  // per group
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
  size_t position = 0;
};

SqlType aggregate_result_type(const AggregateSpec& spec);
// Whether block statistics can answer it for a plain column of this type.
bool statistics_can_answer(const AggregateSpec& spec);
std::unique_ptr<Aggregate> make_aggregate(const AggregateSpec& spec);

}  // namespace varve
