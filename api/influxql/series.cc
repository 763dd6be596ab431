#include "api/influxql/series.h"

#include <algorithm>

namespace varve::influxql {
namespace {

// The row count of a table is an upper bound as long as deleted rows wait for compaction.
QueryResult<bool> has_rows(const Engine& engine, const TableInfo& table) {
  if (table.rows == 0) return false;
  if (engine.status().tombstones == 0) return true;
  ScanRequest request;
  request.database = table.database;
  request.table = table.name;
  request.may_use_statistics = true;
  const auto scan = engine.scan(std::move(request));
  if (!scan) return tl::make_unexpected(from_storage(scan.error()));
  ScanBlock block;
  const auto more = (*scan)->next(block);
  if (!more) return tl::make_unexpected(from_storage(more.error()));
  return *more;
}

struct NameTest {
  std::string name;
  std::optional<Regex> regex;
  bool matches(std::string_view table) const { return regex ? regex->matches(table) : table == name; }
};

QueryResult<std::vector<NameTest>> name_tests(const std::vector<Source>& sources) {
  std::vector<NameTest> tests;
  for (const Source& source : sources) {
    NameTest& test = tests.emplace_back();
    test.name = source.name;
    if (source.is_regex) {
      VARVE_QUERY_ASSIGN(test.regex, Regex::compile(source.name));
    }
  }
  return tests;
}

}  // namespace

QueryResult<std::vector<TableInfo>> find_tables(const Engine& engine, std::string_view database,
                                                const std::vector<Source>& sources) {
  VARVE_QUERY_ASSIGN(const std::vector<NameTest> tests, name_tests(sources));
  std::vector<TableInfo> found;
  for (TableInfo& table : engine.tables()) {
    if (table.database != database) continue;
    const bool named = tests.empty() || std::any_of(tests.begin(), tests.end(), [&](const NameTest& test) {
                         return test.matches(table.name);
                       });
    if (!named) continue;
    VARVE_QUERY_ASSIGN(const bool filled, has_rows(engine, table));
    if (filled) found.push_back(std::move(table));
  }
  return found;
}

QueryResult<void> for_each_series(const Engine& engine, const TableInfo& table, const Condition& condition,
                                  QueryBudget& budget,
                                  const std::function<QueryResult<void>(const SeriesTags&)>& each) {
  if (condition.time().empty()) return {};
  ScanRequest request;
  request.database = table.database;
  request.table = table.name;
  request.time = condition.time();
  request.may_use_statistics = true;  // that there are rows is all that is asked
  if (condition.asks_tags()) {
    request.series_filter = [&](const SeriesTags& tags) { return condition.holds(tags); };
  }
  const auto scan = engine.scan(std::move(request));
  if (!scan) return tl::make_unexpected(from_storage(scan.error()));
  ScanBlock block;
  std::optional<SeriesId> seen;
  while (true) {
    VARVE_QUERY_TRY(budget.check());
    const auto more = (*scan)->next(block);
    if (!more) return tl::make_unexpected(from_storage(more.error()));
    if (!*more) return {};
    if (seen == block.series) continue;
    seen = block.series;
    VARVE_QUERY_TRY(each((*scan)->tags(block.series)));
  }
}

std::vector<std::string> tag_names(const TableInfo& table) {
  std::vector<std::string> names;
  for (const ColumnInfo& column : table.columns) {
    if (column.kind == ColumnKind::kTag) names.push_back(column.name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<ColumnInfo> fields(const TableInfo& table) {
  std::vector<ColumnInfo> found;
  for (const ColumnInfo& column : table.columns) {
    if (column.kind == ColumnKind::kField) found.push_back(column);
  }
  std::sort(found.begin(), found.end(),
            [](const ColumnInfo& a, const ColumnInfo& b) { return a.name < b.name; });
  return found;
}

}  // namespace varve::influxql
