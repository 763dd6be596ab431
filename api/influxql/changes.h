// DROP DATABASE, DROP MEASUREMENT, DROP SERIES and DELETE: rows go, names of tables stay until nobody shows them (they
// have no rows). Rows of several tables go one table after the other: a failure leaves the later ones.
// Errors:  InfluxDB's; the store's (Engine::erase).
// Threads: the caller's.
#pragma once

#include <string>

#include "api/influxql/ast.h"
#include "api/influxql/databases.h"
#include "api/query/budget.h"
#include "storage/engine.h"

namespace varve::influxql {

struct ChangeContext {
  Engine& engine;
  Databases& databases;
  std::string database;
  int64_t now_ns = 0;
  QueryBudget& budget;
};

QueryResult<void> run_drop(const ChangeContext& context, const DropStatement& drop);

}  // namespace varve::influxql
