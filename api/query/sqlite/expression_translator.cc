#include "api/query/sqlite/expression_translator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "api/query/interval.h"
#include "api/query/operators.h"
#include "api/sql/nesting.h"
#include "api/sql/text.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

constexpr std::array<std::string_view, 54> kReserved{
    "SELECT",    "FROM",   "WHERE", "GROUP",   "BY",     "HAVING",  "ORDER",  "LIMIT",  "OFFSET",
    "DISTINCT",  "AND",    "OR",    "NOT",     "IN",     "IS",      "NULL",   "LIKE",   "CASE",
    "BETWEEN",   "WHEN",   "THEN",  "ELSE",    "END",    "AS",      "CAST",   "ASC",    "DESC",
    "UNION",     "JOIN",   "ON",    "EXCEPT",  "TRUE",   "FALSE",   "NULLS",  "ESCAPE", "INNER",
    "INTERSECT", "LEFT",   "RIGHT", "FULL",    "CROSS",  "NATURAL", "USING",  "VALUES", "WITH",
    "GLOB",      "REGEXP", "MATCH", "NOTNULL", "ISNULL", "COLLATE", "EXISTS", "WINDOW", "RETURNING"};

enum Binding : int {
  kBindOr = 1,
  kBindAnd,
  kBindNot,
  kBindEqual,
  kBindRelate,
  kBindBits,
  kBindAdd,
  kBindMultiply,
  kBindConcat,
  kBindCollate,
};

bool is_time_type(KnownType type) {
  return type == SqlType::kTimestamp || type == SqlType::kInterval;
}
bool is_known_number(KnownType type) {
  return type == SqlType::kInt64 || type == SqlType::kDouble || type == SqlType::kBool;
}

}  // namespace

std::string int_literal(int64_t value) {
  return value < 0 ? fmt::format("({})", value) : fmt::format("{}", value);
}

tl::unexpected<QueryError> ExpressionTranslator::failure(std::string_view code, std::string message,
                                                         size_t token, std::string hint) const {
  return tl::make_unexpected(
      invalid_query(code, std::move(message), text_.at(token).position, std::move(hint)));
}

tl::unexpected<QueryError> ExpressionTranslator::expected(std::string_view what) const {
  constexpr size_t kShownBytesMax = 40;
  const Token& token = current();
  std::string found = "the end of the statement";
  if (token.kind != TokenKind::kEnd) {
    size_t cut = std::min(token.text.size(), kShownBytesMax);
    while (cut < token.text.size() && cut > 0 && (static_cast<unsigned char>(token.text[cut]) & 0xc0) == 0x80)
      --cut;
    found = fmt::format("`{}{}`", token.text.substr(0, cut), cut < token.text.size() ? "..." : "");
  }
  std::string hint;
  if (token.kind == TokenKind::kWord && !is_name()) {
    hint = fmt::format("to use it as a name, write it in double quotes: \"{}\"", token.text);
  }
  return failure("sql_syntax", fmt::format("expected {}, found {}", what, found), next_, std::move(hint));
}

bool ExpressionTranslator::skip_word(std::string_view upper_case) {
  if (!word(upper_case)) return false;
  ++next_;
  return true;
}

bool ExpressionTranslator::skip_symbol(std::string_view text) {
  if (!symbol(text)) return false;
  ++next_;
  return true;
}

bool ExpressionTranslator::is_name() const {
  if (current().kind == TokenKind::kQuotedName) return true;
  return current().kind == TokenKind::kWord &&
         std::none_of(kReserved.begin(), kReserved.end(), [&](std::string_view reserved) {
           return equal_ignoring_case(current().text, reserved);
         });
}

QueryResult<std::string> ExpressionTranslator::name(std::string_view what) {
  if (!is_name()) return expected(what);
  text_.quote(next_);
  return text_.at(next_++).unquoted();
}

QueryResult<void> ExpressionTranslator::expect_word(std::string_view upper_case, std::string_view what) {
  if (!skip_word(upper_case)) return expected(what);
  return {};
}

QueryResult<void> ExpressionTranslator::expect_symbol(std::string_view text, std::string_view what) {
  if (!skip_symbol(text)) return expected(what);
  return {};
}

