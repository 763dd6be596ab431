// FROM: tables, sub-queries, common table expressions, json_each, and how they are joined. See select_translator.h.
#include <fmt/format.h>

#include <algorithm>

#include "api/query/sqlite/select_translator.h"
#include "api/sql/nesting.h"
#include "api/sql/text.h"

namespace varve {
namespace {

ScopeItem item_of(std::string name, const std::vector<NamedType>& outputs) {
  ScopeItem item;
  item.name = std::move(name);
  for (const NamedType& output : outputs) item.columns.push_back({output.name, output.type, nullptr, false});
  return item;
}

}  // namespace

QueryResult<void> SelectTranslator::from(Scope& scope) {
  const Nesting nesting(nesting_);
  if (nesting.too_deep()) return nesting.error(current().position);
  VARVE_QUERY_TRY(from_item(scope));
  while (true) {
    const size_t left_items = scope.items.size();
    if (skip_symbol(",")) {
      VARVE_QUERY_TRY(from_item(scope));
      continue;
    }
    bool natural = false;
    VARVE_QUERY_ASSIGN(const bool joined, join_operator(natural));
    if (!joined) return {};
    VARVE_QUERY_TRY(from_item(scope));
    if (natural) merge_columns(scope, left_items, nullptr);
    VARVE_QUERY_TRY(join_condition(scope, left_items));
  }
}

QueryResult<bool> SelectTranslator::join_operator(bool& natural) {
  const size_t first = next_;
  natural = skip_word("NATURAL");
  if (skip_word("LEFT") || skip_word("RIGHT") || skip_word("FULL")) {
    skip_word("OUTER");
  } else if (!skip_word("INNER")) {
    skip_word("CROSS");
  }
  if (skip_word("JOIN")) return true;
  if (next_ != first) return expected("JOIN");
  return false;
}

QueryResult<void> SelectTranslator::join_condition(Scope& scope, size_t left_items) {
  if (skip_word("ON")) {
    scopes_.push_back(&scope);
    VARVE_QUERY_TRY(expression());
    scopes_.pop_back();
    return {};
  }
  if (!skip_word("USING")) return {};
  VARVE_QUERY_TRY(expect_symbol("(", "( after USING"));
  std::vector<std::string> names;
  do {
    const size_t token = next_;
    VARVE_QUERY_ASSIGN(std::string column, name("a column both sides have"));
    for (const bool left : {true, false}) {
      const auto from = scope.items.begin() + static_cast<ptrdiff_t>(left ? 0 : left_items);
      const auto to = left ? scope.items.begin() + static_cast<ptrdiff_t>(left_items) : scope.items.end();
      if (std::any_of(from, to, [&](ScopeItem& item) { return item.find(column) != nullptr; })) continue;
      std::vector<std::string> known;
      for (auto item = from; item != to; ++item) {
        for (const ScopeColumn& other : item->columns) known.push_back(other.name);
      }
      return failure(
          "unknown_column",
          fmt::format("the {} side of the join has no column `{}`", left ? "left" : "right", column), token,
          nearest_hint(column, known));
    }
    names.push_back(std::move(column));
  } while (skip_symbol(","));
  merge_columns(scope, left_items, &names);
  return expect_symbol(")", "a closing ) after USING");
}

// The columns of the right side that stand for those of the left; null names = all they have in common.
void SelectTranslator::merge_columns(Scope& scope, size_t left_items, const std::vector<std::string>* names) {
  for (size_t right = left_items; right < scope.items.size(); ++right) {
    for (ScopeColumn& column : scope.items[right].columns) {
      if (names == nullptr && column.source != nullptr)
        column.source->referenced = true;  // SQLite compares the names
      const bool wanted =
          names == nullptr || std::any_of(names->begin(), names->end(), [&](const std::string& name) {
            return equal_ignoring_case(name, column.name);
          });
      if (!wanted) continue;
      for (size_t left = 0; left < left_items; ++left) {
        ScopeColumn* other = scope.items[left].find(column.name);
        if (other == nullptr) continue;
        column.merged = true;
        if (column.source != nullptr) column.source->referenced = true;
        if (other->source != nullptr) other->source->referenced = true;
      }
    }
  }
  if (names != nullptr) return;
  for (size_t left = 0; left < left_items; ++left) {
    for (ScopeColumn& column : scope.items[left].columns) {
      if (column.source != nullptr) column.source->referenced = true;
    }
  }
}

// [AS] name, or nothing.
QueryResult<std::string> SelectTranslator::optional_alias() {
  const bool has_as = skip_word("AS");
  const bool other_clause = (word("SAMPLE") || word("LATEST")) && ahead(1).is_word("BY");
  if (!has_as && (!is_name() || other_clause)) return std::string();
  return name("a name after AS");
}

QueryResult<void> SelectTranslator::from_item(Scope& scope) {
  if (skip_symbol("(")) {
    const bool sub_query = starts_select();
    std::vector<NamedType> outputs;
    if (sub_query) {
      VARVE_QUERY_ASSIGN(outputs, select());
    } else {
      VARVE_QUERY_TRY(from(scope));
    }
    VARVE_QUERY_TRY(expect_symbol(")", "a closing )"));
    if (!sub_query) return {};
    VARVE_QUERY_ASSIGN(std::string alias, optional_alias());
    scope.items.push_back(item_of(std::move(alias), outputs));
    return {};
  }
  TableName table;
  table.position = current().position;
  const size_t first = next_;
  VARVE_QUERY_ASSIGN(table.name, name("a table name after FROM"));
  if (symbol("(")) return table_function(scope, table.name);
  if (skip_symbol(".")) {
    table.database = std::move(table.name);
    VARVE_QUERY_ASSIGN(table.name, name("a table name after the database"));
  }
  const size_t last = next_ - 1;
  const TableExpression* expression = table.database.empty() ? find_expression(table.name) : nullptr;
  if (expression != nullptr) {
    const std::vector<NamedType> outputs = expression->outputs;
    std::string shown = expression->name;
    VARVE_QUERY_ASSIGN(std::string alias, optional_alias());
    scope.items.push_back(item_of(alias.empty() ? std::move(shown) : std::move(alias), outputs));
    return {};
  }
  VARVE_QUERY_ASSIGN(SourceTable* const source, tables_.find(table));
  for (size_t token = first; token < last; ++token) text_.replace(token, "");
  text_.replace(last, quoted_name(source->module));
  ScopeItem item;
  VARVE_QUERY_ASSIGN(item.name, optional_alias());
  if (item.name.empty()) {
    item.name = table.name;
    text_.append(last, " AS " + quoted_name(item.name));
  }
  for (SourceColumn& column : source->columns)
    item.columns.push_back({column.name, column.type, &column, false});
  scope.items.push_back(std::move(item));
  return {};
}

// json_each(text [, path]) and json_tree: one row per element.
QueryResult<void> SelectTranslator::table_function(Scope& scope, const std::string& written) {
  const std::string name = ascii_lower(written);
  if (name != "json_each" && name != "json_tree") {
    return failure("unknown_function", fmt::format("no such table function: {}", written), next_ - 1,
                   nearest_hint(name, {"json_each", "json_tree"}));
  }
  ++next_;
  tables_.use_function(name);
  scopes_.push_back(&scope);
  VARVE_QUERY_TRY(expression_list(name));
  scopes_.pop_back();
  VARVE_QUERY_TRY(expect_symbol(")", ", or ) in the arguments"));
  VARVE_QUERY_ASSIGN(std::string alias, optional_alias());
  scope.items.push_back(item_of(alias.empty() ? name : std::move(alias), {{"key", KnownType()},
                                                                          {"value", KnownType()},
                                                                          {"type", SqlType::kString},
                                                                          {"atom", KnownType()},
                                                                          {"id", SqlType::kInt64},
                                                                          {"parent", SqlType::kInt64},
                                                                          {"fullkey", SqlType::kString},
                                                                          {"path", SqlType::kString}}));
  return {};
}

}  // namespace varve
