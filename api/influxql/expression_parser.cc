#include "api/influxql/expression_parser.h"

#include <fmt/format.h>

#include <charconv>

#include "api/sql/ast.h"
#include "api/sql/text.h"

namespace varve::influxql {
namespace {

constexpr int kOr = 1;
constexpr int kAnd = 2;
constexpr int kComparison = 3;
constexpr int kProduct = 5;

// 0 = no operator.
int precedence_of(const Token& token) {
  if (token.kind == TokenKind::kKeyword) return token.text == "OR" ? kOr : token.text == "AND" ? kAnd : 0;
  if (token.kind != TokenKind::kOperator) return 0;
  const std::string& op = token.text;
  if (op == "=" || op == "!=" || op == "=~" || op == "!~" || op == "<" || op == "<=" || op == ">" ||
      op == ">=") {
    return kComparison;
  }
  if (op == "+" || op == "-" || op == "|" || op == "^") return 4;
  return op == "*" || op == "/" || op == "%" || op == "&" ? kProduct : 0;
}

// -x for a number or duration; false for anything else.
bool negate(Expr& expr) {
  if (auto* number = std::get_if<double>(&expr.value)) {
    *number = -*number;
    return true;
  }
  if (auto* integer = std::get_if<int64_t>(&expr.value)) {
    *integer = static_cast<int64_t>(0 - static_cast<uint64_t>(*integer));
    return true;
  }
  return false;
}

}  // namespace

ExprPtr make_expr(ExprKind kind, size_t position, std::string text, Value value) {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->position = position;
  expr->text = std::move(text);
  expr->value = std::move(value);
  return expr;
}

QueryResult<void> ExpressionParser::Level::check() const {
  if (parser_.level_ > kExpressionDepthMax) return parser_.too_deep();
  return {};
}

tl::unexpected<QueryError> ExpressionParser::too_deep() const {
  return tl::make_unexpected(invalid_query(
      "influxql_too_deep",
      fmt::format("error parsing query: the expression is nested more than {} deep", kExpressionDepthMax),
      tokens_.newest().position));
}

QueryResult<ExprPtr> ExpressionParser::node(ExprKind kind, size_t position, std::string text,
                                            std::vector<ExprPtr> children) {
  ExprPtr made = make_expr(kind, position);
  (kind == ExprKind::kBinary ? made->op : made->text) = std::move(text);
  for (const ExprPtr& child : children) made->depth = std::max(made->depth, child->depth + 1);
  made->children = std::move(children);
  if (made->depth > kExpressionDepthMax) return too_deep();
  return made;
}

QueryResult<ExprPtr> ExpressionParser::parse() {
  const Level level(*this);
  VARVE_QUERY_TRY(level.check());
  return binary(kOr);
}

QueryResult<ExprPtr> ExpressionParser::binary(int precedence) {
  std::vector<ExprPtr> operands;  // more than one: of AND or OR
  VARVE_QUERY_ASSIGN(ExprPtr left, precedence == kProduct ? unary() : binary(precedence + 1));
  operands.push_back(std::move(left));
  const auto joined = [&] {
    return balanced(operands, 0, operands.size(), precedence == kOr ? "or" : "and");
  };
  while (true) {
    const Token& token = tokens_.next_word();
    if (precedence_of(token) != precedence) {
      tokens_.back();
      return joined();
    }
    const std::string op = token.text;
    if (precedence <= kAnd) {
      VARVE_QUERY_ASSIGN(ExprPtr more, binary(precedence + 1));
      operands.push_back(std::move(more));
      continue;
    }
    VARVE_QUERY_ASSIGN(ExprPtr right, precedence == kComparison ? comparison_side(op)
                                      : precedence == kProduct  ? unary()
                                                                : binary(precedence + 1));
    std::vector<ExprPtr> sides;
    const size_t position = operands.front()->position;
    sides.push_back(std::move(operands.front()));
    sides.push_back(std::move(right));
    VARVE_QUERY_ASSIGN(operands.front(), node(ExprKind::kBinary, position, op, std::move(sides)));
  }
}

QueryResult<ExprPtr> ExpressionParser::balanced(std::vector<ExprPtr>& operands, size_t from, size_t to,
                                                const std::string& op) {
  if (to - from == 1) return std::move(operands[from]);
  const size_t middle = from + (to - from + 1) / 2;
  std::vector<ExprPtr> sides(2);
  VARVE_QUERY_ASSIGN(sides[0], balanced(operands, from, middle, op));
  VARVE_QUERY_ASSIGN(sides[1], balanced(operands, middle, to, op));
  const size_t position = sides[0]->position;
  return node(ExprKind::kBinary, position, op, std::move(sides));
}

QueryResult<ExprPtr> ExpressionParser::comparison_side(const std::string& op) {
  if (op != "=~" && op != "!~") return binary(kComparison + 1);
  VARVE_QUERY_ASSIGN(auto regex, tokens_.take_regex());
  if (!regex) {
    tokens_.next_word();
    return tokens_.unexpected({"regex"});
  }
  return make_expr(ExprKind::kRegex, tokens_.newest().position, std::move(*regex));
}

QueryResult<ExprPtr> ExpressionParser::unary() {
  const Token token = tokens_.next_word();
  if (token.is_operator("(")) {
    std::vector<ExprPtr> inner(1);
    VARVE_QUERY_ASSIGN(inner[0], parse());
    VARVE_QUERY_TRY(tokens_.expect_operator(")"));
    return node(ExprKind::kParen, token.position, {}, std::move(inner));
  }
  if (token.is_operator("*")) return wildcard(token.position);
  if (token.is_operator("+") || token.is_operator("-")) return signed_operand();
  if (token.is_keyword("DISTINCT")) return distinct();
  if (token.kind != TokenKind::kName) return literal(token);
  if (tokens_.next().is_operator("(")) return call(token.text, token.position);
  tokens_.back();
  tokens_.back();
  return reference();
}

QueryResult<ExprPtr> ExpressionParser::wildcard(size_t position) {
  ExprPtr made = make_expr(ExprKind::kWildcard, position);
  if (!tokens_.take_operator("::")) return made;
  const Token& type = tokens_.next_word();
  if (!type.is_keyword("FIELD") && !type.is_keyword("TAG")) return tokens_.unexpected({"field", "tag"});
  made->cast = type.text == "TAG" ? Cast::kTag : Cast::kField;
  return made;
}

// After + or -.
QueryResult<ExprPtr> ExpressionParser::signed_operand() {
  const bool minus = tokens_.newest().text == "-";
  const size_t position = tokens_.newest().position;
  const Token operand = tokens_.next_word();
  // The one number that is an int64 only with its sign.
  if (minus && operand.kind == TokenKind::kInteger && operand.text == "9223372036854775808") {
    return make_expr(ExprKind::kInteger, position, {}, INT64_MIN);
  }
  const bool may = operand.kind == TokenKind::kNumber || operand.kind == TokenKind::kInteger ||
                   operand.kind == TokenKind::kDuration || operand.kind == TokenKind::kName ||
                   operand.is_operator("(");
  if (!may) return tokens_.unexpected({"identifier", "number", "duration", "("});
  tokens_.back();
  const Level level(*this);
  VARVE_QUERY_TRY(level.check());
  VARVE_QUERY_ASSIGN(ExprPtr inner, unary());
  if (operand.kind == TokenKind::kInteger && inner->kind == ExprKind::kNumber && minus) {
    return tokens_.error(fmt::format("constant -{} underflows int64", operand.text));
  }
  if (operand.kind == TokenKind::kInteger || operand.kind == TokenKind::kNumber ||
      operand.kind == TokenKind::kDuration) {
    if (minus) negate(*inner);
    return inner;
  }
  std::vector<ExprPtr> factors;
  factors.push_back(make_expr(ExprKind::kInteger, position, {}, minus ? int64_t{-1} : int64_t{1}));
  factors.push_back(std::move(inner));
  return node(ExprKind::kBinary, position, "*", std::move(factors));
}

QueryResult<ExprPtr> ExpressionParser::distinct() {
  const size_t position = tokens_.newest().position;
  const Token& token = tokens_.next();
  if (token.is_operator("(")) return call("distinct", position);
  if (token.kind != TokenKind::kSpace) return tokens_.unexpected({"(", "identifier"});
  const size_t name_position = tokens_.newest().position;
  std::vector<ExprPtr> argument(1);
  VARVE_QUERY_ASSIGN(std::string name, tokens_.expect_name());
  argument[0] = make_expr(ExprKind::kName, name_position, std::move(name));
  return node(ExprKind::kCall, position, "distinct", std::move(argument));
}

QueryResult<ExprPtr> ExpressionParser::reference() {
  VARVE_QUERY_ASSIGN(const auto names, tokens_.names());
  ExprPtr made =
      make_expr(ExprKind::kName, tokens_.newest().position, fmt::format("{}", fmt::join(names, ".")));
  VARVE_QUERY_ASSIGN(made->cast, cast());
  return made;
}

QueryResult<Cast> ExpressionParser::cast() {
  if (!tokens_.next().is_operator("::")) {
    tokens_.back();
    return Cast::kNone;
  }
  const Token& type = tokens_.next();
  if (type.is_keyword("FIELD")) return Cast::kField;
  if (type.is_keyword("TAG")) return Cast::kTag;
  if (type.kind != TokenKind::kName) {
    return tokens_.unexpected({"float", "integer", "string", "boolean", "field", "tag"});
  }
  const std::string name = ascii_lower(type.text);
  if (name == "float") return Cast::kFloat;
  if (name == "integer") return Cast::kInteger;
  if (name == "unsigned") return Cast::kUnsigned;
  if (name == "string") return Cast::kString;
  if (name == "boolean") return Cast::kBoolean;
  return tokens_.unexpected({"float", "integer", "unsigned", "string", "boolean", "field", "tag"});
}

// After the parenthesis.
QueryResult<ExprPtr> ExpressionParser::call(std::string_view name, size_t position) {
  const std::string function = ascii_lower(name);
  const Level level(*this);
  VARVE_QUERY_TRY(level.check());
  std::vector<ExprPtr> arguments;
  VARVE_QUERY_ASSIGN(auto regex, tokens_.take_regex());
  if (regex) {
    arguments.push_back(make_expr(ExprKind::kRegex, tokens_.newest().position, std::move(*regex)));
  } else {
    if (tokens_.next().is_operator(")")) return node(ExprKind::kCall, position, function, {});
    tokens_.back();
    VARVE_QUERY_ASSIGN(ExprPtr first, parse());
    arguments.push_back(std::move(first));
  }
  while (tokens_.take_operator(",")) {
    VARVE_QUERY_ASSIGN(ExprPtr argument, call_argument());
    arguments.push_back(std::move(argument));
  }
  VARVE_QUERY_TRY(tokens_.expect_operator(")"));
  return node(ExprKind::kCall, position, function, std::move(arguments));
}

QueryResult<ExprPtr> ExpressionParser::call_argument() {
  VARVE_QUERY_ASSIGN(auto regex, tokens_.take_regex());
  if (regex) return make_expr(ExprKind::kRegex, tokens_.newest().position, std::move(*regex));
  return parse();
}

QueryResult<ExprPtr> ExpressionParser::literal(const Token& token) {
  const char* const begin = token.text.data();
  const char* const end = begin + token.text.size();
  switch (token.kind) {
    case TokenKind::kString:
      return make_expr(ExprKind::kString, token.position, {}, token.text);
    case TokenKind::kDuration: {
      VARVE_QUERY_ASSIGN(const int64_t ns, duration_ns(token));
      return make_expr(ExprKind::kDuration, token.position, {}, ns);
    }
    case TokenKind::kRegex:
      return make_expr(ExprKind::kRegex, token.position, token.text);
    case TokenKind::kNumber: {
      double number = 0;
      if (std::from_chars(begin, end, number).ec != std::errc()) {
        return TokenStream::error(token, "unable to parse number");
      }
      return make_expr(ExprKind::kNumber, token.position, {}, number);
    }
    case TokenKind::kInteger: {
      int64_t integer = 0;
      if (std::from_chars(begin, end, integer).ec == std::errc()) {
        return make_expr(ExprKind::kInteger, token.position, {}, integer);
      }
      uint64_t large = 0;
      if (std::from_chars(begin, end, large).ec == std::errc()) {
        return make_expr(ExprKind::kNumber, token.position, {}, static_cast<double>(large));
      }
      return TokenStream::error(token, "unable to parse integer");
    }
    case TokenKind::kKeyword:
      if (token.text == "TRUE" || token.text == "FALSE") {
        return make_expr(ExprKind::kBool, token.position, {}, token.text == "TRUE");
      }
      break;
    case TokenKind::kParameter:
      if (token.text.empty()) return tokens_.error("empty bound parameter");
      return tokens_.error("missing parameter: " + tokens_.problem_of(token.text));
    default:
      break;
  }
  return TokenStream::unexpected(token, {"identifier", "string", "number", "bool"});
}

}  // namespace varve::influxql
