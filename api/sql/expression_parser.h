// The expression half of the SQL parser, and the token handling both halves share.
// Errors:  see parser.h. A failed skip() is remembered; failure() returns it.
// Threads: one thread.
#pragma once

#include <optional>
#include <string_view>

#include "api/query/query_error.h"
#include "api/sql/ast.h"
#include "api/sql/lexer.h"

namespace varve {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::string_view sql) : lexer_(sql) {}

 protected:
  QueryResult<void> start() { return advance(); }
  QueryResult<void> advance();
  const Token& current() const { return current_; }
  std::string_view sql() const { return lexer_.sql(); }

  bool word(std::string_view upper_case) const { return current_.is_word(upper_case); }
  bool symbol(std::string_view text) const { return current_.is_operator(text); }
  bool is_name() const;  // a quoted name, or a word that is not reserved
  bool skip(std::string_view text);
  QueryResult<void> failure() const;
  QueryResult<bool> starts_qualified_star() const;  // name . *

  tl::unexpected<QueryError> expected(std::string_view what) const;
  static std::string shown(const Token& token);  // for messages, cut to a sane length

  QueryResult<AstPtr> expression() { return binary(0); }
  QueryResult<AstPtr> width();                           // of SAMPLE BY
  bool word_follows(std::string_view upper_case) const;  // after the current token

 private:
  QueryResult<AstPtr> binary(int binding_min);
  QueryResult<AstPtr> suffix(AstPtr left, int binding);  // the operator at the cursor, applied to left
  QueryResult<AstPtr> unary();
  QueryResult<AstPtr> primary();
  QueryResult<AstPtr> word_primary();
  QueryResult<AstPtr> number(bool negative, size_t position);
  QueryResult<AstPtr> case_expression();
  QueryResult<AstPtr> cast();
  QueryResult<AstPtr> interval();
  QueryResult<AstPtr> name_or_call();
  QueryResult<AstPtr> call(std::string name, size_t position);
  QueryResult<AstPtr> is_suffix(AstPtr left);
  QueryResult<AstPtr> in_suffix(AstPtr left, bool negated);
  QueryResult<AstPtr> like_suffix(AstPtr left, bool negated, int binding);
  QueryResult<AstPtr> between_suffix(AstPtr left, bool negated, int binding);
  QueryResult<void> expect_symbol(std::string_view text, std::string_view what);
  QueryResult<void> add_child(AstExpr& parent, AstPtr child) const;
  QueryResult<AstPtr> node(AstKind kind, size_t position);
  void close(AstExpr& expr) const { expr.end = last_end_; }
  int binding_of_current() const;  // of the binary operator at the cursor; -1 = none

  Lexer lexer_;
  Token current_;
  size_t last_end_ = 0;  // end of the token before current_
  uint32_t nesting_ = 0;
  uint32_t operators_ = 0;
  uint32_t literals_ = 0;
  std::optional<QueryError> failure_;
};

}  // namespace varve
