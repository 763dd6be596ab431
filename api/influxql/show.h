// SHOW ...: what the store knows of itself, in the columns InfluxDB 1.x answers with.
//   - A database exists when it has rows, was created (databases.h) or is the default one; each has one retention policy,
//     autogen, which is for ever.
//   - WHERE time looks at rows, not at shards: SHOW TAG VALUES ... WHERE time > now() - 1h is exact.
//   - There are no users, continuous queries, subscriptions or shards: their lists are empty.
// Errors:  InfluxDB's: "database not found: x" ...
// Threads: the caller's.
#pragma once

#include <string>

#include "api/influxql/ast.h"
#include "api/influxql/databases.h"
#include "api/influxql/result.h"
#include "api/query/budget.h"
#include "storage/engine.h"

namespace varve::influxql {

struct ShowContext {
  const Engine& engine;
  const Databases& databases;
  const QueryService& queries;
  std::string database;
  int64_t now_ns = 0;
  QueryBudget& budget;
};

QueryResult<void> run_show(const ShowContext& context, const ShowStatement& show, ResultSink& sink);

}  // namespace varve::influxql
