// EXPLAIN names the tables a SELECT reads, with their size; EXPLAIN ANALYZE runs it and tells what it took.
// Errors:  those of the SELECT.
// Threads: the caller's.
#pragma once

#include "api/influxql/ast.h"
#include "api/influxql/result.h"
#include "api/influxql/select.h"
#include "storage/base/clock.h"

namespace varve::influxql {

QueryResult<void> run_explain(const SelectContext& context, const ExplainStatement& explain,
                              const Clock& clock, ResultSink& sink);

}  // namespace varve::influxql
