#include "api/sql/expression_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "api/sql/nesting.h"
#include "api/sql/text.h"

namespace varve {
namespace {

constexpr std::array<std::string_view, 36> kReserved{
    "SELECT",   "FROM", "WHERE", "GROUP",  "BY",        "HAVING", "ORDER", "LIMIT", "OFFSET",
    "DISTINCT", "AND",  "OR",    "NOT",    "IN",        "IS",     "NULL",  "LIKE",  "BETWEEN",
    "CASE",     "WHEN", "THEN",  "ELSE",   "END",       "AS",     "CAST",  "ASC",   "DESC",
    "UNION",    "JOIN", "ON",    "EXCEPT", "INTERSECT", "TRUE",   "FALSE", "NULLS", "ESCAPE"};

// Binding strengths, weakest first.
enum Binding : int {
  kBindOr = 1,
  kBindAnd,
  kBindNot,
  kBindEqual,
  kBindRelate,
  kBindAdd,
  kBindMultiply,
  kBindConcat
};

bool is_reserved(std::string_view word) {
  return std::any_of(kReserved.begin(), kReserved.end(),
                     [&](std::string_view reserved) { return equal_ignoring_case(word, reserved); });
}

}  // namespace

QueryResult<void> ExpressionParser::advance() {
  last_end_ = current_.end();
  VARVE_QUERY_ASSIGN(current_, lexer_.next());
  return {};
}

bool ExpressionParser::is_name() const {
  return current_.kind == TokenKind::kQuotedName ||
         (current_.kind == TokenKind::kWord && !is_reserved(current_.text));
}

bool ExpressionParser::skip(std::string_view text) {
  if (!symbol(text)) return false;
  if (auto moved = advance(); !moved) {
    failure_ = moved.error();
    return false;
  }
  return true;
}

QueryResult<void> ExpressionParser::failure() const {
  if (failure_) return tl::make_unexpected(*failure_);
  return {};
}

QueryResult<bool> ExpressionParser::starts_qualified_star() const {
  if (!is_name()) return false;
  Lexer ahead = lexer_;
  VARVE_QUERY_ASSIGN(const Token dot, ahead.next());
  if (!dot.is_operator(".")) return false;
  VARVE_QUERY_ASSIGN(const Token star, ahead.next());
  return star.is_operator("*");
}

std::string ExpressionParser::shown(const Token& token) {
  constexpr size_t kShownBytesMax = 40;
  if (token.kind == TokenKind::kEnd) return "the end of the statement";
  std::string_view text = token.text;
  if (text.size() <= kShownBytesMax) return fmt::format("`{}`", text);
  size_t cut = kShownBytesMax;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;  // whole UTF-8 characters
  return fmt::format("`{}...`", text.substr(0, cut));
}

tl::unexpected<QueryError> ExpressionParser::expected(std::string_view what) const {
  std::string hint;
  if (current_.kind == TokenKind::kWord && is_reserved(current_.text)) {
    hint = fmt::format("to use it as a name, write it in double quotes: \"{}\"", current_.text);
  }
  return tl::make_unexpected(invalid_query("sql_syntax",
                                           fmt::format("expected {}, found {}", what, shown(current_)),
                                           current_.position, std::move(hint)));
}

QueryResult<void> ExpressionParser::expect_symbol(std::string_view text, std::string_view what) {
  if (!symbol(text)) return expected(what);
  return advance();
}

QueryResult<AstPtr> ExpressionParser::node(AstKind kind, size_t position) {
  const bool leaf = kind == AstKind::kLiteral || kind == AstKind::kParameter || kind == AstKind::kInterval;
  if (!leaf && ++operators_ > kExpressionOperatorsMax) {
    return tl::make_unexpected(invalid_query(
        "sql_too_large", fmt::format("more than {} operators in one statement", kExpressionOperatorsMax),
        position));
  }
  if (leaf && ++literals_ > kExpressionLiteralsMax) {
    return tl::make_unexpected(
        invalid_query("sql_too_large",
                      fmt::format("more than {} values in one statement", kExpressionLiteralsMax), position));
  }
  auto expr = std::make_unique<AstExpr>();
  expr->kind = kind;
  expr->position = position;
  expr->end = last_end_;
  return expr;
}

QueryResult<void> ExpressionParser::add_child(AstExpr& parent, AstPtr child) const {
  parent.depth = std::max(parent.depth, child->depth + 1);
  if (parent.depth > kExpressionDepthMax) return Nesting::error(child->position);
  parent.children.push_back(std::move(child));
  return {};
}

int ExpressionParser::binding_of_current() const {
  if (current_.kind == TokenKind::kOperator) {
    const std::string_view op = current_.text;
    if (op == "=" || op == "==" || op == "<>" || op == "!=" || op == "~" || op == "!~") return kBindEqual;
    if (op == "<" || op == "<=" || op == ">" || op == ">=") return kBindRelate;
    if (op == "+" || op == "-") return kBindAdd;
    if (op == "*" || op == "/" || op == "%") return kBindMultiply;
    if (op == "||") return kBindConcat;
    return -1;
  }
  if (word("OR")) return kBindOr;
  if (word("AND")) return kBindAnd;
  // NOT here begins NOT IN, NOT LIKE, NOT BETWEEN.
  if (word("IS") || word("IN") || word("LIKE") || word("BETWEEN") || word("NOT")) return kBindEqual;
  return -1;
}

QueryResult<AstPtr> ExpressionParser::binary(int binding_min) {
  AstPtr left;
  if (word("NOT")) {
    const Nesting nesting(nesting_);
    if (nesting.too_deep()) return Nesting::error(current_.position);
    const size_t position = current_.position;
    VARVE_QUERY_TRY(advance());
    VARVE_QUERY_ASSIGN(auto operand, binary(kBindNot));
    VARVE_QUERY_ASSIGN(left, node(AstKind::kNot, position));
    VARVE_QUERY_TRY(add_child(*left, std::move(operand)));
    close(*left);
  } else {
    VARVE_QUERY_ASSIGN(left, unary());
  }
  for (int binding = binding_of_current(); binding >= 0 && binding >= binding_min;
       binding = binding_of_current()) {
    VARVE_QUERY_ASSIGN(left, suffix(std::move(left), binding));
  }
  return left;
}

QueryResult<AstPtr> ExpressionParser::suffix(AstPtr left, int binding) {
  if (word("IS")) return is_suffix(std::move(left));
  const bool negated = word("NOT");
  if (negated) VARVE_QUERY_TRY(advance());
  if (word("IN")) return in_suffix(std::move(left), negated);
  if (word("LIKE")) return like_suffix(std::move(left), negated, binding);
  if (word("BETWEEN")) return between_suffix(std::move(left), negated, binding);
  if (negated) return expected("IN, LIKE or BETWEEN after NOT");

  AstKind kind = AstKind::kArithmetic;
  std::string op(current_.text);
  if (binding == kBindOr) kind = AstKind::kOr;
  if (binding == kBindAnd) kind = AstKind::kAnd;
  if (binding == kBindEqual || binding == kBindRelate) kind = AstKind::kCompare;
  if (op == "~" || op == "!~") kind = AstKind::kRegex;
  if (op == "==") op = "=";
  if (op == "!=") op = "<>";
  VARVE_QUERY_TRY(advance());
  VARVE_QUERY_ASSIGN(auto right, binary(binding + 1));
  const bool chain = kind == AstKind::kAnd || kind == AstKind::kOr;
  if (chain && left->kind == kind) {  // one flat node however long the chain is
    VARVE_QUERY_TRY(add_child(*left, std::move(right)));
    close(*left);
    return left;
  }
  VARVE_QUERY_ASSIGN(auto expr, node(kind, left->position));
  if (!chain) expr->op = op;
  expr->negated = op == "!~";
  VARVE_QUERY_TRY(add_child(*expr, std::move(left)));
  VARVE_QUERY_TRY(add_child(*expr, std::move(right)));
  close(*expr);
  return expr;
}

QueryResult<AstPtr> ExpressionParser::is_suffix(AstPtr left) {
  VARVE_QUERY_TRY(advance());
  const bool negated = word("NOT");
  if (negated) VARVE_QUERY_TRY(advance());
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kIsNull, left->position));
  expr->negated = negated;
  VARVE_QUERY_TRY(add_child(*expr, std::move(left)));
  if (word("NULL")) {
    VARVE_QUERY_TRY(advance());
  } else {
    expr->kind = AstKind::kIsSame;
    VARVE_QUERY_ASSIGN(auto right, binary(kBindRelate));
    VARVE_QUERY_TRY(add_child(*expr, std::move(right)));
  }
  close(*expr);
  return expr;
}

