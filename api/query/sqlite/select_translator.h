// Reads the clauses of SELECT: WITH, compound selects, FROM and its joins, lists, ORDER BY, LIMIT. See translator.h.
// FROM is read before the list of outputs, so that every name is known when it is met.
// Threads: one thread.
#pragma once

#include <memory>

#include "api/query/sqlite/expression_translator.h"

namespace varve {

class SelectTranslator : public ExpressionTranslator {
 public:
  using ExpressionTranslator::ExpressionTranslator;

  // [WITH ...] SELECT | VALUES ... up to a closing parenthesis or the end. `self` is the common table expression this
  // is the body of: it has columns as soon as the first SELECT is read.
  QueryResult<std::vector<NamedType>> select() override { return select_statement(nullptr); }

 private:
  struct TableExpression {
    std::string name;
    std::vector<std::string> columns;  // as declared; empty = those of the body
    std::vector<NamedType> outputs;
    bool ready = false;
  };

  QueryResult<std::vector<NamedType>> select_statement(TableExpression* self);
  QueryResult<void> with();
  QueryResult<std::vector<NamedType>> core(Scope& scope);
  QueryResult<std::vector<NamedType>> values();
  size_t find_from() const;
  QueryResult<void> items(std::vector<NamedType>& outputs);
  QueryResult<void> item(std::vector<NamedType>& outputs);
  QueryResult<void> star(std::string_view qualifier, std::vector<NamedType>& outputs);
  QueryResult<void> windows();
  QueryResult<bool> compound_operator();
  QueryResult<void> unite(std::vector<NamedType>& outputs, const std::vector<NamedType>& more, size_t position) const;

  QueryResult<void> from(Scope& scope);
  QueryResult<bool> join_operator(bool& natural);
  QueryResult<void> join_condition(Scope& scope, size_t left_items);
  QueryResult<void> from_item(Scope& scope);
  QueryResult<void> table_function(Scope& scope, const std::string& name);
  QueryResult<std::string> optional_alias();
  void merge_columns(Scope& scope, size_t left_items, const std::vector<std::string>* names);
  TableExpression* find_expression(std::string_view name);

  std::vector<std::unique_ptr<TableExpression>> expressions_;  // innermost last
};

}  // namespace varve
