#include "storage/catalog/database.h"

#include <fmt/format.h>

#include "storage/base/bytes.h"
#include "storage/base/checksum.h"
#include "storage/base/kill_point.h"

namespace varve {
namespace {

constexpr int kBusyTimeoutMs = 2000;  // a backup or an inspector may hold the file for a moment (guessed)

}  // namespace

void Statement::bind(std::string_view text) {
  const char* bytes = text.data() == nullptr ? "" : text.data();  // a null pointer would bind NULL
  sqlite3_bind_text64(statement_, ++bound_, bytes, text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

std::string_view Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes), static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

RowSum::RowSum(std::string_view table) {
  add(table);
}

void RowSum::add(std::string_view text) {
  bytes_ += fmt::format("t{}:", text.size());
  bytes_ += text;
}

void RowSum::add(int64_t number) {
  bytes_ += fmt::format("i{};", number);
}

int64_t RowSum::sum() const {
  return static_cast<int64_t>(checksum64(bytes_));
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, const std::string& vfs) {
  sqlite3* db = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW;
  const int opened = sqlite3_open_v2(path.c_str(), &db, flags, vfs.empty() ? nullptr : vfs.c_str());
  if (db == nullptr) return Error{ErrorCode::kIo, "cannot open the catalog " + path + ": out of memory"};
  std::unique_ptr<Database> database(new Database(path, db));
  if (opened != SQLITE_OK) {
    return Error{ErrorCode::kIo, fmt::format("cannot open the catalog {}: {}", path, sqlite3_errmsg(db))};
  }
  sqlite3_busy_timeout(db, kBusyTimeoutMs);
  sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // Without shared memory SQLite keeps the index of its log on the heap, if it alone has the file.
  if (!vfs.empty()) VARVE_TRY(database->execute("PRAGMA locking_mode=EXCLUSIVE"));
  return database;
}

Error Database::failure(std::string_view what) const {
  const int code = sqlite3_errcode(db_);
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) return damaged(sqlite3_errmsg(db_));
  const std::string text = fmt::format("cannot {} the catalog {}: {}", what, path_, sqlite3_errmsg(db_));
  if (code == SQLITE_BUSY || code == SQLITE_LOCKED) return unavailable(text + "; another program holds it");
  if (code == SQLITE_CONSTRAINT) return invalid_argument(text);
  if (code == SQLITE_FULL) return exhausted(text);
  return {ErrorCode::kIo, text};
}

Error Database::damaged(std::string_view found) const {
  return corruption(fmt::format(
      "the catalog {} is damaged or not a catalog ({}); `varve check --repair` rebuilds it from the segments",
      path_, found));
}

Result<void> Database::execute(const std::string& sql) {
  if (sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return failure("update");
  return {};
}

Result<Statement> Database::statement(const std::string& sql) {
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) {
    // The statements are right; a table or column they do not find is damage to the schema.
    if (sqlite3_errcode(db_) == SQLITE_ERROR) return damaged(sqlite3_errmsg(db_));
    return failure("read");
  }
  return Statement(prepared);
}

Result<int64_t> Database::number(const std::string& sql) {
  VARVE_ASSIGN(Statement select, statement(sql));
  const int outcome = select.step();
  if (outcome == SQLITE_DONE) return damaged("a row is missing");
  if (outcome != SQLITE_ROW) return failure("read");
  return select.integer(0);
}

Result<void> Database::finish(Statement& prepared) {
  if (prepared.step() != SQLITE_DONE) return failure("update");
  return {};
}

Result<void> Database::transaction(const std::function<Result<void>()>& body) {
  VARVE_TRY(execute("BEGIN IMMEDIATE"));
  Result<void> done = body();
  kill_point("catalog.before_commit");
  if (done) done = execute("COMMIT");
  kill_point("catalog.after_commit");
  if (!done && sqlite3_get_autocommit(db_) == 0) {
    sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);  // the first error is the one to tell
  }
  return done;
}

std::string Database::insert_sql(Insert mode, std::string_view table, size_t values) {
  std::string sql =
      fmt::format("INSERT {}INTO {} VALUES (", mode == Insert::kReplace ? "OR REPLACE " : "", table);
  for (size_t i = 0; i < values; ++i) sql += "?, ";
  return sql + "?)";
}

Result<void> Database::read(std::string_view table, const std::function<void(const Statement&)>& row) {
  VARVE_ASSIGN(Statement select, statement(fmt::format("SELECT * FROM {}", table)));
  const int last = select.columns() - 1;
  int64_t rows = 0;
  int outcome = select.step();
  for (; outcome == SQLITE_ROW; outcome = select.step()) {
    RowSum sum(table);
    for (int column = 0; column < last; ++column) {
      if (select.is_text(column)) {
        sum.add(select.text(column));
      } else {
        sum.add(select.integer(column));
      }
    }
    if (sum.sum() != select.integer(last))
      return damaged(fmt::format("a row of table {} has changed", table));
    row(select);
    ++rows;
  }
  if (outcome != SQLITE_DONE) return failure("read");
  if (table == "meta") return {};  // its rows are known by name
  VARVE_ASSIGN(const int64_t expected, counted(table));
  if (rows != expected) {
    return damaged(fmt::format("table {} has {} rows, there were {}", table, rows, expected));
  }
  return {};
}

Result<int64_t> Database::counted(std::string_view table) {
  return number(fmt::format("SELECT value FROM meta WHERE name = 'rows.{}'", table));
}

Result<void> Database::count(std::string_view table) {
  VARVE_ASSIGN(const int64_t rows, number(fmt::format("SELECT count(*) FROM {}", table)));
  return insert(Insert::kReplace, "meta", fmt::format("rows.{}", table), rows);
}

}  // namespace varve