QueryResult<AstPtr> ExpressionParser::in_suffix(AstPtr left, bool negated) {
  VARVE_QUERY_TRY(advance());
  VARVE_QUERY_TRY(expect_symbol("(", "( after IN"));
  if (word("SELECT")) {
    return tl::make_unexpected(
        invalid_query("unsupported", "subqueries are not available in this version", current_.position));
  }
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kIn, left->position));
  expr->negated = negated;
  VARVE_QUERY_TRY(add_child(*expr, std::move(left)));
  while (!symbol(")")) {
    VARVE_QUERY_ASSIGN(auto item, expression());
    VARVE_QUERY_TRY(add_child(*expr, std::move(item)));
    if (!skip(",")) break;
  }
  VARVE_QUERY_TRY(failure());
  VARVE_QUERY_TRY(expect_symbol(")", ", or ) in the list of IN"));
  close(*expr);
  return expr;
}

QueryResult<AstPtr> ExpressionParser::like_suffix(AstPtr left, bool negated, int binding) {
  VARVE_QUERY_TRY(advance());
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kLike, left->position));
  expr->negated = negated;
  VARVE_QUERY_TRY(add_child(*expr, std::move(left)));
  VARVE_QUERY_ASSIGN(auto pattern, binary(binding + 1));
  VARVE_QUERY_TRY(add_child(*expr, std::move(pattern)));
  if (word("ESCAPE")) {
    VARVE_QUERY_TRY(advance());
    VARVE_QUERY_ASSIGN(auto escape, binary(binding + 1));
    VARVE_QUERY_TRY(add_child(*expr, std::move(escape)));
  }
  close(*expr);
  return expr;
}

