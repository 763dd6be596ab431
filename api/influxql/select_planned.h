// The plain aggregates of a SELECT as a SELECT of api/query: one plan for both languages, so that block statistics,
// pruning and parallel scans answer InfluxQL, too. What the other language cannot say is left to select_rows.h.
// Errors:  those of execute_plan.
// Threads: one thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/influxql/select_points.h"
#include "api/influxql/select_rows.h"

namespace varve::influxql {

struct PlannedCall {
  const Expr* call = nullptr;
  TimeRange range;
};

struct PlannedSeries {
  RowGroup head;               // without rows
  std::vector<Points> points;  // by call
};

// Nullopt = it has to be done row by row. Series come by name and tags; points ascend.
QueryResult<std::optional<std::vector<PlannedSeries>>> run_planned(const SelectContext& context,
                                                                   const ResolvedSelect& select,
                                                                   const std::vector<PlannedCall>& calls,
                                                                   const CallOptions& options);

}  // namespace varve::influxql
