#include "api/influxql/explain.h"

#include <fmt/format.h>

#include "api/influxql/go_text.h"
#include "api/influxql/series.h"

namespace varve::influxql {
namespace {

class CountingSink final : public ResultSink {
 public:
  uint64_t series = 0;
  uint64_t row_count = 0;

  bool begin(const SeriesHead&) override {
    ++series;
    return true;
  }
  bool rows(const SeriesRows& batch) override {
    row_count += batch.rows;
    return true;
  }
};

QueryResult<void> add_sources(const SelectContext& context, const SelectStatement& select, std::string indent,
                              std::vector<std::string>& lines) {
  for (const Source& source : select.sources) {
    if (source.subquery) {
      lines.push_back(indent + "SUB-QUERY");
      VARVE_QUERY_TRY(add_sources(context, *source.subquery, indent + "  ", lines));
      continue;
    }
    const std::string& database = source.database.empty() ? context.database : source.database;
    std::vector<Source> named(1);
    named[0].name = source.name;
    named[0].is_regex = source.is_regex;
    VARVE_QUERY_ASSIGN(const auto tables, find_tables(context.engine, database, named));
    for (const TableInfo& table : tables) {
      lines.push_back(fmt::format("{}MEASUREMENT: {}.{} (about {} rows, {} series)", indent, table.database,
                                  table.name, table.rows, table.series));
    }
  }
  return {};
}

}  // namespace

QueryResult<void> run_explain(const SelectContext& context, const ExplainStatement& explain,
                              const Clock& clock, ResultSink& sink) {
  std::vector<std::string> lines;
  VARVE_QUERY_TRY(add_sources(context, *explain.select, "", lines));
  if (explain.analyze) {
    CountingSink counted;
    const int64_t begin = clock.monotonic_ns();
    VARVE_QUERY_TRY(run_select(context, *explain.select, counted));
    lines.push_back("EXECUTION TIME: " + duration_text(clock.monotonic_ns() - begin));
    lines.push_back(fmt::format("SERIES: {}", counted.series));
    lines.push_back(fmt::format("ROWS: {}", counted.row_count));
  }
  SeriesHead head;
  head.columns = {explain.analyze ? "EXPLAIN ANALYZE" : "QUERY PLAN"};
  SeriesRows rows;
  rows.columns.emplace_back(FieldType::kString);
  for (const std::string& line : lines) rows.columns[0].push_string(line);
  rows.rows = lines.size();
  if (rows.rows > 0 && sink.begin(head)) sink.rows(rows);
  return {};
}

}  // namespace varve::influxql