QueryResult<void> ExpressionTranslator::end_of_statement() {
  if (symbol(";") && ahead(1).kind == TokenKind::kEnd) {
    text_.replace(next_, "");
    ++next_;
  }
  if (current().kind != TokenKind::kEnd) return expected("the end of the statement");
  return {};
}

// --- types

QueryResult<void> ExpressionTranslator::as_time(Operand& operand) {
  if (operand.type == SqlType::kTimestamp || operand.type == SqlType::kNull) return {};
  if (operand.literal) {
    const Result<int64_t> ns = parse_timestamp(operand.text);
    if (!ns) return failure("invalid_time", ns.error().message, operand.from);
    text_.replace(*operand.literal, int_literal(*ns));
    operand.literal.reset();
    operand.constant = *ns;
  } else if (!operand.type || operand.type == SqlType::kString) {
    text_.wrap(operand.from, operand.to, "varve_time(", ")");
  } else {
    const bool number = is_number(*operand.type);
    return failure(
        "type_mismatch", fmt::format("cannot compare timestamp with {}", sql_type_name(*operand.type)),
        operand.from, number ? "write times as '2025-01-01T00:00:00Z', or cast(ns as timestamp)" : "");
  }
  operand.type = SqlType::kTimestamp;
  return {};
}

QueryResult<void> ExpressionTranslator::as_interval(Operand& operand) {
  if (!operand.literal) return {};
  const Result<int64_t> ns = parse_interval(operand.text);
  if (!ns) return failure("invalid_interval", ns.error().message, operand.from);
  text_.replace(*operand.literal, int_literal(*ns));
  operand.literal.reset();
  operand.constant = *ns;
  operand.type = SqlType::kInterval;
  return {};
}

void ExpressionTranslator::as_text(Operand& operand, bool also_double) {
  std::string_view after;
  if (operand.type == SqlType::kTimestamp) after = ", 'timestamp')";
  if (operand.type == SqlType::kBool) after = ", 'bool')";
  if (operand.type == SqlType::kDouble && also_double) after = ", 'double')";
  if (after.empty()) return;
  text_.wrap(operand.from, operand.to, "varve_text(", after);
  operand.type = SqlType::kString;
}

KnownType ExpressionTranslator::unified(KnownType a, KnownType b) {
  if (a == b || b == SqlType::kNull) return a;
  if (a == SqlType::kNull) return b;
  if (is_known_number(a) && is_known_number(b)) {
    return a == SqlType::kDouble || b == SqlType::kDouble ? SqlType::kDouble : SqlType::kInt64;
  }
  return std::nullopt;
}

QueryResult<KnownType> ExpressionTranslator::unify(std::vector<Operand*> operands) {
  for (const SqlType time_type : {SqlType::kTimestamp, SqlType::kInterval}) {
    const bool any = std::any_of(operands.begin(), operands.end(),
                                 [&](const Operand* operand) { return operand->type == time_type; });
    if (!any) continue;
    for (Operand* operand : operands) {
      VARVE_QUERY_TRY(time_type == SqlType::kTimestamp ? as_time(*operand) : as_interval(*operand));
    }
    return time_type;
  }
  KnownType type = SqlType::kNull;
  for (const Operand* operand : operands) type = unified(type, operand->type);
  return type;
}

QueryResult<void> ExpressionTranslator::compare(Operand& left, Operand& right) {
  if (!left.row.empty() && left.row.size() == right.row.size()) {
    for (size_t i = 0; i < left.row.size(); ++i) VARVE_QUERY_TRY(compare(left.row[i], right.row[i]));
    return {};
  }
  if (!left.row.empty() || !right.row.empty()) return {};
  if (left.type == SqlType::kTimestamp || right.type == SqlType::kTimestamp) {
    VARVE_QUERY_TRY(as_time(left));
    return as_time(right);
  }
  if (left.type == SqlType::kInterval || right.type == SqlType::kInterval) {
    VARVE_QUERY_TRY(as_interval(left));
    return as_interval(right);
  }
  const bool mixed =
      (is_known_number(left.type) && right.literal) || (is_known_number(right.type) && left.literal);
  if (!mixed) return {};
  return failure(
      "type_mismatch",
      fmt::format("cannot compare {} with {}", sql_type_name(*left.type), sql_type_name(*right.type)),
      right.from, "numbers are written without quotes");
}

// --- operators

