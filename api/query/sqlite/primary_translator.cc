// The operands of expressions: literals, names, parentheses, CASE, CAST. See expression_translator.h.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "api/query/interval.h"
#include "api/query/operators.h"
#include "api/query/sqlite/expression_translator.h"
#include "api/sql/nesting.h"
#include "api/sql/text.h"

namespace varve {
namespace {

std::string double_literal(double value) {
  if (std::isnan(value)) return "NULL";
  if (std::isinf(value)) return value > 0 ? "9e999" : "(-9e999)";
  return fmt::format("({:.17e})", value);
}

}  // namespace

QueryResult<Operand> ExpressionTranslator::unary() {
  const Nesting nesting(nesting_);
  if (nesting.too_deep()) return nesting.error(current().position);
  const size_t from = next_;
  if (symbol("-") || symbol("+") || symbol("~")) {
    const bool bits = symbol("~");
    ++next_;
    VARVE_QUERY_ASSIGN(const Operand operand, unary());
    Operand result;
    result.from = from;
    result.to = next_;
    result.type = operand.type;
    if (bits || operand.type == SqlType::kBool || operand.type == SqlType::kNull)
      result.type = SqlType::kInt64;
    if (operand.type == SqlType::kString) result.type.reset();
    return result;
  }
  VARVE_QUERY_ASSIGN(Operand operand, primary());
  operand.from = from;
  operand.to = next_;
  while (symbol("::")) {
    const size_t colons = next_++;
    const size_t type_token = next_;
    VARVE_QUERY_ASSIGN(const std::string type, name("a type after ::"));
    text_.replace(colons, "");
    text_.replace(type_token, "");
    VARVE_QUERY_ASSIGN(operand, cast_to(std::move(operand), type, type_token));
    operand.from = from;
    operand.to = next_;
  }
  return operand;
}

QueryResult<Operand> ExpressionTranslator::primary() {
  Operand operand;
  operand.from = next_;
  const Token& token = current();
  switch (token.kind) {
    case TokenKind::kInteger:
    case TokenKind::kNumber: {
      int64_t whole = 0;
      const auto parsed = std::from_chars(token.text.data(), token.text.data() + token.text.size(), whole);
      const bool is_int = token.kind == TokenKind::kInteger && parsed.ec == std::errc();
      operand.type = is_int ? SqlType::kInt64 : SqlType::kDouble;
      ++next_;
      return operand;
    }
    case TokenKind::kString:
      operand.type = SqlType::kString;
      operand.literal = next_;
      operand.text = token.unquoted();
      ++next_;
      return operand;
    case TokenKind::kParameter:
      return parameter();
    case TokenKind::kQuotedName:
      return column();
    case TokenKind::kWord:
      return word_primary();
    case TokenKind::kOperator:
      if (symbol("(")) return parenthesis();
      break;
    case TokenKind::kDuration:
    case TokenKind::kEnd:
      break;
  }
  return expected("an expression");
}

QueryResult<Operand> ExpressionTranslator::parameter() {
  const std::string name = current().unquoted();
  const auto found = parameters_.find(name);
  if (found == parameters_.end()) {
    std::vector<std::string> names;
    for (const auto& [known, value] : parameters_) names.push_back(known);
    return failure("missing_parameter", fmt::format("no value for ${}", name), next_,
                   nearest_hint(name, names));
  }
  Operand operand;
  std::string literal = "NULL";
  operand.type = SqlType::kNull;
  if (const auto* real = std::get_if<double>(&found->second)) {
    literal = double_literal(*real);
    operand.type = SqlType::kDouble;
  } else if (const auto* whole = std::get_if<int64_t>(&found->second)) {
    literal = int_literal(*whole);
    operand.type = SqlType::kInt64;
  } else if (const auto* flag = std::get_if<bool>(&found->second)) {
    literal = *flag ? "1" : "0";
    operand.type = SqlType::kBool;
  } else if (const auto* text = std::get_if<std::string>(&found->second)) {
    if (text->find('\0') != std::string::npos) {
      return failure("invalid_parameter", fmt::format("the text of ${} holds a zero byte", name), next_);
    }
    literal = quoted_text(*text);
    operand.type = SqlType::kString;
    operand.literal = next_;
    operand.text = *text;
  }
  text_.replace(next_++, literal);
  return operand;
}

QueryResult<Operand> ExpressionTranslator::parenthesis() {
  const size_t open = next_++;
  Operand operand;
  if (starts_select()) {
    VARVE_QUERY_ASSIGN(const auto outputs, select());
    if (outputs.size() == 1) operand.type = outputs[0].type;
  } else {
    VARVE_QUERY_ASSIGN(operand, expression());
    if (symbol(",")) {
      Operand row;
      row.row.push_back(std::move(operand));
      while (skip_symbol(",")) {
        VARVE_QUERY_ASSIGN(Operand part, expression());
        row.row.push_back(std::move(part));
      }
      operand = std::move(row);
    }
  }
  VARVE_QUERY_TRY(expect_symbol(")", "a closing )"));
  operand.from = open;
  operand.column.reset();
  return operand;
}

QueryResult<Operand> ExpressionTranslator::word_primary() {
  Operand operand;
  if (word("CASE")) return case_expression();
  if (word("CAST") && ahead(1).is_operator("(")) return cast();
  if (word("INTERVAL") && ahead(1).kind == TokenKind::kString) return interval();
  if (word("NULL") || word("TRUE") || word("FALSE")) {
    operand.type = word("NULL") ? SqlType::kNull : SqlType::kBool;
    ++next_;
    return operand;
  }
  if (word("EXISTS") && ahead(1).is_operator("(")) {
    next_ += 2;
    if (!starts_select()) return expected("SELECT after EXISTS (");
    VARVE_QUERY_TRY(select());
    VARVE_QUERY_TRY(expect_symbol(")", "a closing )"));
    operand.type = SqlType::kBool;
    return operand;
  }
  const bool callable = is_name() || word("LIKE") || word("GLOB") || word("REGEXP");
  if (callable && ahead(1).is_operator("(")) return call();
  if (word("CURRENT_TIMESTAMP")) {
    text_.replace(next_++, int_literal(now_ns_));
    operand.type = SqlType::kTimestamp;
    return operand;
  }
  if (is_name()) return column();
  return expected("an expression");
}

QueryResult<Operand> ExpressionTranslator::interval() {
  const size_t position = next_;
  Operand operand;
  operand.literal = next_ + 1;
  operand.text = ahead(1).unquoted();
  operand.from = position;
  next_ += 2;
  VARVE_QUERY_TRY(as_interval(operand));
  text_.replace(position, "");
  return operand;
}

QueryResult<Operand> ExpressionTranslator::case_expression() {
  ++next_;
  std::optional<Operand> subject;
  if (!word("WHEN")) {
    VARVE_QUERY_ASSIGN(subject, expression());
  }
  if (!word("WHEN")) return expected("WHEN in CASE");
  std::vector<Operand> results;
  while (skip_word("WHEN")) {
    VARVE_QUERY_ASSIGN(Operand condition, expression());
    if (subject) VARVE_QUERY_TRY(compare(*subject, condition));
    VARVE_QUERY_TRY(expect_word("THEN", "THEN after the condition of WHEN"));
    VARVE_QUERY_ASSIGN(Operand result, expression());
    results.push_back(std::move(result));
  }
  if (skip_word("ELSE")) {
    VARVE_QUERY_ASSIGN(Operand otherwise, expression());
    results.push_back(std::move(otherwise));
  }
  VARVE_QUERY_TRY(expect_word("END", "WHEN, ELSE or END in CASE"));
  std::vector<Operand*> pointers;
  for (Operand& result : results) pointers.push_back(&result);
  Operand operand;
  VARVE_QUERY_ASSIGN(operand.type, unify(pointers));
  return operand;
}

QueryResult<Operand> ExpressionTranslator::cast() {
  const size_t word_token = next_;
  next_ += 2;
  VARVE_QUERY_ASSIGN(Operand operand, expression());
  const size_t as_token = next_;
  VARVE_QUERY_TRY(expect_word("AS", "AS and a type in CAST"));
  const size_t type_token = next_;
  VARVE_QUERY_ASSIGN(const std::string type, name("a type in CAST"));
  VARVE_QUERY_TRY(expect_symbol(")", "a closing ) after the type"));
  text_.replace(word_token, "");
  text_.replace(as_token, "");
  text_.replace(type_token, "");
  return cast_to(std::move(operand), type, type_token);
}

QueryResult<Operand> ExpressionTranslator::cast_to(Operand operand, const std::string& type,
                                                   size_t type_token) {
  VARVE_QUERY_ASSIGN(const SqlType to, cast_type(type, text_.at(type_token).position));
  Operand result;
  result.type = to;
  if (operand.type == to || operand.type == SqlType::kNull) {
    return result;
  }
  if (to == SqlType::kTimestamp) {
    if (operand.type != SqlType::kInt64) VARVE_QUERY_TRY(as_time(operand));
    result.constant = operand.constant;
  } else if (to == SqlType::kString && operand.type != SqlType::kString) {
    as_text(operand, true);
    if (operand.type != SqlType::kString) text_.wrap(operand.from, operand.to, "CAST(", " AS TEXT)");
  } else if (to == SqlType::kBool) {
    text_.wrap(operand.from, operand.to, "varve_bool(", ")");
  } else {
    text_.wrap(operand.from, operand.to, "CAST(", to == SqlType::kDouble ? " AS REAL)" : " AS INTEGER)");
  }
  return result;
}

}  // namespace varve
