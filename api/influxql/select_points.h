// What functions make of the rows of one group: points, in the query's order of time.
// Threads: values; pure functions.
#pragma once

#include <cstdint>
#include <vector>

#include "api/influxql/ast.h"
#include "api/influxql/select_window.h"
#include "storage/model/column.h"

namespace varve::influxql {

constexpr uint32_t kNoRow = UINT32_MAX;  // a point that fill() made

struct Points {
  std::vector<int64_t> times;
  ColumnVector values;
  // Of selectors: the row each point is of, for the fields beside them; else empty.
  std::vector<uint32_t> rows;

  size_t size() const { return times.size(); }
};

// How a function sees the query: an outer derivative() has its input begin earlier than the answer.
struct CallOptions {
  TimeRange range;
  Window window;
  Fill fill;
  bool descending = false;
  // The only function of the query, and it picks rows: without GROUP BY time() its points keep their own times.
  bool lone_selector = false;
};

// The rows [from, to) of a group that a function works on.
struct RowSpan {
  const std::vector<int64_t>& times;
  size_t from = 0;
  size_t to = 0;
};
// Those within the range; `times` ascend, or descend.
RowSpan rows_within(const std::vector<int64_t>& times, const TimeRange& range, bool descending);

}  // namespace varve::influxql
