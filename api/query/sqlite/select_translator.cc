#include "api/query/sqlite/select_translator.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/query/sqlite/translator.h"
#include "api/sql/nesting.h"
#include "api/sql/text.h"

namespace varve {
namespace {

bool ends_list(const Token& token) {
  for (const std::string_view name :
       {"WHERE", "GROUP", "HAVING", "WINDOW", "ORDER", "LIMIT", "UNION", "INTERSECT", "EXCEPT"}) {
    if (token.is_word(name)) return true;
  }
  return token.is_operator(")") || token.kind == TokenKind::kEnd;
}

}  // namespace

SelectTranslator::TableExpression* SelectTranslator::find_expression(std::string_view name) {
  for (auto expression = expressions_.rbegin(); expression != expressions_.rend(); ++expression) {
    if ((*expression)->ready && equal_ignoring_case((*expression)->name, name)) return expression->get();
  }
  return nullptr;
}

QueryResult<std::vector<NamedType>> SelectTranslator::select_statement(TableExpression* self) {
  const Nesting nesting(nesting_);
  if (nesting.too_deep()) return nesting.error(current().position);
  const size_t outer_expressions = expressions_.size();
  if (word("WITH")) VARVE_QUERY_TRY(with());
  Scope scope;
  VARVE_QUERY_ASSIGN(std::vector<NamedType> outputs, core(scope));
  if (self != nullptr) {
    self->outputs = outputs;
    for (size_t i = 0; i < std::min(self->columns.size(), outputs.size()); ++i) {
      self->outputs[i].name = self->columns[i];
    }
    self->ready = true;
  }
  bool compound = false;
  while (true) {
    const size_t operator_token = next_;
    VARVE_QUERY_ASSIGN(const bool more, compound_operator());
    if (!more) break;
    compound = true;
    Scope arm;
    VARVE_QUERY_ASSIGN(const std::vector<NamedType> others, core(arm));
    VARVE_QUERY_TRY(unite(outputs, others, operator_token));
  }
  if (compound) {
    scope = Scope();
    scope.aliases = outputs;
    scope.lenient = true;
  }
  scopes_.push_back(&scope);
  if (skip_word("ORDER")) {
    VARVE_QUERY_TRY(expect_word("BY", "BY after ORDER"));
    VARVE_QUERY_TRY(order_terms());
  }
  if (skip_word("LIMIT")) {
    VARVE_QUERY_TRY(expression());
    if (skip_word("OFFSET") || skip_symbol(",")) VARVE_QUERY_TRY(expression());
  }
  scopes_.pop_back();
  if (self != nullptr) {  // all arms are known now
    for (size_t i = 0; i < outputs.size(); ++i) self->outputs[i].type = outputs[i].type;
  }
  expressions_.resize(outer_expressions);
  return outputs;
}

QueryResult<bool> SelectTranslator::compound_operator() {
  if (skip_word("UNION")) {
    skip_word("ALL");
    return true;
  }
  return skip_word("INTERSECT") || skip_word("EXCEPT");
}

QueryResult<void> SelectTranslator::unite(std::vector<NamedType>& outputs, const std::vector<NamedType>& more,
                                          size_t token) const {
  if (outputs.size() != more.size()) {
    return failure(
        "column_count",
        fmt::format("the SELECTs on both sides have {} and {} columns", outputs.size(), more.size()), token);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const KnownType a = outputs[i].type;
    const KnownType b = more[i].type;
    const bool one_time = (a == SqlType::kTimestamp) != (b == SqlType::kTimestamp);
    if (one_time && a && b && a != SqlType::kNull && b != SqlType::kNull) {
      return failure("type_mismatch",
                     fmt::format("column {} is {} on the left and {} on the right", i + 1, sql_type_name(*a),
                                 sql_type_name(*b)),
                     token, "cast one of them");
    }
    outputs[i].type = unified(a, b);
  }
  return {};
}

QueryResult<void> SelectTranslator::with() {
  ++next_;
  skip_word("RECURSIVE");
  do {
    const size_t index = expressions_.size();
    expressions_.push_back(std::make_unique<TableExpression>());
    TableExpression& expression = *expressions_[index];
    VARVE_QUERY_ASSIGN(expression.name, name("a name after WITH"));
    if (skip_symbol("(")) {
      do {
        VARVE_QUERY_ASSIGN(std::string column, name("a column name"));
        expression.columns.push_back(std::move(column));
      } while (skip_symbol(","));
      VARVE_QUERY_TRY(expect_symbol(")", "a closing ) after the columns"));
    }
    VARVE_QUERY_TRY(expect_word("AS", "AS and a SELECT in parentheses"));
    skip_word("NOT");
    skip_word("MATERIALIZED");
    VARVE_QUERY_TRY(expect_symbol("(", "( and a SELECT after AS"));
    if (!starts_select()) return expected("SELECT");
    VARVE_QUERY_TRY(select_statement(&expression));
    VARVE_QUERY_TRY(expect_symbol(")", "a closing )"));
  } while (skip_symbol(","));
  if (!starts_select()) return expected("SELECT after WITH");
  return {};
}

QueryResult<std::vector<NamedType>> SelectTranslator::values() {
  std::vector<NamedType> outputs;
  do {
    VARVE_QUERY_TRY(expect_symbol("(", "( after VALUES"));
    size_t column = 0;
    do {
      VARVE_QUERY_ASSIGN(const Operand operand, expression());
      if (column == outputs.size()) outputs.push_back({fmt::format("column{}", column + 1), SqlType::kNull});
      outputs[column].type = unified(outputs[column].type, operand.type);
      ++column;
    } while (skip_symbol(","));
    VARVE_QUERY_TRY(expect_symbol(")", ", or ) in VALUES"));
  } while (skip_symbol(","));
  return outputs;
}

// FROM of the SELECT whose list begins here; size() when it has none.
size_t SelectTranslator::find_from() const {
  for (size_t i = next_; i < text_.size(); ++i) {
    const Token& token = text_.at(i);
    if (token.is_operator("(")) {
      i = text_.closing(i);
    } else if (token.is_word("FROM")) {
      const bool is_comparison = i > next_ && text_.at(i - 1).is_word("DISTINCT");  // IS NOT DISTINCT FROM
      if (!is_comparison) return i;
    } else if (ends_list(token) || token.is_word("SELECT")) {
      break;
    }
  }
  return text_.size();
}

QueryResult<std::vector<NamedType>> SelectTranslator::core(Scope& scope) {
  if (skip_word("VALUES")) return values();
  VARVE_QUERY_TRY(expect_word("SELECT", "SELECT or VALUES"));
  if (!skip_word("DISTINCT")) skip_word("ALL");
  const size_t list = next_;
  const size_t from_token = find_from();
  if (from_token == list) return expected("an expression");
  size_t after_from = 0;
  if (from_token != text_.size()) {
    next_ = from_token + 1;
    VARVE_QUERY_TRY(from(scope));
    after_from = next_;
    next_ = list;
  }
  scopes_.push_back(&scope);
  std::vector<NamedType> outputs;
  VARVE_QUERY_TRY(items(outputs));
  if (from_token != text_.size()) {
    if (next_ != from_token) return expected(", or FROM");
    next_ = after_from;
  }
  if (skip_word("WHERE")) VARVE_QUERY_TRY(expression());
  if (skip_word("GROUP")) {
    VARVE_QUERY_TRY(expect_word("BY", "BY after GROUP"));
    VARVE_QUERY_TRY(expression_list("GROUP BY"));
  }
  if (skip_word("HAVING")) VARVE_QUERY_TRY(expression());
  if (skip_word("WINDOW")) VARVE_QUERY_TRY(windows());
  if ((word("SAMPLE") || word("LATEST")) && ahead(1).is_word("BY")) {
    return failure("unsupported",
                   fmt::format("{} BY works in a SELECT from one table, without joins or sub-queries",
                               ascii_lower(current().text) == "sample" ? "SAMPLE" : "LATEST"),
                   next_);
  }
  scopes_.pop_back();
  return outputs;
}

QueryResult<void> SelectTranslator::windows() {
  do {
    VARVE_QUERY_TRY(name("a window's name"));
    VARVE_QUERY_TRY(expect_word("AS", "AS after the window's name"));
    VARVE_QUERY_TRY(window_definition());
  } while (skip_symbol(","));
  return {};
}

QueryResult<void> SelectTranslator::items(std::vector<NamedType>& outputs) {
  do {
    if (outputs.size() >= kSelectItemsMax) {
      return failure("sql_too_large", fmt::format("more than {} columns in SELECT", kSelectItemsMax), next_);
    }
    VARVE_QUERY_TRY(item(outputs));
  } while (skip_symbol(","));
  return {};
}

QueryResult<void> SelectTranslator::item(std::vector<NamedType>& outputs) {
  if (symbol("*")) return star({}, outputs);
  if (is_name() && ahead(1).is_operator(".") && ahead(2).is_operator("*")) {
    VARVE_QUERY_ASSIGN(const std::string qualifier, name("a table"));
    ++next_;
    return star(qualifier, outputs);
  }
  VARVE_QUERY_ASSIGN(const Operand operand, expression());
  const bool has_as = skip_word("AS");
  NamedType output{std::string(), operand.type};
  if (is_name() || (has_as && current().kind == TokenKind::kString)) {
    if (current().kind == TokenKind::kString) text_.replace(next_, quoted_name(current().unquoted()));
    text_.quote(next_);
    output.name = text_.at(next_++).unquoted();
    scopes_.back()->aliases.push_back(output);
  } else if (has_as) {
    return expected("a name after AS");
  } else {
    output.name = operand.column.value_or(std::string(text_.text(operand.from, operand.to)));
    text_.append(next_ - 1, " AS " + quoted_name(output.name));
  }
  outputs.push_back(std::move(output));
  return {};
}

QueryResult<void> SelectTranslator::star(std::string_view qualifier, std::vector<NamedType>& outputs) {
  Scope& scope = *scopes_.back();
  bool found = false;
  for (ScopeItem& item : scope.items) {
    if (!qualifier.empty() && !equal_ignoring_case(item.name, qualifier)) continue;
    found = true;
    for (ScopeColumn& column : item.columns) {
      if (column.source != nullptr) column.source->referenced = true;
      if (!column.merged || !qualifier.empty()) outputs.push_back({column.name, column.type});
    }
  }
  if (!found && qualifier.empty()) return failure("sql_syntax", "SELECT * needs a FROM", next_);
  if (!found) {
    return failure("unknown_table", fmt::format("no table `{}` in this statement", qualifier), next_ - 2,
                   nearest_hint(qualifier, item_names(scopes_)));
  }
  ++next_;
  return {};
}

QueryResult<TranslatedSelect> translate_select(std::string_view sql, SourceTables& tables,
                                               const QueryParameters& parameters, int64_t now_ns) {
  if (sql.size() > kSqlBytesMax) {
    return tl::make_unexpected(invalid_query(
        "sql_too_large",
        fmt::format("the statement has {} bytes, at most {} are allowed", sql.size(), kSqlBytesMax), 0));
  }
  TranslatedSelect translated;
  VARVE_QUERY_ASSIGN(translated.text, TokenText::read(sql));
  SelectTranslator translator(translated.text, tables, parameters, now_ns);
  VARVE_QUERY_ASSIGN(translated.outputs, translator.select());
  VARVE_QUERY_TRY(translator.end_of_statement());
  translated.sql = translated.text.finish();
  translated.buckets = translator.take_buckets();
  return translated;
}

}  // namespace varve
