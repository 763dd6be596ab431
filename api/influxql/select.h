// Runs an InfluxQL SELECT: its scans and aggregates are planned as SELECTs of api/query, what InfluxQL adds (series by
// GROUP BY tags, fill over the range of time, transformations over aggregates, slimit, sub-queries) happens here.
// Meaning, column names and order of answers are InfluxDB 1.x's.
// Errors:  the messages of InfluxDB 1.x where it has one (`code` is then influxql), else those of QueryService::run.
// Threads: the caller's.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "api/influxql/ast.h"
#include "api/influxql/result.h"
#include "api/query/budget.h"
#include "storage/engine.h"

namespace varve::influxql {

// The tables that a statement reads, each as it was when it was first read: a statement of several scans sees one state.
class TablePins {
 public:
  QueryResult<std::shared_ptr<const TablePin>> of(const Engine& engine, const std::string& database,
                                                  const std::string& table);

 private:
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const TablePin>> pins_;
};

struct SelectContext {
  const Engine& engine;
  std::string database;
  int64_t now_ns = 0;
  QueryBudget& budget;
  std::shared_ptr<TablePins> pins = std::make_shared<TablePins>();  // of one statement
};

QueryResult<void> run_select(const SelectContext& context, const SelectStatement& select, ResultSink& sink);

}  // namespace varve::influxql
