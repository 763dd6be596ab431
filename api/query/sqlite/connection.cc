#include "api/query/sqlite/connection.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <string_view>

#include "api/query/sqlite/sql_functions.h"
#include "api/query/sqlite/table_module.h"
#include "api/query/sqlite/temp_files.h"
#include "storage/base/units.h"

namespace varve {
namespace {

// Steps of SQLite's machine between two looks at the clock: some 20 us. Guessed.
constexpr int kStepsPerCheck = 2000;

struct Limit {
  int id;
  int value;
};
constexpr Limit kLimits[] = {
    {SQLITE_LIMIT_LENGTH, 16 << 20},  // of one value, bytes; stored ones have up to 1 MiB
    {SQLITE_LIMIT_COMPOUND_SELECT, 100}, {SQLITE_LIMIT_VDBE_OP, 1'000'000},
    {SQLITE_LIMIT_ATTACHED, 0},          {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 0},   {SQLITE_LIMIT_TRIGGER_DEPTH, 0},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

// The translator lets only SELECT through, naming only our tables and the functions it knows; this is the second lock.
int authorize(void*, int action, const char*, const char* name, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return sqlite3_stricmp(name, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    default:
      return SQLITE_DENY;
  }
}

int on_progress(void* data) {
  auto& context = *static_cast<StatementContext*>(data);
  if (auto checked = context.budget.check(); !checked) context.fail(checked.error());
  if (auto fits = context.used.set(context.memory.bytes()); !fits) context.fail(fits.error());
  return context.error ? 1 : 0;
}

struct Meaning {
  std::string_view part;  // of SQLite's message
  std::string_view code;
  std::string_view hint;
};
constexpr Meaning kMeanings[] = {
    {"syntax error", "sql_syntax", ""},
    {"incomplete input", "sql_syntax", ""},
    {"ambiguous column name", "ambiguous_column", "name its table: t.column"},
    {"no such column", "unknown_column", ""},
    {"no such function", "unknown_function", ""},
    {"wrong number of arguments", "wrong_arguments", ""},
    {"misuse of", "misplaced_aggregate", "filter groups with HAVING; filter windows in an outer SELECT"},
    {"may not be used as a window function", "wrong_arguments", "first_value(), last_value() and avg() can"},
    {"integer overflow", "overflow", "cast an operand to double"},
    {"stack overflow", "sql_too_deep", ""},
    {"Expression tree is too large", "sql_too_deep", ""},
    {"too many", "sql_too_large", ""},
    {"string or blob too big", "value_too_long", "a value may have 16 MiB"},
};

}  // namespace

QueryError Connection::failure(int code, const TokenText* text) const {
  if (context_.error) return *context_.error;
  if (code == SQLITE_NOMEM || code == SQLITE_FULL || context_.memory.refused()) {
    QueryError error =
        limit_error("memory_limit", fmt::format("the query needs more than query.max_memory = {}",
                                                format_bytes(context_.budget.max_memory_bytes())));
    error.hint = "join or sort fewer rows, add LIMIT, or raise query.max_memory";
    return error;
  }
  QueryError error{QueryErrorKind::kInvalid, "sql_error", sqlite3_errmsg(database_), std::nullopt, {}};
  for (const Meaning& meaning : kMeanings) {
    if (error.message.find(meaning.part) == std::string::npos) continue;
    error.code = meaning.code;
    error.hint = meaning.hint;
    break;
  }
  if (const int offset = sqlite3_error_offset(database_); text != nullptr && offset >= 0) {
    error.position = text->position_of(static_cast<size_t>(offset));
  }
  return error;
}

QueryResult<std::unique_ptr<Connection>> Connection::open(const SourceTables& tables,
                                                          StatementContext& context) {
  if (!QueryMemory::counts()) {
    return tl::make_unexpected(QueryError{QueryErrorKind::kInternal,
                                          "internal",
                                          "SQLite was in use before its memory could be counted",
                                          std::nullopt,
                                          {}});
  }
  std::unique_ptr<Connection> connection(new Connection(context));
  VARVE_QUERY_TRY(connection->set_up(tables));
  return connection;
}

QueryResult<void> Connection::set_up(const SourceTables& tables) {
  constexpr int kFlags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
  // Sorters write runs of 2 MiB to temporary files, and those are memory, which is counted. With temp_store = MEMORY all
  // rows would be sorted in one step, which no deadline ends: measured 1.5 s for 2 million rows, and 0.03 s this way.
  const char* const vfs = temp_file_vfs();
  int code = vfs == nullptr ? SQLITE_ERROR : sqlite3_open_v2(":memory:", &database_, kFlags, vfs);
  if (code == SQLITE_OK) {
    code = sqlite3_exec(database_, "PRAGMA temp_store = FILE", nullptr, nullptr, nullptr);
  }
  if (code != SQLITE_OK) return tl::make_unexpected(failure(code, nullptr));
  sqlite3_db_config(database_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, nullptr);
  sqlite3_db_config(database_, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);  // "x" is a name, never a string
  sqlite3_db_config(database_, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  for (const Limit& limit : kLimits) sqlite3_limit(database_, limit.id, limit.value);
  bool registered = register_functions(database_, context_) && register_aggregates(database_);
  for (const SourceTable* table : tables.all()) {
    registered = registered && (table->system != nullptr ? register_system_table(database_, *table)
                                                         : register_table(database_, *table, context_));
  }
  if (!registered) return tl::make_unexpected(failure(sqlite3_errcode(database_), nullptr));
  std::set<std::string> modules = tables.functions();
  for (const SourceTable* table : tables.all()) modules.insert(table->module);
  for (const std::string& module : modules) {  // connects it: declaring its columns is more than reading
    const std::string sql = "SELECT 1 FROM " + quoted_name(module);
    sqlite3_stmt* statement = nullptr;
    code = sqlite3_prepare_v2(database_, sql.c_str(), -1, &statement, nullptr);
    sqlite3_finalize(statement);
    if (code != SQLITE_OK) return tl::make_unexpected(failure(code, nullptr));
  }
  sqlite3_progress_handler(database_, kStepsPerCheck, on_progress, &context_);
  sqlite3_set_authorizer(database_, authorize, nullptr);
  return {};
}

Connection::~Connection() {
  context_.memory.refuse_nothing();
  sqlite3_finalize(statement_);
  sqlite3_close(database_);
}

QueryResult<void> Connection::prepare(const std::string& sql, const TokenText& text) {
  const int code =
      sqlite3_prepare_v2(database_, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr);
  if (code != SQLITE_OK) return tl::make_unexpected(failure(code, &text));
  if (sqlite3_stmt_readonly(statement_) == 0) {
    return tl::make_unexpected(invalid_query("read_only", "only SELECT can be run", 0));
  }
  return {};
}

QueryResult<bool> Connection::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE && !context_.error) return false;
  return tl::make_unexpected(failure(code, nullptr));
}

}  // namespace varve