QueryResult<AstPtr> ExpressionParser::between_suffix(AstPtr left, bool negated, int binding) {
  VARVE_QUERY_TRY(advance());
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kBetween, left->position));
  expr->negated = negated;
  VARVE_QUERY_TRY(add_child(*expr, std::move(left)));
  VARVE_QUERY_ASSIGN(auto low, binary(binding + 1));
  VARVE_QUERY_TRY(add_child(*expr, std::move(low)));
  if (!word("AND")) return expected("AND between the bounds of BETWEEN");
  VARVE_QUERY_TRY(advance());
  VARVE_QUERY_ASSIGN(auto high, binary(binding + 1));
  VARVE_QUERY_TRY(add_child(*expr, std::move(high)));
  close(*expr);
  return expr;
}

QueryResult<AstPtr> ExpressionParser::unary() {
  if (!symbol("-") && !symbol("+")) {
    VARVE_QUERY_ASSIGN(auto expr, primary());
    while (symbol("::")) {  // Grafana's builders and PostgreSQL users write x::type
      VARVE_QUERY_TRY(advance());
      if (!is_name()) return expected("a type after ::");
      VARVE_QUERY_ASSIGN(auto cast, node(AstKind::kCast, expr->position));
      cast->name = current_.unquoted();
      VARVE_QUERY_TRY(add_child(*cast, std::move(expr)));
      VARVE_QUERY_TRY(advance());
      close(*cast);
      expr = std::move(cast);
    }
    return expr;
  }
  const Nesting nesting(nesting_);
  if (nesting.too_deep()) return Nesting::error(current_.position);
  const bool negative = symbol("-");
  const size_t position = current_.position;
  VARVE_QUERY_TRY(advance());
  if (negative && (current_.kind == TokenKind::kInteger || current_.kind == TokenKind::kNumber)) {
    return number(true, position);
  }
  VARVE_QUERY_ASSIGN(auto operand, unary());
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kNegate, position));
  expr->op = negative ? "-" : "+";
  VARVE_QUERY_TRY(add_child(*expr, std::move(operand)));
  close(*expr);
  return expr;
}

