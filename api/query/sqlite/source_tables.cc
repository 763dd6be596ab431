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

const SystemTable* find_system_table(std::span<const SystemTable> tables, const TableName& name) {
  if (!name.database.empty() && !equal_ignoring_case(name.database, kDefaultDatabase)) return nullptr;
  const auto found = std::find_if(tables.begin(), tables.end(), [&](const SystemTable& table) {
    return equal_ignoring_case(table.name, name.name);
  });
  return found == tables.end() ? nullptr : &*found;
}

QueryResult<SourceTable*> SourceTables::add(std::unique_ptr<SourceTable> table) {
  auto& place = tables_[table->module];
  if (!place) place = std::move(table);
  return place.get();
}

QueryResult<SourceTable*> SourceTables::find(const TableName& name) {
  auto table = std::make_unique<SourceTable>();
  QueryResult<TableInfo> info = find_table(engine_, name);
  if (!info) {
    table->system = info.error().code == "unknown_table" ? find_system_table(system_tables_, name) : nullptr;
    if (table->system == nullptr) return tl::make_unexpected(std::move(info.error()));
    table->module = table->system->name;
    for (const ResultColumn& column : table->system->columns) {
      table->columns.push_back({column.name, column.name, type_of(column.type), ColumnKind::kField, false});
    }
    return add(std::move(table));
  }
  table->info = std::move(*info);
  table->module = fmt::format("{}.{}", table->info.database, table->info.name);
  std::set<std::string> folded;
  for (const ColumnInfo& column : table->info.columns) {
    std::string inside = column.name;
    while (!folded.insert(ascii_lower(inside)).second) inside += '\'';
    table->columns.push_back({column.name, inside, type_of(column), column.kind, false});
  }
  return add(std::move(table));
}

std::vector<SourceTable*> SourceTables::all() const {
  std::vector<SourceTable*> list;
  for (const auto& [module, table] : tables_) list.push_back(table.get());
  return list;
}

}  // namespace varve
