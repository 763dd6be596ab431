#include "api/query/table_scope.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "storage/base/check.h"

namespace varve {

Result<TableScope> TableScope::parse(const std::vector<std::string>& names) {
  TableScope scope;
  for (const std::string& name : names) {
    const size_t dot = name.find('.');
    if (dot == std::string::npos && !name.empty() && name != "*") {
      scope.names_.push_back(fmt::format("{}.{}", kDefaultDatabase, name));
    } else if (dot != std::string::npos && dot > 0 && dot + 1 < name.size()) {
      scope.names_.push_back(name);
    } else {
      return invalid_argument(fmt::format(
          "\"{}\" names no table; write TABLE, DATABASE.TABLE, or DATABASE.* for all of a database", name));
    }
  }
  return scope;
}

bool TableScope::allows(std::string_view database, std::string_view table) const {
  return std::any_of(names_.begin(), names_.end(), [&](std::string_view name) {
    const size_t dot = name.find('.');
    const std::string_view wanted = name.substr(dot + 1);
    return name.substr(0, dot) == database && (wanted == "*" || wanted == table);
  });
}

std::string TableScope::text() const {
  return fmt::format("{}", fmt::join(names_, ", "));
}

Result<void> ScopedEngine::check(std::string_view database, std::string_view table) const {
  if (scope_->allows(database, table)) return {};
  return not_found(fmt::format("no table {}.{} among those of the token", database, table));
}

Result<void> ScopedEngine::create_database(std::string_view name) {
  if (!scope_->allows_all_of(name)) return unsupported(fmt::format("database {} is not the token's", name));
  return engine_.create_database(name);
}

Result<void> ScopedEngine::forget_database(std::string_view name) {
  if (!scope_->allows_all_of(name)) return unsupported(fmt::format("database {} is not the token's", name));
  return engine_.forget_database(name);
}

std::vector<std::string> ScopedEngine::created_databases() const {
  std::vector<std::string> names = engine_.created_databases();
  std::erase_if(names, [&](const std::string& name) { return !scope_->allows_all_of(name); });
  return names;
}

std::vector<TableInfo> ScopedEngine::tables() const {
  std::vector<TableInfo> tables = engine_.tables();
  std::erase_if(tables, [&](const TableInfo& one) { return !scope_->allows(one.database, one.name); });
  return tables;
}

Result<TableInfo> ScopedEngine::describe(std::string_view database, std::string_view table) const {
  VARVE_TRY(check(database, table));
  return engine_.describe(database, table);
}

std::vector<SegmentInfo> ScopedEngine::segments() const {
  std::vector<SegmentInfo> segments = engine_.segments();
  std::erase_if(segments, [&](const SegmentInfo& one) { return !scope_->allows(one.database, one.table); });
  return segments;
}

Result<std::unique_ptr<Scan>> ScopedEngine::scan(ScanRequest request) const {
  VARVE_TRY(check(request.database, request.table));
  return engine_.scan(std::move(request));
}

Result<std::shared_ptr<const TablePin>> ScopedEngine::pin(std::string_view database,
                                                          std::string_view table) const {
  VARVE_TRY(check(database, table));
  return engine_.pin(database, table);
}

Result<DeleteOutcome> ScopedEngine::erase(DeleteRequest request) {
  VARVE_TRY(check(request.database, request.table));
  return engine_.erase(std::move(request));
}

AdmittedWrite ScopedEngine::admit(std::vector<RowBatch> batches) {
  VARVE_CHECK(batches.empty());  // no query writes
  return {};
}

Result<void> ScopedEngine::append(AdmittedWrite&&, AppendDone) {
  return unsupported("a query does not write");
}

Result<std::unique_ptr<LogCursor>> ScopedEngine::open_cursor(std::string_view) {
  return unsupported("a query does not read the log");
}

std::unique_ptr<RowWatch> ScopedEngine::watch(std::string_view database, std::string_view table,
                                              std::function<void()> wake) {
  VARVE_CHECK(scope_->allows(database, table));
  return engine_.watch(database, table, std::move(wake));
}

void ScopedEngine::set_retention(int64_t, const std::map<std::string, int64_t>&) {
  VARVE_CHECK(false);  // no query changes it
}

Result<void> ScopedEngine::flush() {
  return unsupported("a query does not flush");
}

Result<void> ScopedEngine::compact() {
  return unsupported("a query does not compact");
}

}  // namespace varve
