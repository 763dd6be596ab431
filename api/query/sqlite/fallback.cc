#include "api/query/sqlite/fallback.h"

#include <algorithm>
#include <array>

#include "api/query/explain.h"
#include "api/sql/lexer.h"

namespace varve {
namespace {

// What a refusal must say for SQLite to be asked. A table may be one of the system's.
constexpr std::array<std::string_view, 5> kNotMine{"sql_syntax", "unsupported", "unknown_function",
                                                   "wrong_arguments", "unknown_table"};

struct Written {
  bool is_query = false;
  bool explain = false;
  bool analyze = false;
  std::string query;  // blanks in place of EXPLAIN [ANALYZE], so that positions stay
};

Written read(std::string_view sql) {
  Written written;
  written.query = sql;
  Lexer lexer(sql);
  auto token = lexer.next();
  for (const std::string_view name : {"EXPLAIN", "ANALYZE"}) {
    if (!token || !token->is_word(name)) break;
    (name == "EXPLAIN" ? written.explain : written.analyze) = true;
    written.query.replace(token->position, token->text.size(), token->text.size(), ' ');
    token = lexer.next();
  }
  written.is_query =
      token && (token->is_word("SELECT") || token->is_word("WITH") || token->is_word("VALUES"));
  return written;
}

// Of equal errors, and of syntax errors, the one further into the statement has understood more of it. A clause or
// function that SQLite lacks was for the native engine, which says what is wrong with it; so does a hint.
QueryError more_helpful(QueryError refusal, QueryError error) {
  // The native engine knows no system tables, so it cannot mean one.
  if (error.code == "unknown_table" && error.hint.starts_with("did you mean `varve_")) return error;
  constexpr size_t kSamePlace = 2;  // bytes: one engine points at an operator's first byte, one at its second
  if (error.code == "unsupported" && refusal.code != "unsupported") return refusal;
  const bool hinted = refusal.code == "sql_syntax" && !refusal.hint.empty() && error.hint.empty();
  if (hinted && error.position.value_or(0) <= refusal.position.value_or(0) + kSamePlace) return refusal;
  const bool about_text =
      error.code == "sql_syntax" || (error.code == refusal.code && error.code != "unsupported");
  if (about_text && error.position.value_or(0) <= refusal.position.value_or(0)) return refusal;
  return error;
}

// One column, `plan`, as the native engine's EXPLAIN gives.
QueryResult<void> explain(const Engine& engine, const SqliteSelect& select, bool analyze, QueryBudget& budget,
                          ResultSink& sink, QueryStats& stats) {
  stats.engine = "sqlite";
  VARVE_QUERY_ASSIGN(std::vector<std::string> lines, explain_in_sqlite(engine, select, budget));
  lines.insert(lines.begin(), "engine: sqlite");
  if (analyze) {
    NoRows nobody;
    VARVE_QUERY_TRY(run_in_sqlite(engine, select, budget, nobody, stats));
    for (std::string& line : cost_lines(stats)) lines.push_back(std::move(line));
  }
  return give_plan(lines, budget, sink, stats);
}

}  // namespace

QueryResult<void> run_after_refusal(QueryError refusal, const Engine& engine, const SqliteSelect& select,
                                    QueryBudget& budget, ResultSink& sink, QueryStats& stats) {
  const bool not_mine = std::find(kNotMine.begin(), kNotMine.end(), refusal.code) != kNotMine.end();
  if (!not_mine) return tl::make_unexpected(std::move(refusal));
  const Written written = read(select.sql);
  if (!written.is_query) return tl::make_unexpected(std::move(refusal));
  const SqliteSelect query{written.query, select.parameters, select.now_ns, select.system_tables,
                           select.rows_max};
  QueryResult<void> outcome = written.explain ? explain(engine, query, written.analyze, budget, sink, stats)
                                              : run_in_sqlite(engine, query, budget, sink, stats);
  if (!outcome) return tl::make_unexpected(more_helpful(std::move(refusal), std::move(outcome.error())));
  return outcome;
}

}  // namespace varve