// An integer beyond int64 becomes a double, as in SQLite; the sign is read with the number so that the smallest int64
// can be written.
QueryResult<AstPtr> ExpressionParser::number(bool negative, size_t position) {
  const std::string text = fmt::format("{}{}", negative ? "-" : "", current_.text);
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kLiteral, position));
  const char* const end = text.data() + text.size();
  int64_t whole = 0;
  double real = 0;
  if (current_.kind == TokenKind::kInteger && std::from_chars(text.data(), end, whole).ec == std::errc()) {
    expr->value = whole;
  } else if (std::from_chars(text.data(), end, real).ec == std::errc()) {
    expr->value = real;
  } else {
    return tl::make_unexpected(invalid_query("sql_syntax", "this number is out of range", position));
  }
  VARVE_QUERY_TRY(advance());
  close(*expr);
  return expr;
}

QueryResult<AstPtr> ExpressionParser::primary() {
  const size_t position = current_.position;
  switch (current_.kind) {
    case TokenKind::kInteger:
    case TokenKind::kNumber:
      return number(false, position);
    case TokenKind::kString:
    case TokenKind::kParameter: {
      const bool parameter = current_.kind == TokenKind::kParameter;
      VARVE_QUERY_ASSIGN(auto expr, node(parameter ? AstKind::kParameter : AstKind::kLiteral, position));
      if (parameter) {
        expr->name = current_.unquoted();
      } else {
        expr->value = current_.unquoted();
      }
      VARVE_QUERY_TRY(advance());
      close(*expr);
      return expr;
    }
    case TokenKind::kDuration:
      return tl::make_unexpected(
          invalid_query("sql_syntax", fmt::format("'{}' is not a number", current_.text.substr(0, 40)),
                        position, "durations are written in quotes, like '5m'"));
    case TokenKind::kQuotedName:
      return name_or_call();
    case TokenKind::kWord:
      return word_primary();
    case TokenKind::kOperator:
      if (symbol("(")) {
        const Nesting nesting(nesting_);
        if (nesting.too_deep()) return Nesting::error(position);
        VARVE_QUERY_TRY(advance());
        if (word("SELECT")) {
          return tl::make_unexpected(invalid_query(
              "unsupported", "subqueries are not available in this version", current_.position));
        }
        VARVE_QUERY_ASSIGN(auto expr, expression());
        VARVE_QUERY_TRY(expect_symbol(")", "a closing )"));
        expr->position = position;  // the text of the column's name keeps its parentheses
        close(*expr);
        return expr;
      }
      break;
    case TokenKind::kEnd:
      break;
  }
  return expected("an expression");
}

QueryResult<AstPtr> ExpressionParser::word_primary() {
  const size_t position = current_.position;
  if (word("CASE")) return case_expression();
  if (word("CAST")) return cast();
  if (word("INTERVAL")) {
    Lexer ahead = lexer_;
    VARVE_QUERY_ASSIGN(const Token after, ahead.next());
    if (after.kind == TokenKind::kString || after.kind == TokenKind::kInteger) return interval();
  }
  if (word("NULL") || word("TRUE") || word("FALSE")) {
    VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kLiteral, position));
    if (!word("NULL")) expr->value = word("TRUE");
    VARVE_QUERY_TRY(advance());
    close(*expr);
    return expr;
  }
  if (is_name()) return name_or_call();
  return expected("an expression");
}

QueryResult<AstPtr> ExpressionParser::interval() {
  const size_t position = current_.position;
  VARVE_QUERY_TRY(advance());
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kInterval, position));
  expr->name = current_.unquoted();
  const bool unit_follows = current_.kind == TokenKind::kInteger;  // INTERVAL 1 HOUR
  VARVE_QUERY_TRY(advance());
  if (unit_follows) {
    if (current_.kind != TokenKind::kWord) return expected("a unit, as in INTERVAL 1 HOUR");
    expr->name += current_.unquoted();
    VARVE_QUERY_TRY(advance());
  }
  close(*expr);
  return expr;
}

// '5m', 5m, $width or INTERVAL '5m'.
QueryResult<AstPtr> ExpressionParser::width() {
  if (current_.kind != TokenKind::kDuration) return primary();
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kLiteral, current_.position));
  expr->value = std::string(current_.text);
  VARVE_QUERY_TRY(advance());
  close(*expr);
  return expr;
}

bool ExpressionParser::word_follows(std::string_view upper_case) const {
  Lexer ahead = lexer_;
  const QueryResult<Token> after = ahead.next();
  return after && after->is_word(upper_case);
}

