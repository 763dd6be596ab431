#include <sqlite3.h>

#include "api/query/sqlite/guarded.h"
#include "api/query/sqlite/table_module.h"
#include "api/query/sqlite/table_plan.h"
#include "api/query/sqlite/token_text.h"

namespace varve {
namespace {

using Rows = std::vector<std::vector<Value>>;

struct Table : sqlite3_vtab {
  const SystemTable* source = nullptr;
  std::optional<Rows> rows;  // as they were when the statement first read them
};

struct Cursor : sqlite3_vtab_cursor {
  size_t row = 0;
};

int connect(sqlite3* database, void* data, int, const char* const*, sqlite3_vtab** made, char** why) {
  const auto& source = *static_cast<const SourceTable*>(data);
  auto table = std::make_unique<Table>();
  static_cast<sqlite3_vtab&>(*table) = {};
  table->source = source.system;
  std::string sql = "CREATE TABLE t(";
  for (size_t i = 0; i < source.columns.size(); ++i) {
    if (i > 0) sql += ", ";
    sql += quoted_name(source.columns[i].sqlite_name) + " " + declared_type(*source.columns[i].type);
  }
  const int declared = sqlite3_declare_vtab(database, (sql + ")").c_str());
  if (declared != SQLITE_OK) {
    *why = sqlite3_mprintf("%s", sqlite3_errmsg(database));
    return declared;
  }
  *made = table.release();
  return SQLITE_OK;
}

int best_index(sqlite3_vtab*, sqlite3_index_info* info) {
  constexpr double kRowsGuessed = 100;
  info->estimatedCost = kRowsGuessed;
  info->estimatedRows = static_cast<sqlite3_int64>(kRowsGuessed);
  return SQLITE_OK;
}

int filter(sqlite3_vtab_cursor* cursor, int, const char*, int, sqlite3_value**) {
  static_cast<Cursor*>(cursor)->row = 0;
  auto& table = *static_cast<Table*>(cursor->pVtab);
  if (!table.rows) table.rows = table.source->rows();
  return SQLITE_OK;
}

int advance(sqlite3_vtab_cursor* cursor) {
  ++static_cast<Cursor*>(cursor)->row;
  return SQLITE_OK;
}

int at_end(sqlite3_vtab_cursor* cursor) {
  const auto& table = *static_cast<const Table*>(cursor->pVtab);
  return static_cast<Cursor*>(cursor)->row >= table.rows->size() ? 1 : 0;
}

// The rows stay as they are while the statement runs, so texts need no copy.
int give_column(sqlite3_vtab_cursor* cursor, sqlite3_context* context, int index) {
  const auto& table = *static_cast<const Table*>(cursor->pVtab);
  const Value& value = (*table.rows)[static_cast<Cursor*>(cursor)->row][static_cast<size_t>(index)];
  if (const auto* real = std::get_if<double>(&value)) {
    sqlite3_result_double(context, *real);
  } else if (const auto* whole = std::get_if<int64_t>(&value)) {
    sqlite3_result_int64(context, *whole);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    sqlite3_result_int(context, *flag ? 1 : 0);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    sqlite3_result_text64(context, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  return SQLITE_OK;
}

int give_rowid(sqlite3_vtab_cursor* cursor, sqlite3_int64* rowid) {
  *rowid = static_cast<sqlite3_int64>(static_cast<Cursor*>(cursor)->row);
  return SQLITE_OK;
}

sqlite3_module system_module() {
  sqlite3_module module = {};
  module.iVersion = 2;
  module.xConnect = guarded<connect>;
  module.xBestIndex = best_index;
  module.xDisconnect = disconnect<Table>;
  module.xOpen = guarded<open_cursor<Cursor>>;
  module.xClose = close_cursor<Cursor>;
  module.xFilter = guarded<filter>;
  module.xNext = advance;
  module.xEof = at_end;
  module.xColumn = give_column;
  module.xRowid = give_rowid;
  return module;
}

}  // namespace

bool register_system_table(sqlite3* database, const SourceTable& table) {
  static const sqlite3_module module = system_module();
  return sqlite3_create_module_v2(database, table.module.c_str(), &module, const_cast<SourceTable*>(&table),
                                  nullptr) == SQLITE_OK;
}

}  // namespace varve
