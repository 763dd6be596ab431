// SQLite as the catalog uses it: statements, transactions, and rows that carry their own checksum.
// A checked table ends in a column `sum`: XXH3-64 of the table's name and the values before it. `meta` holds the number
// of rows of every checked table, so that a lost row is found as a changed one is.
// Errors: as catalog.h.
// Threads: one at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "storage/base/error.h"
#include "storage/base/file.h"

namespace varve {

class Statement {
 public:
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
  Statement& operator=(Statement&& other) noexcept {
    std::swap(statement_, other.statement_);
    return *this;
  }
  ~Statement() { sqlite3_finalize(statement_); }

  void bind(std::string_view text);
  void bind(int64_t number) { sqlite3_bind_int64(statement_, ++bound_, number); }
  void bind(uint64_t number) { bind(static_cast<int64_t>(number)); }
  int step() { return sqlite3_step(statement_); }
  int columns() const { return sqlite3_column_count(statement_); }
  bool is_text(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_TEXT; }
  int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  uint64_t count(int column) const { return static_cast<uint64_t>(integer(column)); }
  std::string_view text(int column) const;  // valid until the next step

 private:
  sqlite3_stmt* statement_;
  int bound_ = 0;
};

// Sums the values of one row as they come; text and numbers never sum alike.
class RowSum {
 public:
  explicit RowSum(std::string_view table);
  void add(std::string_view text);
  void add(int64_t number);
  void add(uint64_t number) { add(static_cast<int64_t>(number)); }
  int64_t sum() const;

 private:
  std::string bytes_;
};

class Database {
 public:
  static Result<std::unique_ptr<Database>> open(const std::string& path, const std::string& vfs);
  ~Database() { sqlite3_close(db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& path() const { return path_; }
  Error failure(std::string_view what) const;  // of the call that has just failed
  Error damaged(std::string_view found) const;

  Result<void> execute(const std::string& sql);
  Result<Statement> statement(const std::string& sql);
  Result<int64_t> number(const std::string& sql);  // of the one row and column it gives
  template <class... Values>
  Result<void> run(const std::string& sql, const Values&... values) {
    VARVE_ASSIGN(Statement prepared, statement(sql));
    (prepared.bind(values), ...);
    return finish(prepared);
  }
  Result<void> transaction(const std::function<Result<void>()>& body);

  // ---- checked tables ----
  // A row with these values and their sum; in place of the one with the same key if `replace`.
  enum class Insert { kNew, kReplace };
  template <class... Values>
  Result<void> insert(Insert mode, std::string_view table, const Values&... values) {
    VARVE_ASSIGN(Statement prepared, statement(insert_sql(mode, table, sizeof...(values))));
    RowSum sum(table);
    (sum.add(values), ...);
    (prepared.bind(values), ...);
    prepared.bind(sum.sum());
    return finish(prepared);
  }
  // Calls `row` for every row, in the order of the key; kCorruption for a row whose sum is wrong or for a wrong count.
  Result<void> read(std::string_view table, const std::function<void(const Statement&)>& row);
  Result<void> count(std::string_view table);  // call in each transaction that changes the number of rows

 private:
  Database(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}
  Result<void> finish(Statement& prepared);
  static std::string insert_sql(Insert mode, std::string_view table, size_t values);
  Result<int64_t> counted(std::string_view table);

  const std::string path_;
  sqlite3* const db_;
};

// A consistent copy, durable, of a database that another process may be writing to. `to` must not exist.
Result<void> copy_database(FileSystem& file_system, const std::string& path, const std::string& to,
                           const std::string& vfs);

}  // namespace varve
