#include "tests/support/sqlite_oracle.h"

#include <sqlite3.h>

#include "storage/base/check.h"

namespace varve {
namespace {

// What first() and last() keep between rows, in memory SQLite zeroes and frees.
struct Edge {
  sqlite3_value* value;
  sqlite3_int64 time;
};

template <bool is_last>
void edge_step(sqlite3_context* context, int, sqlite3_value** arguments) {
  if (sqlite3_value_type(arguments[0]) == SQLITE_NULL) return;
  auto* edge = static_cast<Edge*>(sqlite3_aggregate_context(context, sizeof(Edge)));
  const sqlite3_int64 time = sqlite3_value_int64(arguments[1]);
  if (edge->value != nullptr && (is_last ? time < edge->time : time >= edge->time)) return;
  sqlite3_value_free(edge->value);
  edge->value = sqlite3_value_dup(arguments[0]);
  edge->time = time;
}

void edge_final(sqlite3_context* context) {
  auto* edge = static_cast<Edge*>(sqlite3_aggregate_context(context, 0));
  if (edge == nullptr || edge->value == nullptr) return sqlite3_result_null(context);
  sqlite3_result_value(context, edge->value);
  sqlite3_value_free(edge->value);
}

void bind(sqlite3_stmt* statement, int index, const Value& value) {
  if (const auto* real = std::get_if<double>(&value)) {
    sqlite3_bind_double(statement, index, *real);
  } else if (const auto* whole = std::get_if<int64_t>(&value)) {
    sqlite3_bind_int64(statement, index, *whole);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    sqlite3_bind_int(statement, index, *flag ? 1 : 0);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    sqlite3_bind_text(statement, index, text->data(), static_cast<int>(text->size()), nullptr);
  } else {
    sqlite3_bind_null(statement, index);
  }
}

Value column(sqlite3_stmt* statement, int index) {
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER:
      return static_cast<int64_t>(sqlite3_column_int64(statement, index));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, index);
    case SQLITE_NULL:
      return {};
    default: {
      const auto bytes = static_cast<size_t>(sqlite3_column_bytes(statement, index));
      return std::string(static_cast<const char*>(sqlite3_column_blob(statement, index)), bytes);
    }
  }
}

}  // namespace

SqliteOracle::SqliteOracle() {
  VARVE_CHECK(sqlite3_open(":memory:", &database_) == SQLITE_OK);
  sqlite3_create_function(database_, "first", 2, SQLITE_UTF8, nullptr, nullptr, edge_step<false>, edge_final);
  sqlite3_create_function(database_, "last", 2, SQLITE_UTF8, nullptr, nullptr, edge_step<true>, edge_final);
}

SqliteOracle::~SqliteOracle() {
  sqlite3_close(database_);
}

SqliteOracle::Answer SqliteOracle::run(const std::string& sql, const std::vector<Value>& bindings) {
  Answer answer;
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database_, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
    answer.error = sqlite3_errmsg(database_);
    return answer;
  }
  for (size_t i = 0; i < bindings.size(); ++i) bind(statement, static_cast<int>(i) + 1, bindings[i]);
  int step = sqlite3_step(statement);
  for (; step == SQLITE_ROW; step = sqlite3_step(statement)) {
    auto& row = answer.rows.emplace_back();
    for (int i = 0; i < sqlite3_column_count(statement); ++i) row.push_back(column(statement, i));
  }
  if (step != SQLITE_DONE) answer.error = sqlite3_errmsg(database_);
  sqlite3_finalize(statement);
  return answer;
}

}  // namespace varve