int ExpressionTranslator::binding_of_current() const {
  if (current().kind == TokenKind::kOperator) {
    const std::string_view op = current().text;
    if (op == "=" || op == "==" || op == "<>" || op == "!=" || op == "~" || op == "!~") return kBindEqual;
    if (op == "<" || op == "<=" || op == ">" || op == ">=") return kBindRelate;
    if (op == "&" || op == "|" || op == "<<" || op == ">>") return kBindBits;
    if (op == "+" || op == "-") return kBindAdd;
    if (op == "*" || op == "/" || op == "%") return kBindMultiply;
    if (op == "||" || op == "->" || op == "->>") return kBindConcat;
    return -1;
  }
  if (word("OR")) return kBindOr;
  if (word("AND")) return kBindAnd;
  for (const std::string_view name :
       {"IS", "IN", "LIKE", "GLOB", "REGEXP", "MATCH", "BETWEEN", "NOT", "ISNULL", "NOTNULL"}) {
    if (word(name)) return kBindEqual;
  }
  return word("COLLATE") ? kBindCollate : -1;
}

QueryResult<Operand> ExpressionTranslator::binary(int binding_min) {
  const Nesting nesting(nesting_);
  if (nesting.too_deep()) return nesting.error(current().position);
  Operand left;
  if (word("NOT")) {
    left.from = next_++;
    VARVE_QUERY_TRY(binary(kBindNot));
    left.type = SqlType::kBool;
  } else {
    VARVE_QUERY_ASSIGN(left, unary());
  }
  left.to = next_;
  for (int binding = binding_of_current(); binding >= binding_min; binding = binding_of_current()) {
    const size_t from = left.from;
    VARVE_QUERY_ASSIGN(left, suffix(std::move(left), binding));
    left.from = from;
    left.to = next_;
  }
  return left;
}

QueryResult<Operand> ExpressionTranslator::suffix(Operand left, int binding) {
  Operand result;
  result.type = SqlType::kBool;
  if (word("IS")) return is_suffix(std::move(left));
  if (skip_word("ISNULL") || skip_word("NOTNULL")) return result;
  if (skip_word("COLLATE")) {
    VARVE_QUERY_TRY(name("a collation"));
    result.type = left.type;
    return result;
  }
  const size_t op_token = next_;
  if (skip_word("NOT") && skip_word("NULL")) return result;
  if (word("IN")) return in_suffix(std::move(left));
  if (word("LIKE") || word("GLOB") || word("REGEXP") || word("MATCH") || symbol("~") || symbol("!~")) {
    return match_suffix(std::move(left), binding);
  }
  if (word("BETWEEN")) return between_suffix(std::move(left), binding);
  if (next_ != op_token) return expected("IN, LIKE or BETWEEN after NOT");
  const std::string_view op = text_.at(next_++).text;
  VARVE_QUERY_ASSIGN(Operand right, binary(binding + 1));
  if (binding == kBindOr || binding == kBindAnd) return result;
  if (binding == kBindEqual || binding == kBindRelate) {
    VARVE_QUERY_TRY(compare(left, right));
    return result;
  }
  if (op == "||") {
    as_text(left, true);
    as_text(right, true);
    result.type = SqlType::kString;
    return result;
  }
  if (binding == kBindConcat || binding == kBindBits) {
    result.type = binding == kBindBits ? KnownType(SqlType::kInt64) : std::nullopt;
    return result;
  }
  if (is_time_type(left.type) || is_time_type(right.type)) {
    return time_arithmetic(std::move(left), op, std::move(right));
  }
  return arithmetic(std::move(left), op, std::move(right));
}

QueryResult<Operand> ExpressionTranslator::is_suffix(Operand left) {
  ++next_;
  skip_word("NOT");
  if (word("DISTINCT") && ahead(1).is_word("FROM")) next_ += 2;
  Operand result;
  result.type = SqlType::kBool;
  VARVE_QUERY_ASSIGN(Operand right, binary(kBindRelate));
  VARVE_QUERY_TRY(compare(left, right));
  return result;
}