QueryResult<AstPtr> ExpressionParser::case_expression() {
  const Nesting nesting(nesting_);
  if (nesting.too_deep()) return Nesting::error(current_.position);
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kCase, current_.position));
  VARVE_QUERY_TRY(advance());
  if (!word("WHEN")) {
    VARVE_QUERY_ASSIGN(auto operand, expression());
    VARVE_QUERY_TRY(add_child(*expr, std::move(operand)));
    expr->has_operand = true;
  }
  if (!word("WHEN")) return expected("WHEN in CASE");
  while (word("WHEN")) {
    VARVE_QUERY_TRY(advance());
    VARVE_QUERY_ASSIGN(auto condition, expression());
    VARVE_QUERY_TRY(add_child(*expr, std::move(condition)));
    if (!word("THEN")) return expected("THEN after the condition of WHEN");
    VARVE_QUERY_TRY(advance());
    VARVE_QUERY_ASSIGN(auto result, expression());
    VARVE_QUERY_TRY(add_child(*expr, std::move(result)));
  }
  if (word("ELSE")) {
    VARVE_QUERY_TRY(advance());
    VARVE_QUERY_ASSIGN(auto otherwise, expression());
    VARVE_QUERY_TRY(add_child(*expr, std::move(otherwise)));
    expr->has_else = true;
  }
  if (!word("END")) return expected("WHEN, ELSE or END in CASE");
  VARVE_QUERY_TRY(advance());
  close(*expr);
  return expr;
}

QueryResult<AstPtr> ExpressionParser::cast() {
  const Nesting nesting(nesting_);
  if (nesting.too_deep()) return Nesting::error(current_.position);
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kCast, current_.position));
  VARVE_QUERY_TRY(advance());
  VARVE_QUERY_TRY(expect_symbol("(", "( after CAST"));
  VARVE_QUERY_ASSIGN(auto operand, expression());
  VARVE_QUERY_TRY(add_child(*expr, std::move(operand)));
  if (!word("AS")) return expected("AS and a type in CAST");
  VARVE_QUERY_TRY(advance());
  if (!is_name()) return expected("a type in CAST");
  expr->name = current_.unquoted();
  VARVE_QUERY_TRY(advance());
  VARVE_QUERY_TRY(expect_symbol(")", "a closing ) after the type"));
  close(*expr);
  return expr;
}

QueryResult<AstPtr> ExpressionParser::name_or_call() {
  const size_t position = current_.position;
  const bool quoted = current_.kind == TokenKind::kQuotedName;
  std::string name = current_.unquoted();
  VARVE_QUERY_TRY(advance());
  if (symbol("(") && !quoted) return call(std::move(name), position);
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kColumn, position));
  expr->name = std::move(name);
  expr->quoted = quoted;
  if (symbol(".")) {
    VARVE_QUERY_TRY(advance());
    if (!is_name()) return expected("a column name after the table");
    expr->qualifier = std::move(expr->name);
    expr->name = current_.unquoted();
    VARVE_QUERY_TRY(advance());
  }
  close(*expr);
  return expr;
}

QueryResult<AstPtr> ExpressionParser::call(std::string name, size_t position) {
  const Nesting nesting(nesting_);
  if (nesting.too_deep()) return Nesting::error(position);
  VARVE_QUERY_ASSIGN(auto expr, node(AstKind::kCall, position));
  expr->name = ascii_lower(name);
  VARVE_QUERY_TRY(advance());
  if (symbol("*")) {
    expr->star = true;
    VARVE_QUERY_TRY(advance());
  } else {
    if (word("DISTINCT")) {
      expr->distinct = true;
      VARVE_QUERY_TRY(advance());
    }
    while (!symbol(")")) {
      VARVE_QUERY_ASSIGN(auto argument, expression());
      VARVE_QUERY_TRY(add_child(*expr, std::move(argument)));
      if (!skip(",")) break;
    }
    VARVE_QUERY_TRY(failure());
  }
  VARVE_QUERY_TRY(expect_symbol(")", ", or ) in the arguments"));
  if (word("OVER") || word("FILTER")) {
    Lexer ahead = lexer_;
    VARVE_QUERY_ASSIGN(const Token after, ahead.next());
    if (after.is_operator("(")) {
      return tl::make_unexpected(
          invalid_query("unsupported", fmt::format("{} is not available in this version", current_.text),
                        current_.position));
    }
  }
  close(*expr);
  return expr;
}

}  // namespace varve
