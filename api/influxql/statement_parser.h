// The statements of InfluxQL: SELECT (select_parser.cc), SHOW (show_parser.cc) and the rest (statement_parser.cc).
// Threads: a value of one parse_influxql().
#pragma once

#include <string_view>
#include <vector>

#include "api/influxql/ast.h"
#include "api/influxql/expression_parser.h"
#include "api/influxql/token_stream.h"

namespace varve::influxql {

class StatementParser {
 public:
  StatementParser(std::string_view text, const Parameters& parameters)
      : tokens_(text, parameters), expressions_(tokens_) {}

  QueryResult<std::vector<Statement>> parse();

 private:
  template <class T>
  using Parsed = QueryResult<T>;

  Parsed<Statement> statement();

  Parsed<SelectStatement> select();  // each of these after its first word
  Parsed<void> fields(SelectStatement& select);
  Parsed<Field> field();
  Parsed<void> into(SelectStatement& select);
  Parsed<std::vector<Source>> sources(bool subqueries);
  Parsed<Source> source(bool subqueries);
  Parsed<Source> subquery(size_t position);
  Parsed<ExprPtr> condition();
  Parsed<void> group_by(SelectStatement& select);
  Parsed<void> fill(SelectStatement& select);
  Parsed<bool> order_by();  // true = descending
  Parsed<bool> sort_field();
  Parsed<int64_t> number_after(std::string_view keyword);
  Parsed<void> time_zone(SelectStatement& select);

  Parsed<ShowStatement> show();
  Parsed<ShowStatement> show_series();
  Parsed<ShowStatement> show_measurements();
  Parsed<ShowStatement> show_tag();
  Parsed<ShowStatement> show_tag_values();
  Parsed<ShowStatement> show_field();
  Parsed<ShowStatement> show_cardinality(ShowWhat what, bool exact);
  Parsed<ShowStatement> show_policies();
  Parsed<bool> expect_cardinality();  // [EXACT] CARDINALITY: true = exact
  Parsed<void> on(ShowStatement& show);
  Parsed<void> from(ShowStatement& show);
  Parsed<void> with_key(ShowStatement& show);
  Parsed<void> order_and_limits(ShowStatement& show);
  Parsed<void> limits(ShowStatement& show);

  Parsed<Statement> create();
  Parsed<CreateDatabaseStatement> create_database();
  Parsed<AcceptedStatement> create_policy();
  Parsed<AcceptedStatement> alter_policy();
  Parsed<AcceptedStatement> create_user();
  Parsed<AcceptedStatement> skip_to_end(std::string text, std::string reason);
  Parsed<Statement> drop();
  Parsed<DropStatement> drop_rows(DropStatement::What what);
  Parsed<AcceptedStatement> grant(bool revoke);
  Parsed<AcceptedStatement> set_password();
  Parsed<KillQueryStatement> kill();
  Parsed<ExplainStatement> explain();
  Parsed<void> expect_replication();

  TokenStream tokens_;
  ExpressionParser expressions_;
};

}  // namespace varve::influxql