QueryResult<Operand> ExpressionTranslator::in_suffix(Operand left) {
  ++next_;
  VARVE_QUERY_TRY(expect_symbol("(", "( after IN"));
  Operand result;
  result.type = SqlType::kBool;
  if (starts_select()) {
    VARVE_QUERY_ASSIGN(const auto outputs, select());
    Operand right;
    right.type = outputs.size() == 1 ? outputs[0].type : KnownType(SqlType::kNull);
    if (right.type == SqlType::kTimestamp) VARVE_QUERY_TRY(as_time(left));
    if (left.type == SqlType::kTimestamp && outputs.size() == 1 && right.type != SqlType::kTimestamp &&
        right.type != SqlType::kNull) {
      return failure("type_mismatch", "the times on the left are compared with something else", next_,
                     "cast(... as timestamp) in the sub-query");
    }
  } else {
    while (!symbol(")")) {
      VARVE_QUERY_ASSIGN(Operand item, expression());
      VARVE_QUERY_TRY(compare(left, item));
      if (!skip_symbol(",")) break;
    }
  }
  VARVE_QUERY_TRY(expect_symbol(")", ", or ) in the list of IN"));
  return result;
}

QueryResult<Operand> ExpressionTranslator::match_suffix(Operand left, int binding) {
  const bool regex = symbol("~") || symbol("!~") || word("REGEXP");
  if (symbol("~")) text_.replace(next_, "REGEXP");
  if (symbol("!~")) text_.replace(next_, "NOT REGEXP");
  ++next_;
  VARVE_QUERY_ASSIGN(Operand pattern, binary(binding + 1));
  if (regex && pattern.literal) {
    const size_t position = text_.at(pattern.from).position;
    VARVE_QUERY_TRY(bind_regex(std::make_unique<ConstantScalar>(SqlType::kString, position, std::string()),
                               std::make_unique<ConstantScalar>(SqlType::kString, position, pattern.text),
                               position));
  }
  if (skip_word("ESCAPE")) VARVE_QUERY_TRY(binary(binding + 1));
  as_text(left, true);
  Operand result;
  result.type = SqlType::kBool;
  return result;
}

QueryResult<Operand> ExpressionTranslator::between_suffix(Operand left, int binding) {
  ++next_;
  VARVE_QUERY_ASSIGN(Operand low, binary(binding + 1));
  VARVE_QUERY_TRY(expect_word("AND", "AND between the bounds of BETWEEN"));
  VARVE_QUERY_ASSIGN(Operand high, binary(binding + 1));
  VARVE_QUERY_TRY(compare(left, low));
  VARVE_QUERY_TRY(compare(left, high));
  Operand result;
  result.type = SqlType::kBool;
  return result;
}

QueryResult<Operand> ExpressionTranslator::arithmetic(Operand left, std::string_view, Operand right) const {
  Operand result;
  if (left.type == SqlType::kNull && right.type == SqlType::kNull) {
    result.type = SqlType::kInt64;
  } else {
    const auto number = [](KnownType type) {
      return type == SqlType::kBool ? KnownType(SqlType::kInt64) : type;
    };
    result.type = unified(number(left.type), number(right.type));
    if (result.type == SqlType::kString) result.type.reset();  // SQLite reads text as numbers
  }
  return result;
}

QueryResult<Operand> ExpressionTranslator::time_arithmetic(Operand left, std::string_view op, Operand right) {
  using enum SqlType;
  VARVE_QUERY_TRY(is_time_type(left.type) ? as_interval(right) : as_interval(left));
  Operand result;
  if (!left.type || !right.type || left.type == kNull || right.type == kNull) return result;
  const SqlType a = *left.type;
  const SqlType b = *right.type;
  const bool plus = op == "+";
  const bool minus = op == "-";
  if ((plus || minus) && a == kTimestamp && b == kInterval) result.type = kTimestamp;
  if (plus && a == kInterval && b == kTimestamp) result.type = kTimestamp;
  if (minus && a == kTimestamp && b == kTimestamp) result.type = kInterval;
  if ((plus || minus) && a == kInterval && b == kInterval) result.type = kInterval;
  if ((op == "*" || op == "/") && a == kInterval && b == kInt64) result.type = kInterval;
  if (op == "*" && a == kInt64 && b == kInterval) result.type = kInterval;
  if (op == "/" && a == kInterval && b == kInterval) result.type = kInt64;
  if ((op == "*" || op == "/") && is_time_type(a) != is_time_type(b) && (a == kDouble || b == kDouble)) {
    result.type = kDouble;  // nanoseconds
  }
  if (op == "%" && a == kInterval) result.type = kInterval;
  if (result.type) return result;
  return failure("type_mismatch",
                 fmt::format("{} {} {} is not defined", sql_type_name(a), op, sql_type_name(b)), left.from,
                 a == kTimestamp && is_number(b) ? "add a duration: INTERVAL '1 hour' or '1h'" : "");
}

