// How a virtual table of the store is to be read, agreed with SQLite's planner: which constraints are applied here,
// which columns are read, and what that will cost.
// Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/query/sqlite/table_rows.h"

struct sqlite3_index_info;

namespace varve {

// A column of the virtual table.
struct DeclaredColumn {
  size_t source = 0;  // in SourceTable::columns
  ColumnKind kind = ColumnKind::kTime;
  SqlType type = SqlType::kTimestamp;
};

// Where a column of the virtual table is found in a row.
struct PlacedColumn {
  bool used = false;
  ColumnKind kind = ColumnKind::kTime;
  size_t place = 0;  // among the tags or fields that are read
};

struct PlannedConstraint {
  ConditionOp op = ConditionOp::kEqual;
  ColumnKind kind = ColumnKind::kTime;
  size_t place = 0;   // among the tags or fields that are read
  size_t source = 0;  // in SourceTable::columns
  bool is_text = false;
};

struct TablePlan {
  std::vector<PlannedConstraint> constraints;  // in order of the values
  std::vector<PlacedColumn> columns;           // as declared
  std::vector<std::string> tags;
  std::vector<std::string> fields;
  std::vector<FieldType> field_types;
  std::string text;  // for EXPLAIN: "time>= site="
};

struct PlanEstimate {
  double cost = 0;
  int64_t rows = 0;
};

std::string declared_type(SqlType type);
// nullopt: not a plan, an argument the rows depend on is not there yet.
std::optional<PlanEstimate> plan_table(const TableInfo& table, const std::vector<DeclaredColumn>& columns,
                                       sqlite3_index_info* info, TablePlan& plan);
void apply_constraint(const PlannedConstraint& constraint, const SourceTable& table, sqlite3_value* value,
                      RowsWanted& wanted);

}  // namespace varve
