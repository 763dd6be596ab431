// The rows a SELECT works on: of its tables and sub-queries, after WHERE, put together by measurement and the tags of
// GROUP BY, each group by time. A row stays when one of the fields asked for has a value.
// Memory: all rows at once, counted against the budget.
// Errors:  as execute of sub-queries; memory_limit, timeout, cancelled; the store's.
// Threads: one thread.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "api/influxql/select.h"
#include "api/influxql/select_plan.h"
#include "storage/model/column.h"

namespace varve::influxql {

using TagSet = std::vector<std::pair<std::string, std::string>>;  // by name

struct RowGroup {
  std::string name;
  TagSet tags;  // the tags of GROUP BY; "" where the series has none
  std::vector<int64_t> times;
  std::vector<ColumnVector> columns;
};

// A column to read.
struct ColumnRef {
  std::string name;
  DataType type = DataType::kUnknown;
  bool argument = false;  // of a function, which sees no tags of a table
};

// Hands on a group of rows of a sub-query; false = enough.
using GroupSink = std::function<QueryResult<bool>(RowGroup&)>;

// Runs a resolved SELECT; groups come in its order of series, and perhaps in several pieces.
QueryResult<void> execute_select(const SelectContext& context, const ResolvedSelect& select,
                                 const GroupSink& sink);

// Of `sources`, which are some of the query's. Ascending by time whatever its order; groups by name and tags.
// `all_groups`: how many there would be with those that have no rows in the range.
QueryResult<std::vector<RowGroup>> read_rows(const SelectContext& context, const ResolvedSelect& select,
                                             std::span<const ResolvedSource> sources,
                                             const std::vector<ColumnRef>& columns, const TimeRange& range,
                                             MemoryUse& memory, size_t* all_groups = nullptr);
void reverse_rows(RowGroup& group);

}  // namespace varve::influxql