// --- lists that several clauses have

QueryResult<void> ExpressionTranslator::expression_list(std::string_view) {
  do {
    VARVE_QUERY_TRY(expression());
  } while (skip_symbol(","));
  return {};
}

QueryResult<void> ExpressionTranslator::order_terms() {
  do {
    VARVE_QUERY_TRY(expression());
    if (!skip_word("ASC")) skip_word("DESC");
    if (skip_word("NULLS") && !skip_word("FIRST") && !skip_word("LAST"))
      return expected("FIRST or LAST after NULLS");
  } while (skip_symbol(","));
  return {};
}

tl::unexpected<QueryError> ExpressionTranslator::unknown_column(std::string_view qualifier,
                                                                std::string_view name, size_t token) const {
  const bool quoted = text_.at(token).kind == TokenKind::kQuotedName;
  const std::vector<std::string> tables = item_names(scopes_);
  if (tables.empty()) {
    return failure("unknown_column", fmt::format("no column `{}`: there is no FROM", name), token,
                   quoted ? "strings are written in single quotes" : "");
  }
  const bool has_table = std::any_of(tables.begin(), tables.end(), [&](const std::string& table) {
    return equal_ignoring_case(table, qualifier);
  });
  if (!qualifier.empty() && !has_table) {
    return failure("unknown_table", fmt::format("no table `{}` in this statement", qualifier), token,
                   nearest_hint(qualifier, tables));
  }
  std::string hint = nearest_hint(name, column_names(scopes_));
  if (hint.empty() && quoted) hint = "strings are written in single quotes";
  std::vector<std::string> nearest;  // of the innermost FROM
  for (auto scope = scopes_.rbegin(); nearest.empty() && scope != scopes_.rend(); ++scope) {
    nearest = item_names({*scope});
  }
  std::string message = fmt::format("no table of this statement has a column `{}`", name);
  if (!qualifier.empty()) message = fmt::format("table `{}` has no column `{}`", qualifier, name);
  if (qualifier.empty() && nearest.size() == 1) {
    message = nearest[0].empty() ? fmt::format("the sub-query has no column `{}`", name)
                                 : fmt::format("table `{}` has no column `{}`", nearest[0], name);
  }
  return failure("unknown_column", message, token, std::move(hint));
}

QueryResult<Operand> ExpressionTranslator::column() {
  const size_t first = next_;
  std::vector<size_t> tokens;
  std::vector<std::string> parts;
  do {
    tokens.push_back(next_);
    VARVE_QUERY_ASSIGN(std::string part,
                       name(parts.empty() ? "an expression" : "a column name after the table"));
    parts.push_back(std::move(part));
  } while (parts.size() < 3 && skip_symbol("."));
  if (parts.size() == 3) {  // the database: tables go by their own names inside
    text_.replace(tokens[0], "");
    text_.replace(tokens[0] + 1, "");
  }
  const std::string& written = parts.back();
  const std::string qualifier = parts.size() > 1 ? parts[parts.size() - 2] : std::string();
  Operand operand;
  operand.from = first;
  operand.to = next_;
  bool lenient = false;
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto found = find_column(**scope, qualifier, written)) {
      ScopeColumn& column = *found->column;
      const std::string& inside = column.source != nullptr ? column.source->sqlite_name : column.name;
      if (column.source != nullptr) column.source->referenced = true;
      if (!equal_ignoring_case(inside, written)) text_.replace(tokens.back(), quoted_name(inside));
      operand.type = column.type;
      operand.column = equal_ignoring_case(column.name, written) ? column.name : written;
      met_items_.push_back(found->item);
      return operand;
    }
    for (const NamedType& alias : (*scope)->aliases) {
      if (!qualifier.empty() || !equal_ignoring_case(alias.name, written)) continue;
      operand.type = alias.type;
      operand.column = alias.name;
      return operand;
    }
    lenient = lenient || (*scope)->lenient;
  }
  if (!lenient) return unknown_column(qualifier, written, first);
  operand.column = written;
  return operand;
}

}  // namespace varve
