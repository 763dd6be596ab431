// A table of the store, and a system table, as read-only virtual tables of SQLite.
//   time INTEGER (ns), tags TEXT (absent = NULL), fields REAL, INTEGER, BOOLEAN (0 or 1) or TEXT; NaN is NULL
// Pushed down: the range of time (exactly), tags = IN IS NULL, fields compared with numbers, and which columns are used.
// A plan that SQLite runs again and again reads a copy of its rows from then on (table_rows.h), so a join on any columns
// looks rows up instead of scanning for each. Every scan of a table sees the state that SourceTable::pin has.
// Threads: one connection on one thread.
#pragma once

#include "api/query/sqlite/source_tables.h"
#include "api/query/sqlite/statement_context.h"

struct sqlite3;

namespace varve {

// The table is known to the connection by its module's name. Both must outlive it. False: SQLite has no memory.
bool register_table(sqlite3* database, const SourceTable& table, StatementContext& context);
bool register_system_table(sqlite3* database, const SourceTable& table);

}  // namespace varve
