// Expressions of InfluxQL. Operators bind: or | and | = != =~ !~ < <= > >= | + - | ^ | * / % &
// Runs of AND and of OR become balanced trees, so that a thousand conditions stay within kExpressionDepthMax.
// Threads: a value of one parser.
#pragma once

#include <string_view>

#include "api/influxql/ast.h"
#include "api/influxql/token_stream.h"

namespace varve::influxql {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  QueryResult<ExprPtr> parse();
  // Of every open parenthesis, call and sub-query: recursion is bounded by it. An error when it is too deep.
  class Level;

 private:
  QueryResult<ExprPtr> binary(int precedence);
  QueryResult<ExprPtr> comparison_side(const std::string& op);
  QueryResult<ExprPtr> unary();
  QueryResult<ExprPtr> signed_operand();
  QueryResult<ExprPtr> reference();
  QueryResult<ExprPtr> distinct();
  QueryResult<ExprPtr> wildcard(size_t position);
  QueryResult<ExprPtr> call(std::string_view name, size_t position);
  QueryResult<ExprPtr> call_argument();
  QueryResult<Cast> cast();
  QueryResult<ExprPtr> literal(const Token& token);
  QueryResult<ExprPtr> balanced(std::vector<ExprPtr>& operands, size_t from, size_t to,
                                const std::string& op);
  // Puts `children` below a new node, unless the tree gets too deep.
  QueryResult<ExprPtr> node(ExprKind kind, size_t position, std::string text, std::vector<ExprPtr> children);
  tl::unexpected<QueryError> too_deep() const;

  TokenStream& tokens_;
  uint32_t level_ = 0;
};

class ExpressionParser::Level {
 public:
  explicit Level(ExpressionParser& parser) : parser_(parser) { ++parser_.level_; }
  ~Level() { --parser_.level_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;
  QueryResult<void> check() const;

 private:
  ExpressionParser& parser_;
};

ExprPtr make_expr(ExprKind kind, size_t position, std::string text = {}, Value value = {});

}  // namespace varve::influxql
