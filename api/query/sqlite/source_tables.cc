#include "api/query/sqlite/source_tables.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/query/planner.h"
#include "api/sql/text.h"

namespace varve {
namespace {

SqlType type_of(const ColumnInfo& column) {
  switch (column.kind) {
    case ColumnKind::kTime:
      return SqlType::kTimestamp;
    case ColumnKind::kTag:
      return SqlType::kString;
    case ColumnKind::kField:
      break;
  }
  return sql_type_of(column.type);
}

SqlType type_of(ResultType type) {
  switch (type) {
    case ResultType::kTimestamp:
      return SqlType::kTimestamp;
    case ResultType::kDouble:
      return SqlType::kDouble;
    case ResultType::kInt64:
      return SqlType::kInt64;
    case ResultType::kBool:
      return SqlType::kBool;
    case ResultType::kString:
      break;
  }
  return SqlType::kString;
}

}  // namespace

void SourceTable::reference_all() {
  for (SourceColumn& column : columns) column.referenced = true;
}

QueryResult<NamedTable> find_any_table(const Engine& engine, std::span<const SystemTable> system_tables,
                                       const TableName& name) {
  QueryResult<TableInfo> info = find_table(engine, name);
  if (info) return NamedTable(std::move(*info));
  QueryError& error = info.error();
  const bool may_be_system = name.database.empty() || equal_ignoring_case(name.database, kDefaultDatabase);
  if (error.code != "unknown_table" || !may_be_system) return tl::make_unexpected(std::move(error));
  std::vector<std::string> names;
  for (const SystemTable& table : system_tables) {
    if (equal_ignoring_case(table.name, name.name)) return NamedTable(&table);
    names.push_back(table.name);
  }
  const std::string hint = nearest_hint(name.name, names);
  if (!hint.empty() && !error.hint.starts_with("did you mean")) error.hint = hint;
  return tl::make_unexpected(std::move(error));
}

QueryResult<SourceTable*> SourceTables::add(std::unique_ptr<SourceTable> table) {
  auto& place = tables_[table->module];
  if (!place) place = std::move(table);
  return place.get();
}

QueryResult<SourceTable*> SourceTables::find(const TableName& name) {
  auto table = std::make_unique<SourceTable>();
  VARVE_QUERY_ASSIGN(NamedTable found, find_any_table(engine_, system_tables_, name));
  if (const auto* const system = std::get_if<const SystemTable*>(&found)) {
    table->system = *system;
    table->module = table->system->name;
    for (const ResultColumn& column : table->system->columns) {
      table->columns.push_back({column.name, column.name, type_of(column.type), ColumnKind::kField, false});
    }
    return add(std::move(table));
  }
  table->info = std::move(std::get<TableInfo>(found));
  table->module = fmt::format("{}.{}", table->info.database, table->info.name);
  std::set<std::string> folded;
  for (const ColumnInfo& column : table->info.columns) {
    std::string inside = column.name;
    while (!folded.insert(ascii_lower(inside)).second) inside += '\'';
    table->columns.push_back({column.name, inside, type_of(column), column.kind, false});
  }
  return add(std::move(table));
}

QueryResult<void> SourceTables::pin() {
  for (const auto& [module, table] : tables_) {
    if (table->system != nullptr) continue;
    auto pin = engine_.pin(table->info.database, table->info.name);
    if (!pin) return tl::make_unexpected(from_storage(pin.error()));
    table->pin = std::move(*pin);
  }
  return {};
}

std::vector<SourceTable*> SourceTables::all() const {
  std::vector<SourceTable*> list;
  for (const auto& [module, table] : tables_) list.push_back(table.get());
  return list;
}

}  // namespace varve
