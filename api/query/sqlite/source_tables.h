// The tables one statement reads, as SQLite is told of them: each is a virtual table of its own name with the columns
// the statement may name. Two columns whose names differ in case alone get two names inside, for SQLite folds case.
// Errors:  unknown_table with the nearest name, ambiguous_table.
// Threads: one query on one thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "api/query/scalar.h"
#include "api/query/system_table.h"
#include "api/sql/ast.h"

namespace varve {

using KnownType = std::optional<SqlType>;  // nullopt: only the values tell

struct SourceColumn {
  std::string name;
  std::string sqlite_name;
  KnownType type;
  ColumnKind kind = ColumnKind::kField;
  bool referenced = false;  // the statement names it, or may
};

struct SourceTable {
  std::string module;  // its name inside SQLite
  TableInfo info;      // of a table of the store
  const SystemTable* system = nullptr;
  std::vector<SourceColumn> columns;
  std::shared_ptr<const TablePin> pin;  // of a table of the store: what every scan of the statement reads

  void reference_all();
};

class SourceTables {
 public:
  SourceTables(const Engine& engine, std::span<const SystemTable> system_tables)
      : engine_(engine), system_tables_(system_tables) {}

  // The table lives as long as this.
  QueryResult<SourceTable*> find(const TableName& name);
  std::vector<SourceTable*> all() const;
  QueryResult<void> pin();  // each as it is now
  void use_function(std::string name) { functions_.insert(std::move(name)); }
  const std::set<std::string>& functions() const { return functions_; }  // table functions of SQLite's

 private:
  QueryResult<SourceTable*> add(std::unique_ptr<SourceTable> table);

  const Engine& engine_;
  const std::span<const SystemTable> system_tables_;
  std::map<std::string, std::unique_ptr<SourceTable>> tables_;  // by module
  std::set<std::string> functions_;
};

// The table of this name in the store, else the system table: bare or in the default database. The one found lives as
// long as `system_tables`.
using NamedTable = std::variant<TableInfo, const SystemTable*>;
QueryResult<NamedTable> find_any_table(const Engine& engine, std::span<const SystemTable> system_tables,
                                       const TableName& name);

}  // namespace varve
