#include "api/influxql/statement_parser.h"

#include <fmt/format.h>

#include <charconv>

#include "api/sql/ast.h"

namespace varve::influxql {
namespace {

constexpr std::string_view kNoPolicies =
    "retention policies are not kept here: how long rows stay is storage.retention of the configuration";
constexpr std::string_view kNoUsers = "users are not kept here: access is by tokens (varve token create)";
constexpr std::string_view kNoContinuousQueries = "continuous queries are not supported";
constexpr std::string_view kNoSubscriptions =
    "subscriptions are not supported: a [[mirror]] of the configuration sends "
    "what is written to another server";
constexpr std::string_view kNoShards = "there are no shards to drop: delete rows by time";

}  // namespace

QueryResult<std::vector<Statement>> parse_influxql(std::string_view text, const Parameters& parameters) {
  if (text.size() > kSqlBytesMax) {
    return tl::make_unexpected(
        invalid_query("influxql_too_large",
                      fmt::format("error parsing query: the query has {} bytes, at most {} are allowed",
                                  text.size(), kSqlBytesMax),
                      0));
  }
  return StatementParser(text, parameters).parse();
}

QueryResult<std::vector<Statement>> StatementParser::parse() {
  std::vector<Statement> statements;
  bool separated = true;
  while (true) {
    const Token word = tokens_.next_word();
    if (word.kind == TokenKind::kEnd) return statements;
    if (word.is_operator(";")) {
      separated = true;
      continue;
    }
    if (!separated) return TokenStream::unexpected(word, {";"});
    if (statements.size() == kStatementsMax) {
      return tokens_.error(fmt::format("more than {} statements in one request", kStatementsMax));
    }
    tokens_.back();
    VARVE_QUERY_ASSIGN(Statement one, statement());
    statements.push_back(std::move(one));
    separated = false;
  }
}

QueryResult<Statement> StatementParser::statement() {
  const Token word = tokens_.next_word();
  const std::string_view verb = word.kind == TokenKind::kKeyword ? std::string_view(word.text) : "";
  if (verb == "SELECT") return select();
  if (verb == "DELETE") return drop_rows(DropStatement::What::kDelete);
  if (verb == "SHOW") return show();
  if (verb == "CREATE") return create();
  if (verb == "DROP") return drop();
  if (verb == "EXPLAIN") return explain();
  if (verb == "GRANT") return grant(false);
  if (verb == "REVOKE") return grant(true);
  if (verb == "ALTER") return alter_policy();
  if (verb == "SET") return set_password();
  if (verb == "KILL") return kill();
  return TokenStream::unexpected(word, {"SELECT", "DELETE", "SHOW", "CREATE", "DROP", "EXPLAIN", "GRANT",
                                        "REVOKE", "ALTER", "SET", "KILL"});
}

QueryResult<Statement> StatementParser::create() {
  const Token word = tokens_.next_word();
  const std::string_view what = word.kind == TokenKind::kKeyword ? std::string_view(word.text) : "";
  if (what == "DATABASE") return create_database();
  if (what == "USER") return create_user();
  if (what == "RETENTION") return create_policy();
  if (what == "CONTINUOUS") {
    VARVE_QUERY_TRY(tokens_.expect_keyword("QUERY"));
    VARVE_QUERY_TRY(tokens_.expect_name());
    VARVE_QUERY_TRY(tokens_.expect_keyword("ON"));
    VARVE_QUERY_TRY(tokens_.expect_name());
    return skip_to_end("CREATE CONTINUOUS QUERY", std::string(kNoContinuousQueries));
  }
  if (what == "SUBSCRIPTION") {
    VARVE_QUERY_TRY(tokens_.expect_name());
    VARVE_QUERY_TRY(tokens_.expect_keyword("ON"));
    VARVE_QUERY_TRY(tokens_.expect_name());
    return skip_to_end("CREATE SUBSCRIPTION", std::string(kNoSubscriptions));
  }
  return TokenStream::unexpected(word, {"CONTINUOUS", "DATABASE", "USER", "RETENTION", "SUBSCRIPTION"});
}

QueryResult<CreateDatabaseStatement> StatementParser::create_database() {
  CreateDatabaseStatement create;
  VARVE_QUERY_ASSIGN(create.name, tokens_.expect_name());
  if (!tokens_.take_keyword("WITH")) return create;
  create.with_policy = true;
  const auto none = [&] {
    const Token& word = tokens_.next_word();
    const bool known = word.is_keyword("DURATION") || word.is_keyword("NAME") ||
                       word.is_keyword("REPLICATION") || word.is_keyword("SHARD");
    return !known;
  };
  if (none()) return tokens_.unexpected({"DURATION", "NAME", "REPLICATION", "SHARD"});
  tokens_.back();
  if (tokens_.take_keyword("DURATION")) VARVE_QUERY_TRY(tokens_.expect_duration());
  if (tokens_.take_keyword("REPLICATION")) VARVE_QUERY_TRY(expect_replication());
  if (tokens_.take_keyword("SHARD")) {
    VARVE_QUERY_TRY(tokens_.expect_keyword("DURATION"));
    VARVE_QUERY_TRY(tokens_.expect_duration());
  }
  if (tokens_.take_keyword("NAME")) VARVE_QUERY_TRY(tokens_.expect_name());
  return create;
}

QueryResult<void> StatementParser::expect_replication() {
  VARVE_QUERY_ASSIGN(const int64_t count, tokens_.expect_integer());
  if (count >= 1 && count <= INT32_MAX) return {};
  return TokenStream::error(tokens_.newest(), fmt::format("invalid value {}: must be 1 <= n <= {}",
                                                          tokens_.newest().text, INT32_MAX));
}

QueryResult<AcceptedStatement> StatementParser::create_policy() {
  AcceptedStatement policy{"CREATE RETENTION POLICY", std::string(kNoPolicies)};
  VARVE_QUERY_TRY(tokens_.expect_keyword("POLICY"));
  VARVE_QUERY_TRY(tokens_.expect_name());
  VARVE_QUERY_TRY(tokens_.expect_keyword("ON"));
  VARVE_QUERY_TRY(tokens_.expect_name());
  VARVE_QUERY_TRY(tokens_.expect_keyword("DURATION"));
  VARVE_QUERY_ASSIGN(const int64_t duration, tokens_.expect_duration());
  VARVE_QUERY_TRY(tokens_.expect_keyword("REPLICATION"));
  VARVE_QUERY_TRY(expect_replication());
  if (tokens_.take_keyword("SHARD")) {
    VARVE_QUERY_TRY(tokens_.expect_keyword("DURATION"));
    VARVE_QUERY_TRY(tokens_.expect_duration());
  }
  tokens_.take_keyword("DEFAULT");
  if (duration == 0) policy.reason.clear();  // for ever, as rows stay anyway
  return policy;
}

QueryResult<AcceptedStatement> StatementParser::alter_policy() {
  VARVE_QUERY_TRY(tokens_.expect_keyword("RETENTION"));
  VARVE_QUERY_TRY(tokens_.expect_keyword("POLICY"));
  VARVE_QUERY_TRY(tokens_.expect_name());
  VARVE_QUERY_TRY(tokens_.expect_keyword("ON"));
  VARVE_QUERY_TRY(tokens_.expect_name());
  for (bool any = false;; any = true) {
    if (tokens_.take_keyword("DURATION")) {
      VARVE_QUERY_TRY(tokens_.expect_duration());
    } else if (tokens_.take_keyword("REPLICATION")) {
      VARVE_QUERY_TRY(expect_replication());
    } else if (tokens_.take_keyword("SHARD")) {
      VARVE_QUERY_TRY(tokens_.expect_keyword("DURATION"));
      VARVE_QUERY_TRY(tokens_.expect_duration());
    } else if (!tokens_.take_keyword("DEFAULT")) {
      if (any) return AcceptedStatement{"ALTER RETENTION POLICY", std::string(kNoPolicies)};
      tokens_.next_word();
      return tokens_.unexpected({"DURATION", "REPLICATION", "SHARD", "DEFAULT"});
    }
  }
}

QueryResult<AcceptedStatement> StatementParser::create_user() {
  VARVE_QUERY_TRY(tokens_.expect_name());
  VARVE_QUERY_TRY(tokens_.expect_keyword("WITH"));
  VARVE_QUERY_TRY(tokens_.expect_keyword("PASSWORD"));
  VARVE_QUERY_TRY(tokens_.expect_string());
  if (tokens_.take_keyword("WITH")) {
    VARVE_QUERY_TRY(tokens_.expect_keyword("ALL"));
    VARVE_QUERY_TRY(tokens_.expect_keyword("PRIVILEGES"));
  }
  return AcceptedStatement{"CREATE USER", std::string(kNoUsers)};
}

// For what is refused whatever it says.
QueryResult<AcceptedStatement> StatementParser::skip_to_end(std::string text, std::string reason) {
  while (true) {
    const Token& word = tokens_.next_word();
    if (word.kind == TokenKind::kEnd || word.is_operator(";")) break;
  }
  tokens_.back();
  return AcceptedStatement{std::move(text), std::move(reason)};
}

QueryResult<Statement> StatementParser::drop() {
  const Token word = tokens_.next_word();
  const std::string_view what = word.kind == TokenKind::kKeyword ? std::string_view(word.text) : "";
  if (what == "SERIES") return drop_rows(DropStatement::What::kSeries);
  if (what == "DATABASE" || what == "MEASUREMENT") {
    DropStatement drop;
    drop.what = what == "DATABASE" ? DropStatement::What::kDatabase : DropStatement::What::kMeasurement;
    VARVE_QUERY_ASSIGN(drop.name, tokens_.expect_name());
    return drop;
  }
  if (what == "USER") {
    VARVE_QUERY_TRY(tokens_.expect_name());
    return AcceptedStatement{"DROP USER", std::string(kNoUsers)};
  }
  if (what == "SHARD") {
    VARVE_QUERY_TRY(tokens_.expect_integer());
    return AcceptedStatement{"DROP SHARD", std::string(kNoShards)};
  }
  if (what == "RETENTION" || what == "CONTINUOUS") {
    const bool policy = what == "RETENTION";
    VARVE_QUERY_TRY(tokens_.expect_keyword(policy ? "POLICY" : "QUERY"));
    VARVE_QUERY_TRY(tokens_.expect_name());
    VARVE_QUERY_TRY(tokens_.expect_keyword("ON"));
    VARVE_QUERY_TRY(tokens_.expect_name());
    return policy ? AcceptedStatement{"DROP RETENTION POLICY", std::string(kNoPolicies)}
                  : AcceptedStatement{"DROP CONTINUOUS QUERY", std::string(kNoContinuousQueries)};
  }
  if (what == "SUBSCRIPTION") {
    VARVE_QUERY_TRY(tokens_.expect_name());
    VARVE_QUERY_TRY(tokens_.expect_keyword("ON"));
    VARVE_QUERY_TRY(tokens_.expect_name());
    VARVE_QUERY_TRY(tokens_.expect_operator("."));
    VARVE_QUERY_TRY(tokens_.expect_name());
    return AcceptedStatement{"DROP SUBSCRIPTION", std::string(kNoSubscriptions)};
  }
  return TokenStream::unexpected(word, {"CONTINUOUS", "DATABASE", "MEASUREMENT", "RETENTION", "SERIES",
                                        "SHARD", "SUBSCRIPTION", "USER"});
}

QueryResult<DropStatement> StatementParser::drop_rows(DropStatement::What what) {
  DropStatement drop;
  drop.what = what;
  if (tokens_.take_keyword("FROM")) {
    VARVE_QUERY_ASSIGN(drop.sources, sources(false));
    for (const Source& source : drop.sources) {
      if (!source.retention_policy.empty()) {
        return tokens_.error("retention policy not supported at line 1, char 1");
      }
      if (!source.database.empty()) return tokens_.error("database not supported at line 1, char 1");
    }
    VARVE_QUERY_ASSIGN(drop.condition, condition());
    return drop;
  }
  VARVE_QUERY_ASSIGN(drop.condition, condition());
  if (drop.condition) return drop;
  tokens_.next_word();
  return tokens_.unexpected({"FROM", "WHERE"});
}

QueryResult<AcceptedStatement> StatementParser::grant(bool revoke) {
  const Token word = tokens_.next_word();
  const bool all = word.is_keyword("ALL");
  if (!all && !word.is_keyword("READ") && !word.is_keyword("WRITE")) {
    return TokenStream::unexpected(word, {"READ", "WRITE", "ALL [PRIVILEGES]"});
  }
  if (all) tokens_.take_keyword("PRIVILEGES");
  const std::string_view whom = revoke ? "FROM" : "TO";
  AcceptedStatement done{revoke ? "REVOKE" : "GRANT", std::string(kNoUsers)};
  if (tokens_.take_keyword("ON")) {
    VARVE_QUERY_TRY(tokens_.expect_name());
    VARVE_QUERY_TRY(tokens_.expect_keyword(whom));
  } else if (!all) {
    VARVE_QUERY_TRY(tokens_.expect_keyword("ON"));
  } else if (!tokens_.take_keyword(whom)) {
    tokens_.next_word();
    return tokens_.unexpected({"ON", whom});
  }
  VARVE_QUERY_TRY(tokens_.expect_name());
  return done;
}

QueryResult<AcceptedStatement> StatementParser::set_password() {
  VARVE_QUERY_TRY(tokens_.expect_keyword("PASSWORD"));
  VARVE_QUERY_TRY(tokens_.expect_keyword("FOR"));
  VARVE_QUERY_TRY(tokens_.expect_name());
  VARVE_QUERY_TRY(tokens_.expect_operator("="));
  VARVE_QUERY_TRY(tokens_.expect_string());
  return AcceptedStatement{"SET PASSWORD", std::string(kNoUsers)};
}

QueryResult<KillQueryStatement> StatementParser::kill() {
  VARVE_QUERY_TRY(tokens_.expect_keyword("QUERY"));
  VARVE_QUERY_TRY(tokens_.expect_integer());
  KillQueryStatement kill;
  const std::string& digits = tokens_.newest().text;
  (void)std::from_chars(digits.data(), digits.data() + digits.size(), kill.id);
  if (tokens_.take_keyword("ON")) VARVE_QUERY_TRY(tokens_.expect_name());
  return kill;
}

QueryResult<ExplainStatement> StatementParser::explain() {
  ExplainStatement explain;
  explain.analyze = tokens_.take_keyword("ANALYZE");
  VARVE_QUERY_TRY(tokens_.expect_keyword("SELECT"));
  VARVE_QUERY_ASSIGN(SelectStatement inner, select());
  explain.select = std::make_unique<SelectStatement>(std::move(inner));
  return explain;
}

}  // namespace varve::influxql
