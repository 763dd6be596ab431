// Reads one expression in SQLite's grammar, infers its type and edits its tokens. See translator.h.
// Precedence, weakest first: OR, AND, NOT, equality and its kin, < <= > >=, & | << >>, + -, * / %, || -> ->>, COLLATE.
// Threads: one thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/query/sqlite/scope.h"
#include "api/query/sqlite/sqlite_functions.h"
#include "api/query/sqlite/token_text.h"
#include "api/query/time_buckets.h"

namespace varve {

// An expression that was read: its tokens and what is known of it.
struct Operand {
  size_t from = 0;  // tokens [from, to)
  size_t to = 0;
  KnownType type;
  std::optional<size_t> literal;     // it is a string, in this token
  std::string text;                  // of the literal
  std::optional<int64_t> constant;   // it is a time or a duration known already, ns
  std::optional<std::string> column;  // it is a plain column, called this in results
  std::vector<Operand> row;          // of a row value (a, b)
};

std::string int_literal(int64_t value);

class ExpressionTranslator {
 public:
  ExpressionTranslator(TokenText& text, SourceTables& tables, const QueryParameters& parameters, int64_t now_ns)
      : text_(text), tables_(tables), parameters_(parameters), now_ns_(now_ns) {}
  virtual ~ExpressionTranslator() = default;

  virtual QueryResult<std::vector<NamedType>> select() = 0;
  std::vector<BucketRule> take_buckets() { return std::move(buckets_); }
  QueryResult<void> end_of_statement();

 protected:
  const Token& current() const { return text_.at(next_); }
  const Token& ahead(size_t tokens) const { return text_.at(next_ + tokens); }
  bool word(std::string_view upper_case) const { return current().is_word(upper_case); }
  bool symbol(std::string_view text) const { return current().is_operator(text); }
  bool skip_word(std::string_view upper_case);
  bool skip_symbol(std::string_view text);
  bool is_name() const;
  bool starts_select() const { return word("SELECT") || word("VALUES") || word("WITH"); }
  QueryResult<std::string> name(std::string_view what);
  QueryResult<void> expect_word(std::string_view upper_case, std::string_view what);
  QueryResult<void> expect_symbol(std::string_view text, std::string_view what);
  tl::unexpected<QueryError> expected(std::string_view what) const;
  tl::unexpected<QueryError> failure(std::string_view code, std::string message, size_t token,
                                     std::string hint = {}) const;

  QueryResult<Operand> expression() { return binary(1); }
  QueryResult<void> expression_list(std::string_view what);
  QueryResult<void> order_terms();
  QueryResult<void> window_definition();

  QueryResult<void> as_time(Operand& operand);
  QueryResult<void> as_interval(Operand& operand);
  // Brings operands that stand for each other to one type.
  QueryResult<KnownType> unify(std::vector<Operand*> operands);
  static KnownType unified(KnownType a, KnownType b);

  TokenText& text_;
  SourceTables& tables_;
  const QueryParameters& parameters_;
  const int64_t now_ns_;
  size_t next_ = 0;
  std::vector<Scope*> scopes_;  // innermost last
  uint32_t nesting_ = 0;
  std::vector<BucketRule> buckets_;  // of varve_bucket(index, time)

 private:
  QueryResult<Operand> binary(int binding_min);
  int binding_of_current() const;
  QueryResult<Operand> suffix(Operand left, int binding);
  QueryResult<Operand> is_suffix(Operand left);
  QueryResult<Operand> in_suffix(Operand left);
  QueryResult<Operand> match_suffix(Operand left, int binding);
  QueryResult<Operand> between_suffix(Operand left, int binding);
  QueryResult<Operand> arithmetic(Operand left, std::string_view op, Operand right) const;
  QueryResult<Operand> time_arithmetic(Operand left, std::string_view op, Operand right);
  QueryResult<void> compare(Operand& left, Operand& right);
  void as_text(Operand& operand, bool also_double);

  QueryResult<Operand> unary();
  QueryResult<Operand> primary();
  QueryResult<Operand> word_primary();
  QueryResult<Operand> parenthesis();
  QueryResult<Operand> case_expression();
  QueryResult<Operand> cast();
  QueryResult<Operand> cast_to(Operand operand, const std::string& type, size_t type_token);
  QueryResult<Operand> interval();
  QueryResult<Operand> parameter();
  QueryResult<Operand> column();
  tl::unexpected<QueryError> unknown_column(std::string_view qualifier, std::string_view name, size_t token) const;

  // api/query/sqlite/call_translator.cc
  struct Call {
    std::string name;  // lower case
    size_t token = 0;
    bool star = false;
    size_t columns_from = 0;  // into met_items_
    std::vector<Operand> arguments;
    size_t close = 0;  // token of its )
  };
  QueryResult<Operand> call();
  QueryResult<KnownType> call_type(Call& call, const SqliteFunction& function);
  QueryResult<KnownType> bucket_call(Call& call);
  QueryResult<void> edge_call(Call& call);
  QueryResult<void> number_argument(const Call& call, const Operand& argument) const;
  QueryResult<void> over();
  QueryResult<void> frame_bound();

  std::vector<ScopeItem*> met_items_;  // of each column that was read
};

}  // namespace varve
