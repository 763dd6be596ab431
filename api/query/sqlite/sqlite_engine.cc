#include "api/query/sqlite/sqlite_engine.h"

#include <sqlite3.h>

#include <map>

#include "api/query/sqlite/connection.h"
#include "api/query/sqlite/translator.h"
#include "api/query/sqlite/typed_rows.h"

namespace varve {
namespace {

// A table whose types change between planning and scanning is planned anew this often, as natively.
constexpr int kPlanAttemptsMax = 3;

QueryError schema_changing() {
  return {QueryErrorKind::kBusy,
          "schema_changing",
          "the table's columns keep changing; try again",
          std::nullopt,
          {}};
}

// The columns as SQLite sees them, should it count others than the translator.
std::vector<NamedType> outputs_of(sqlite3_stmt* statement, std::vector<NamedType> known) {
  const auto count = static_cast<size_t>(sqlite3_column_count(statement));
  if (known.size() == count) return known;
  std::vector<NamedType> outputs;
  for (size_t i = 0; i < count; ++i) {
    outputs.push_back({sqlite3_column_name(statement, static_cast<int>(i)), std::nullopt});
  }
  return outputs;
}

// False: a table's types have changed; nothing was handed out.
QueryResult<bool> run_once(const Engine& engine, const SqliteSelect& select, QueryBudget& budget,
                           ResultSink& sink, QueryStats& stats) {
  SourceTables tables(engine, select.system_tables);
  VARVE_QUERY_ASSIGN(const TranslatedSelect translated,
                     translate_select(select.sql, tables, select.parameters, select.now_ns));
  VARVE_QUERY_TRY(tables.pin());
  QueryMemory memory(budget.max_memory_bytes());
  StatementContext context{engine,       budget, memory, MemoryUse(budget), stats, translated.buckets,
                           std::nullopt, false};
  VARVE_QUERY_ASSIGN(const auto connection, Connection::open(tables, context));
  VARVE_QUERY_TRY(connection->prepare(translated.sql, translated.text));
  TypedRows rows(outputs_of(connection->statement(), translated.outputs), budget, sink);
  uint64_t rows_taken = 0;
  while (true) {
    QueryResult<bool> more = connection->step();
    if (context.types_changed) {
      if (rows.begun()) return tl::make_unexpected(schema_changing());
      return false;
    }
    if (!more) return tl::make_unexpected(std::move(more.error()));
    if (!*more) break;
    VARVE_QUERY_TRY(rows.add(connection->statement()));
    if (++rows_taken >= select.rows_max) break;
  }
  VARVE_QUERY_TRY(rows.finish());
  stats.row_count = rows.rows();
  return true;
}

}  // namespace

QueryResult<void> run_in_sqlite(const Engine& engine, const SqliteSelect& select, QueryBudget& budget,
                                ResultSink& sink, QueryStats& stats) {
  stats.engine = "sqlite";
  for (int attempt = 0; attempt < kPlanAttemptsMax; ++attempt) {
    VARVE_QUERY_ASSIGN(const bool done, run_once(engine, select, budget, sink, stats));
    if (done) return {};
  }
  return tl::make_unexpected(schema_changing());
}

QueryResult<std::vector<std::string>> explain_in_sqlite(const Engine& engine, const SqliteSelect& select,
                                                        QueryBudget& budget) {
  SourceTables tables(engine, select.system_tables);
  VARVE_QUERY_ASSIGN(const TranslatedSelect translated,
                     translate_select(select.sql, tables, select.parameters, select.now_ns));
  QueryMemory memory(budget.max_memory_bytes());
  QueryStats stats;
  StatementContext context{engine,       budget, memory, MemoryUse(budget), stats, translated.buckets,
                           std::nullopt, false};
  VARVE_QUERY_ASSIGN(const auto connection, Connection::open(tables, context));
  VARVE_QUERY_TRY(connection->prepare("EXPLAIN QUERY PLAN " + translated.sql, translated.text));
  std::vector<std::string> lines;
  std::map<int, size_t> depth_of;
  while (true) {
    VARVE_QUERY_ASSIGN(const bool more, connection->step());
    if (!more) return lines;
    sqlite3_stmt* const statement = connection->statement();  // id, parent, unused, text
    const auto parent = depth_of.find(sqlite3_column_int(statement, 1));
    const size_t depth = parent == depth_of.end() ? 0 : parent->second + 1;
    depth_of[sqlite3_column_int(statement, 0)] = depth;
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 3));
    lines.push_back(std::string(2 * depth, ' ') + (text != nullptr ? text : ""));
  }
}

}  // namespace varve
