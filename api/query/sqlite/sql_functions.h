// Our functions inside SQLite, and replacements of those of SQLite's whose time is not bounded by the length of what
// they are given.
//   concat; regexp (re2) like glob instr replace trim ltrim rtrim
//   varve_time(text or ns) varve_text(value, type) varve_bool(value) varve_bucket(grid, time): put in by the translator
//   aggregates: first last (x, time), median(x), percentile(x, p), stddev, variance, spread
// Errors:  into StatementContext::error.
// Threads: one connection on one thread.
#pragma once

#include "api/query/sqlite/statement_context.h"

struct sqlite3;

namespace varve {

// False: SQLite has no memory.
bool register_functions(sqlite3* database, StatementContext& context);
bool register_aggregates(sqlite3* database);

}  // namespace varve
