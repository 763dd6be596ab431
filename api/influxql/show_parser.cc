#include "api/influxql/statement_parser.h"

namespace varve::influxql {
namespace {

ShowStatement show_of(ShowWhat what) {
  ShowStatement show;
  show.what = what;
  return show;
}

}  // namespace

QueryResult<ShowStatement> StatementParser::show() {
  const Token word = tokens_.next_word();
  const std::string_view what = word.kind == TokenKind::kKeyword ? std::string_view(word.text) : "";
  if (what == "SERIES") return show_series();
  if (what == "MEASUREMENTS") return show_measurements();
  if (what == "TAG") return show_tag();
  if (what == "FIELD") return show_field();
  if (what == "RETENTION") return show_policies();
  if (what == "DATABASES") return show_of(ShowWhat::kDatabases);
  if (what == "USERS") return show_of(ShowWhat::kUsers);
  if (what == "QUERIES") return show_of(ShowWhat::kQueries);
  if (what == "SUBSCRIPTIONS") return show_of(ShowWhat::kSubscriptions);
  if (what == "SHARDS") return show_of(ShowWhat::kShards);
  if (what == "MEASUREMENT") {
    VARVE_QUERY_ASSIGN(const bool exact, expect_cardinality());
    return show_cardinality(ShowWhat::kMeasurementCardinality, exact);
  }
  if (what == "SHARD") {
    VARVE_QUERY_TRY(tokens_.expect_keyword("GROUPS"));
    return show_of(ShowWhat::kShardGroups);
  }
  if (what == "CONTINUOUS") {
    VARVE_QUERY_TRY(tokens_.expect_keyword("QUERIES"));
    return show_of(ShowWhat::kContinuousQueries);
  }
  if (what == "GRANTS") {
    VARVE_QUERY_TRY(tokens_.expect_keyword("FOR"));
    VARVE_QUERY_TRY(tokens_.expect_name());
    return show_of(ShowWhat::kGrants);
  }
  if (what == "STATS" || what == "DIAGNOSTICS") {
    if (tokens_.take_keyword("FOR")) VARVE_QUERY_TRY(tokens_.expect_string());
    return show_of(what == "STATS" ? ShowWhat::kStats : ShowWhat::kDiagnostics);
  }
  return TokenStream::unexpected(
      word, {"CONTINUOUS", "DATABASES", "DIAGNOSTICS", "FIELD", "GRANTS", "MEASUREMENT", "MEASUREMENTS",
             "QUERIES", "RETENTION", "SERIES", "SHARD", "SHARDS", "STATS", "SUBSCRIPTIONS", "TAG", "USERS"});
}

QueryResult<ShowStatement> StatementParser::show_series() {
  const bool exact = tokens_.take_keyword("EXACT");
  if (tokens_.take_keyword("CARDINALITY")) return show_cardinality(ShowWhat::kSeriesCardinality, exact);
  ShowStatement show = show_of(ShowWhat::kSeries);
  VARVE_QUERY_TRY(on(show));
  VARVE_QUERY_TRY(from(show));
  VARVE_QUERY_ASSIGN(show.condition, condition());
  VARVE_QUERY_TRY(order_and_limits(show));
  return show;
}

QueryResult<ShowStatement> StatementParser::show_measurements() {
  ShowStatement show = show_of(ShowWhat::kMeasurements);
  VARVE_QUERY_TRY(on(show));
  if (tokens_.take_keyword("WITH")) {
    VARVE_QUERY_TRY(tokens_.expect_keyword("MEASUREMENT"));
    const Token& op = tokens_.next_word();
    if (!op.is_operator("=") && !op.is_operator("=~")) return tokens_.unexpected({"=", "=~"});
    VARVE_QUERY_ASSIGN(Source wanted, source(false));
    show.sources.push_back(std::move(wanted));
  }
  VARVE_QUERY_ASSIGN(show.condition, condition());
  VARVE_QUERY_TRY(order_and_limits(show));
  return show;
}

QueryResult<ShowStatement> StatementParser::show_tag() {
  const Token word = tokens_.next_word();
  if (word.is_keyword("VALUES")) return show_tag_values();
  if (word.is_keyword("KEY")) {
    VARVE_QUERY_ASSIGN(const bool exact, expect_cardinality());
    return show_cardinality(ShowWhat::kTagKeyCardinality, exact);
  }
  if (!word.is_keyword("KEYS")) return TokenStream::unexpected(word, {"KEY", "KEYS", "VALUES"});
  ShowStatement show = show_of(ShowWhat::kTagKeys);
  VARVE_QUERY_TRY(on(show));
  VARVE_QUERY_TRY(from(show));
  VARVE_QUERY_ASSIGN(show.condition, condition());
  VARVE_QUERY_TRY(order_and_limits(show));
  // Taken and, as in InfluxDB, without effect.
  VARVE_QUERY_TRY(number_after("SLIMIT"));
  VARVE_QUERY_TRY(number_after("SOFFSET"));
  return show;
}

QueryResult<ShowStatement> StatementParser::show_tag_values() {
  const bool exact = tokens_.take_keyword("EXACT");
  if (exact) {
    VARVE_QUERY_TRY(tokens_.expect_keyword("CARDINALITY"));
    return show_cardinality(ShowWhat::kTagValuesCardinality, true);
  }
  if (tokens_.take_keyword("CARDINALITY")) return show_cardinality(ShowWhat::kTagValuesCardinality, false);
  ShowStatement show = show_of(ShowWhat::kTagValues);
  VARVE_QUERY_TRY(on(show));
  VARVE_QUERY_TRY(from(show));
  VARVE_QUERY_TRY(with_key(show));
  VARVE_QUERY_ASSIGN(show.condition, condition());
  VARVE_QUERY_TRY(order_and_limits(show));
  return show;
}

QueryResult<ShowStatement> StatementParser::show_field() {
  const Token word = tokens_.next_word();
  if (word.is_keyword("KEY")) {
    VARVE_QUERY_ASSIGN(const bool exact, expect_cardinality());
    return show_cardinality(ShowWhat::kFieldKeyCardinality, exact);
  }
  if (!word.is_keyword("KEYS")) return TokenStream::unexpected(word, {"KEY", "KEYS"});
  ShowStatement show = show_of(ShowWhat::kFieldKeys);
  VARVE_QUERY_TRY(on(show));
  VARVE_QUERY_TRY(from(show));
  VARVE_QUERY_TRY(order_and_limits(show));
  return show;
}

QueryResult<ShowStatement> StatementParser::show_policies() {
  VARVE_QUERY_TRY(tokens_.expect_keyword("POLICIES"));
  ShowStatement show = show_of(ShowWhat::kRetentionPolicies);
  VARVE_QUERY_TRY(on(show));
  return show;
}

QueryResult<bool> StatementParser::expect_cardinality() {
  if (tokens_.take_keyword("CARDINALITY")) return false;
  if (!tokens_.take_keyword("EXACT")) {
    tokens_.next_word();
    return tokens_.unexpected({"EXACT", "CARDINALITY"});
  }
  VARVE_QUERY_TRY(tokens_.expect_keyword("CARDINALITY"));
  return true;
}

QueryResult<ShowStatement> StatementParser::show_cardinality(ShowWhat what, bool exact) {
  ShowStatement show = show_of(what);
  show.exact = exact;
  VARVE_QUERY_TRY(on(show));
  VARVE_QUERY_TRY(from(show));
  if (what == ShowWhat::kTagValuesCardinality) VARVE_QUERY_TRY(with_key(show));
  VARVE_QUERY_ASSIGN(show.condition, condition());
  SelectStatement groups;
  VARVE_QUERY_TRY(group_by(groups));
  show.by_time = groups.time_dimension || !groups.dimension_error.empty();
  show.dimensions = std::move(groups.dimensions);
  VARVE_QUERY_TRY(limits(show));
  return show;
}

QueryResult<void> StatementParser::on(ShowStatement& show) {
  if (!tokens_.take_keyword("ON")) return {};
  VARVE_QUERY_ASSIGN(show.database, tokens_.expect_name());
  return {};
}

QueryResult<void> StatementParser::from(ShowStatement& show) {
  if (!tokens_.take_keyword("FROM")) return {};
  VARVE_QUERY_ASSIGN(show.sources, sources(false));
  return {};
}

QueryResult<void> StatementParser::with_key(ShowStatement& show) {
  VARVE_QUERY_TRY(tokens_.expect_keyword("WITH"));
  VARVE_QUERY_TRY(tokens_.expect_keyword("KEY"));
  const Token op = tokens_.next_word();
  show.key_op = op.text;
  if (op.is_operator("=~") || op.is_operator("!~")) {
    VARVE_QUERY_ASSIGN(auto regex, tokens_.take_regex());
    if (!regex) {
      tokens_.next_word();
      return tokens_.unexpected({"regex"});
    }
    show.keys.push_back(std::move(*regex));
    return {};
  }
  if (op.is_operator("=") || op.is_operator("!=")) {
    VARVE_QUERY_ASSIGN(std::string key, tokens_.expect_name());
    show.keys.push_back(std::move(key));
    return {};
  }
  if (!op.is_keyword("IN")) return TokenStream::unexpected(op, {"IN", "=", "=~"});
  VARVE_QUERY_TRY(tokens_.expect_operator("("));
  do {
    VARVE_QUERY_ASSIGN(std::string key, tokens_.expect_name());
    show.keys.push_back(std::move(key));
  } while (tokens_.take_operator(","));
  return tokens_.expect_operator(")");
}

QueryResult<void> StatementParser::order_and_limits(ShowStatement& show) {
  VARVE_QUERY_TRY(order_by());
  return limits(show);
}

QueryResult<void> StatementParser::limits(ShowStatement& show) {
  VARVE_QUERY_ASSIGN(show.limit, number_after("LIMIT"));
  VARVE_QUERY_ASSIGN(show.offset, number_after("OFFSET"));
  return {};
}

}  // namespace varve::influxql
