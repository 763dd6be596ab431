#include "api/influxql/databases.h"

#include <algorithm>
#include <set>

#include "api/influxql/series.h"

namespace varve::influxql {

QueryResult<void> Databases::create(std::string_view name) {
  const auto created = engine_.create_database(name);
  if (created) return {};
  switch (created.error().code) {
    case ErrorCode::kInvalidArgument:
      return tl::make_unexpected(invalid_query("influxql", "invalid name", 0));
    case ErrorCode::kExhausted:
      return tl::make_unexpected(limit_error("database_limit", created.error().message));
    default:
      return tl::make_unexpected(from_storage(created.error()));
  }
}

QueryResult<void> Databases::forget(std::string_view name) {
  if (const auto forgotten = engine_.forget_database(name); !forgotten) {
    return tl::make_unexpected(from_storage(forgotten.error()));
  }
  return {};
}

QueryResult<std::vector<std::string>> Databases::names() const {
  const std::vector<std::string> created = engine_.created_databases();
  std::set<std::string, std::less<>> all(created.begin(), created.end());
  all.emplace(kDefaultDatabase);
  std::set<std::string, std::less<>> of_tables;
  for (const TableInfo& table : engine_.tables()) of_tables.insert(table.database);
  for (const std::string& name : of_tables) {
    if (all.contains(name)) continue;
    VARVE_QUERY_ASSIGN(const auto tables, find_tables(engine_, name, {}));
    if (!tables.empty()) all.insert(name);
  }
  return std::vector<std::string>(all.begin(), all.end());
}

QueryResult<bool> Databases::exists(std::string_view name) const {
  if (name == kDefaultDatabase) return true;
  const std::vector<std::string> created = engine_.created_databases();
  if (std::binary_search(created.begin(), created.end(), name)) return true;
  VARVE_QUERY_ASSIGN(const auto tables, find_tables(engine_, name, {}));
  return !tables.empty();
}

}  // namespace varve::influxql
