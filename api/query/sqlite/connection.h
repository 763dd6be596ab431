// One private SQLite in memory, as one statement needs it: our functions, the statement's tables, and nothing allowed
// but reading them.
// Errors:  those of prepare and step, with their place in the statement where SQLite tells it.
// Threads: one thread.
#pragma once

#include <memory>

#include "api/query/sqlite/source_tables.h"
#include "api/query/sqlite/statement_context.h"
#include "api/query/sqlite/token_text.h"

struct sqlite3;
struct sqlite3_stmt;

namespace varve {

class Connection {
 public:
  // All must outlive the connection.
  static QueryResult<std::unique_ptr<Connection>> open(const SourceTables& tables, StatementContext& context);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  QueryResult<void> prepare(const std::string& sql, const TokenText& text);
  QueryResult<bool> step();  // false at the end
  sqlite3_stmt* statement() const { return statement_; }

 private:
  explicit Connection(StatementContext& context) : context_(context) {}
  QueryResult<void> set_up(const SourceTables& tables);
  QueryError failure(int code, const TokenText* text) const;

  StatementContext& context_;
  sqlite3* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace varve
