#include "api/influxql/databases.h"

#include <fmt/format.h>

#include "api/influxql/series.h"

namespace varve::influxql {

QueryResult<void> Databases::create(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax) {
    return tl::make_unexpected(invalid_query("influxql", "invalid name", 0));
  }
  const std::lock_guard lock(mutex_);
  if (created_.size() >= kCreatedMax && created_.find(name) == created_.end()) {
    return tl::make_unexpected(
        limit_error("database_limit", fmt::format("more than {} databases were created", kCreatedMax)));
  }
  created_.emplace(name);
  return {};
}

void Databases::forget(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = created_.find(name); found != created_.end()) created_.erase(found);
}

QueryResult<std::vector<std::string>> Databases::names() const {
  std::set<std::string, std::less<>> all;
  {
    const std::lock_guard lock(mutex_);
    all = created_;
  }
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
  {
    const std::lock_guard lock(mutex_);
    if (created_.contains(name)) return true;
  }
  VARVE_QUERY_ASSIGN(const auto tables, find_tables(engine_, name, {}));
  return !tables.empty();
}

}  // namespace varve::influxql
