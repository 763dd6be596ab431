// Cuts a statement into tokens, one at a time, without copying.
//   words a_1, "quoted ""names""", 'strings ''', 12, 1.5e-3, 1h30m, $name, operators; -- and /* */ comments are skipped
// Errors:  sql_syntax with the byte position: unterminated string or comment, stray byte, malformed number.
// Threads: a value; the text must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "api/query/query_error.h"

namespace varve {

enum class TokenKind {
  kEnd,
  kWord,
  kQuotedName,
  kString,
  kInteger,
  kNumber,
  kDuration,  // digits and letters, as 5m; only SAMPLE BY takes it
  kParameter,
  kOperator
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // as written, quotes included
  size_t position = 0;    // byte offset in the statement

  size_t end() const { return position + text.size(); }
  bool is_operator(std::string_view symbol) const { return kind == TokenKind::kOperator && text == symbol; }
  bool is_word(std::string_view upper_case) const;  // a keyword, in any case
  std::string unquoted() const;                     // of kString, kQuotedName, kParameter: what they mean
};

class Lexer {
 public:
  explicit Lexer(std::string_view sql) : sql_(sql) {}
  QueryResult<Token> next();
  std::string_view sql() const { return sql_; }

 private:
  char at(size_t offset) const { return offset < sql_.size() ? sql_[offset] : '\0'; }
  QueryResult<void> skip_blank();
  QueryResult<Token> quoted(TokenKind kind, std::string_view what);
  QueryResult<Token> number();
  Token take(TokenKind kind, size_t length);

  std::string_view sql_;
  size_t at_ = 0;
};

}  // namespace varve
