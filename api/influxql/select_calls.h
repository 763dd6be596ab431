// A function of the query on one group of rows, with what it is nested in and the gaps it fills.
//   rows -> reduce per bucket -> fill -> derivative(), moving_average() ...
// Errors:  influxql: max-select-buckets limit exceeded; memory_limit, timeout, cancelled.
// Threads: one thread.
#pragma once

#include <functional>

#include "api/influxql/select_points.h"
#include "api/influxql/select_rows.h"

namespace varve::influxql {

// Buckets that fill() may make of one series. Guessed: a year of minutes fits; a slip of the units ends here rather than
// in memory.
constexpr int64_t kBucketsMax = 1'000'000;

// Of an argument: the name's column in the groups.
using ColumnOf = std::function<size_t(const Expr& name)>;
// Points of an innermost function that were found another way than from rows; null = they were not.
using KnownPoints = std::function<const Points*(const Expr& call, const TimeRange& range)>;

class SeriesCalls {
 public:
  SeriesCalls(QueryBudget& budget, const RowGroup& group, const ColumnOf& column_of, const KnownPoints& known)
      : budget_(budget), group_(group), column_of_(column_of), known_(known) {}

  QueryResult<Points> evaluate(const Expr& call, const CallOptions& options);

 private:
  QueryResult<Points> evaluate_input(const Expr& argument, const CallOptions& options);
  QueryResult<Points> evaluate_holt_winters(const Expr& call, const CallOptions& options);
  Points reduced(const Expr& call, const CallOptions& options);

  QueryBudget& budget_;
  const RowGroup& group_;
  const ColumnOf& column_of_;
  const KnownPoints& known_;
};

// The range of time the input of derivative(), moving_average() ... is read from, so that the first bucket of the answer
// has what comes before it.
TimeRange input_range(const Expr& call, const CallOptions& options);

// Calls f(innermost function, its range) for a function and the functions in it.
void for_innermost(const Expr& call, const CallOptions& options,
                   const std::function<void(const Expr&, const TimeRange&)>& f);

// Adds what fill() says for the buckets of the range that have no point.
QueryResult<Points> fill_gaps(const Points& points, bool is_count, const CallOptions& options);

}  // namespace varve::influxql
