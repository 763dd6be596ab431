// Turns syntax trees of one SELECT into bound expressions: columns to slots, literals and parameters to constants,
// aggregate calls to aggregates of the plan. Constant parts are computed once, here.
//   Names: a column by exact case, else the only one that differs in case; `timestamp` is the time column unless the
//   table has one of that name; where aliases count (WHERE, GROUP BY, HAVING, ORDER BY), columns come first.
// Errors:  unknown_column, unknown_function, missing_parameter, type_mismatch, not_grouped, misplaced_aggregate, ...
//          with position.
// Threads: one thread.
#pragma once

#include <string>
#include <vector>

#include "api/query/plan.h"
#include "api/sql/ast.h"

namespace varve {

struct BindInput {
  const TableInfo* table = nullptr;  // null = no FROM
  std::string table_alias;
  const QueryParameters* parameters = nullptr;
  const std::vector<SelectItem>* items = nullptr;  // for aliases
  int64_t now_ns = 0;
};

class Binder {
 public:
  enum class Aliases { kNo, kYes };

  Binder(const BindInput& input, SelectPlan& plan);

  // Over rows of the table; aggregates are an error naming the clause.
  QueryResult<ScalarPtr> bind_row(const AstExpr& expr, std::string_view clause, Aliases aliases);
  // Over groups: keys, aggregates and what is computed from them. The keys must have been added.
  QueryResult<ScalarPtr> bind_group(const AstExpr& expr, Aliases aliases);
  QueryResult<void> add_key(const AstExpr& expr);
  // SAMPLE BY: the bucket of time is a key, and after it `time` outside aggregates means the bucket.
  QueryResult<void> add_sample_key(const SampleBy& sample);
  // The keys that a SELECT column without aggregates stands for under SAMPLE BY: the column itself, or where it is
  // computed from the bucket, what else it is computed from.
  QueryResult<void> add_implied_keys(const AstExpr& item);
  ScalarPtr column_slot(const ColumnInfo& column, size_t position);  // as bind_row of the column's name

  bool contains_aggregate(const AstExpr& expr) const;
  bool mentions_time(const AstExpr& expr) const;  // outside aggregates
  bool same_expression(const AstExpr& a, const AstExpr& b) const;
  const ColumnInfo* find_column(std::string_view name) const;
  const AstExpr* find_alias(const AstExpr& name) const;  // null when it is none

 private:
  struct Scope {
    bool grouped = false;
    Aliases aliases = Aliases::kNo;
    std::string_view clause;
  };

  QueryResult<ScalarPtr> bind(const AstExpr& expr, const Scope& scope);
  QueryResult<ScalarPtr> bind_node(const AstExpr& expr, const Scope& scope);
  QueryResult<ScalarPtr> bind_operator(const AstExpr& expr, std::vector<ScalarPtr> operands);
  QueryResult<ScalarPtr> bind_column(const AstExpr& expr, const Scope& scope);
  QueryResult<ScalarPtr> bind_parameter(const AstExpr& expr) const;
  QueryResult<ScalarPtr> bind_case_of(const AstExpr& expr, const Scope& scope);
  QueryResult<ScalarPtr> bind_call(const AstExpr& expr, const Scope& scope);
  QueryResult<ScalarPtr> bind_aggregate(const AstExpr& expr);
  QueryResult<size_t> add_aggregate(const AstExpr& expr, AggregateKind kind);
  QueryResult<void> add_percentile(const AstExpr& expr, AggregateSpec& spec);
  QueryResult<ScalarPtr> limit_constant(ScalarPtr bound);
  QueryError unknown_column(const AstExpr& expr, const Scope& scope) const;
  QueryResult<void> add_unit(const AstExpr& expr, AggregateSpec& spec);
  QueryError wrong_count(const AstExpr& expr, size_t arguments_max) const;
  std::vector<std::string> column_names() const;
  bool has_bucket_key() const;
  bool is_known_key(const AstExpr& expr) const;

  BindInput input_;
  SelectPlan& plan_;
  struct KeyAst {
    const AstExpr* expr;
    size_t key;
  };
  std::vector<KeyAst> key_asts_;
  struct SeenAggregate {
    const AstExpr* expr;
    AggregateKind kind;
  };
  std::vector<SeenAggregate> seen_aggregates_;  // one per plan_.aggregates
  uint32_t nodes_ = 0;
  uint32_t patterns_ = 0;
  uint64_t constant_bytes_ = 0;
};

}  // namespace varve
