// How a query fails: a stable code, a message for people, the byte position in the statement, a hint.
// Lexer, parser, binder, planner and executor all return QueryResult<T>.
// Threads: values; nothing shared.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "storage/base/error.h"

namespace varve {

// What kind of wrong, from which api/http maps the status number.
enum class QueryErrorKind {
  kInvalid,    // 400: syntax, types, parameters
  kForbidden,  // 403: not for this caller
  kNotFound,   // 404: no such table
  kLimit,      // 422: a named limit was hit
  kTimeout,    // 408
  kCancelled,  // 499-like; the client went or an operator cancelled
  kBusy,       // 503: too many queries
  kInternal,   // 500: damaged data, failed reads
};

struct QueryError {
  QueryErrorKind kind = QueryErrorKind::kInvalid;
  std::string code;  // "sql_syntax", "unknown_table", "unknown_column", "type_mismatch", "row_limit" ...
  std::string message;
  std::optional<size_t> position;  // byte offset in the statement, from 0
  std::string hint;                // "did you mean `ph`?", or empty
};

template <class T>
using QueryResult = tl::expected<T, QueryError>;

// kInvalid with this code.
QueryError invalid_query(std::string_view code, std::string message, size_t position, std::string hint = {});
QueryError forbidden_query(std::string message, std::string hint = {});
QueryError limit_error(std::string_view code, std::string message);
// A failure of the store, as the query's failure.
QueryError from_storage(const Error& error);

// "did you mean `ph`?" for the candidate nearest to `name` by edit distance without regard to case; empty when none is
// near enough to be a slip of the fingers.
std::string nearest_hint(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace varve

#define VARVE_QUERY_TRY(expr)                                                               \
  do {                                                                                      \
    auto varve_try_result = (expr);                                                         \
    if (!varve_try_result) return tl::make_unexpected(std::move(varve_try_result.error())); \
  } while (false)

#define VARVE_QUERY_ASSIGN(declaration, expr) \
  VARVE_QUERY_ASSIGN_INNER(declaration, expr, VARVE_CONCAT(varve_query_result_, __LINE__))
#define VARVE_QUERY_ASSIGN_INNER(declaration, expr, name)         \
  auto name = (expr);                                             \
  if (!name) return tl::make_unexpected(std::move(name.error())); \
  declaration = std::move(*name)
