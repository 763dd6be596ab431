#include "api/influxql/changes.h"

#include <algorithm>

#include "api/influxql/condition.h"
#include "api/influxql/series.h"

namespace varve::influxql {
namespace {

tl::unexpected<QueryError> refused(std::string message) {
  return tl::make_unexpected(invalid_query("influxql", std::move(message), 0));
}

QueryResult<void> check_tags_only(const Condition& condition, const TableInfo& table) {
  const std::vector<ColumnInfo> of_table = fields(table);
  for (const TagTest& test : condition.tests()) {
    const bool field = std::any_of(of_table.begin(), of_table.end(),
                                   [&](const ColumnInfo& column) { return column.name == test.tag; });
    if (field || !test.of_tag) return refused("fields not supported in WHERE clause during deletion");
  }
  return {};
}

QueryResult<void> erase(const ChangeContext& context, const TableInfo& table, const Condition& condition) {
  VARVE_QUERY_TRY(context.budget.check());
  DeleteRequest request;
  request.database = table.database;
  request.table = table.name;
  request.time = condition.time();
  if (request.time.empty()) return {};
  if (condition.asks_tags()) {
    request.series_filter = [&](const SeriesTags& tags) -> Result<bool> { return condition.holds(tags); };
  }
  const auto erased = context.engine.erase(std::move(request));
  if (!erased && erased.error().code != ErrorCode::kNotFound) {
    return tl::make_unexpected(from_storage(erased.error()));
  }
  return {};
}

QueryResult<void> drop_database(const ChangeContext& context, const std::string& name) {
  VARVE_QUERY_ASSIGN(const auto tables, find_tables(context.engine, name, {}));
  for (const TableInfo& table : tables) VARVE_QUERY_TRY(erase(context, table, Condition()));
  return context.databases.forget(name);
}

}  // namespace

QueryResult<void> run_drop(const ChangeContext& context, const DropStatement& drop) {
  using What = DropStatement::What;
  if (drop.what == What::kDatabase) return drop_database(context, drop.name);
  if (context.database.empty()) return refused("database name required");
  VARVE_QUERY_ASSIGN(const bool exists, context.databases.exists(context.database));
  if (!exists) return refused("database not found: " + context.database);
  std::vector<Source> named;
  if (drop.what == What::kMeasurement) named.emplace_back().name = drop.name;
  VARVE_QUERY_ASSIGN(const Condition condition, Condition::parse(drop.condition.get(), context.now_ns));
  if (drop.what == What::kSeries && condition.bounds_time()) {
    return refused("DROP SERIES doesn't support time in WHERE clause");
  }
  VARVE_QUERY_ASSIGN(const auto tables, find_tables(context.engine, context.database,
                                                    drop.what == What::kMeasurement ? named : drop.sources));
  for (const TableInfo& table : tables) VARVE_QUERY_TRY(check_tags_only(condition, table));
  for (const TableInfo& table : tables) VARVE_QUERY_TRY(erase(context, table, condition));
  return {};
}

}  // namespace varve::influxql
