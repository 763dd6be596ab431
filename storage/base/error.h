// The one error type and how it travels.
// A function that can fail returns Result<T>; dropping one is a compile error. Messages say what, where and
// what to do, in one line without a trailing period; callers add their place with with_context().
// Bytes from disk or network are input: kCorruption / kInvalidArgument, never an assertion (check.h).
// Threads: values; nothing shared.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace varve {

enum class ErrorCode {
  kInvalidArgument,  // the caller's input is wrong
  kNotFound,         // the named thing does not exist
  kCorruption,       // bytes on disk or wire are not what was written
  kIo,               // the operating system refused (errno is in the message)
  kUnavailable,      // not now; the same call may work later
  kExhausted,        // a named limit was reached, or the disk is full
  kUnsupported,      // understood, but this version does not do it
};

std::string_view error_code_name(ErrorCode code);  // "invalid_argument" ...

struct Error {
  ErrorCode code;
  std::string message;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result(Error error) : tl::expected<T, Error>(tl::make_unexpected(std::move(error))) {}  // NOLINT
};

template <>
class [[nodiscard]] Result<void> : public tl::expected<void, Error> {
 public:
  using tl::expected<void, Error>::expected;
  Result(Error error) : tl::expected<void, Error>(tl::make_unexpected(std::move(error))) {}  // NOLINT
};

inline Error invalid_argument(std::string message) {
  return {ErrorCode::kInvalidArgument, std::move(message)};
}
inline Error not_found(std::string message) {
  return {ErrorCode::kNotFound, std::move(message)};
}
inline Error corruption(std::string message) {
  return {ErrorCode::kCorruption, std::move(message)};
}
inline Error unavailable(std::string message) {
  return {ErrorCode::kUnavailable, std::move(message)};
}
inline Error exhausted(std::string message) {
  return {ErrorCode::kExhausted, std::move(message)};
}
inline Error unsupported(std::string message) {
  return {ErrorCode::kUnsupported, std::move(message)};
}

// kIo with the text of `errno_value`: "open /data/wal/1.wal: No such file or directory".
Error io_error(std::string_view what, int errno_value);

// Puts "context: " before the message; the code stays.
Error with_context(Error error, std::string_view context);
template <class T>
Result<T> with_context(Result<T> result, std::string_view context) {
  if (result) return result;
  return with_context(std::move(result.error()), context);
}

}  // namespace varve

#define VARVE_CONCAT_INNER(a, b) a##b
#define VARVE_CONCAT(a, b) VARVE_CONCAT_INNER(a, b)

// VARVE_TRY(expr): returns the Error of `expr` from the enclosing function, if any.
#define VARVE_TRY(expr)                                                                \
  do {                                                                                 \
    auto varve_try_result = (expr);                                                    \
    if (!varve_try_result) return ::varve::Error(std::move(varve_try_result.error())); \
  } while (false)

// VARVE_ASSIGN(auto x, expr): x = value of `expr`, or returns its Error.
#define VARVE_ASSIGN(declaration, expr) \
  VARVE_ASSIGN_INNER(declaration, expr, VARVE_CONCAT(varve_assign_result_, __LINE__))
#define VARVE_ASSIGN_INNER(declaration, expr, name)          \
  auto name = (expr);                                        \
  if (!name) return ::varve::Error(std::move(name.error())); \
  declaration = std::move(*name)
