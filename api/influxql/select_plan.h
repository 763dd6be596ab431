// A SELECT resolved against the tables it reads: sources found, wildcards expanded, names typed, columns named, the
// condition split, what a sub-query takes over from the query around it.
// Errors:  influxql (in InfluxDB 1.x's words), invalid_time_zone.
// Threads: values; the plan borrows nothing from the statement.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/influxql/ast.h"
#include "api/influxql/select_condition.h"
#include "api/influxql/select_expr.h"
#include "api/influxql/select_window.h"
#include "storage/engine.h"

namespace varve::influxql {

struct ResolvedSelect;

struct ResolvedSource {  // one of the two
  std::optional<TableInfo> table;
  std::unique_ptr<ResolvedSelect> select;
};

struct ResolvedSelect {
  std::vector<ResolvedSource> sources;
  std::vector<Field> fields;         // names carry their type as a cast, kNone = there is no such thing
  std::vector<std::string> columns;  // by field
  std::vector<DataType> types;       // by field
  std::string time_name{kTimeColumn};
  std::vector<std::string> own_dimensions;  // tags of GROUP BY as written
  std::vector<std::string> dimensions;      // with those of the queries around it; sorted
  ExprPtr condition;                        // without time; null = every row
  TimeBounds time;
  Window window;
  Fill fill;
  bool descending = false;
  int64_t limit = 0;
  int64_t offset = 0;
  int64_t series_limit = 0;
  int64_t series_offset = 0;
  std::vector<const Expr*> calls;  // the functions of `fields` but math, each once; empty = a raw query

  TimeRange range() const;
};

// Of several sources: the types of the names that can be read.
struct SourceSchema {
  std::map<std::string, DataType> fields;
  std::set<std::string> tags;
  DataType type_of(const std::string& name) const;
};
SourceSchema schema_of(const std::vector<ResolvedSource>& sources);

QueryResult<ResolvedSelect> resolve_select(const Engine& engine, const std::string& database, int64_t now_ns,
                                           const SelectStatement& select, const ResolvedSelect* outer);

}  // namespace varve::influxql
