#include "api/query/sqlite/fallback.h"

#include <algorithm>
#include <array>

#include "api/sql/lexer.h"

namespace varve {
namespace {

// What a refusal must say for SQLite to be asked.
constexpr std::array<std::string_view, 4> kNotMine{"sql_syntax", "unsupported", "unknown_function", "wrong_arguments"};

bool is_query(std::string_view sql) {
  const auto first = Lexer(sql).next();
  return first && (first->is_word("SELECT") || first->is_word("WITH") || first->is_word("VALUES"));
}

// Of equal errors, and of syntax errors, the one further into the statement has understood more of it.
QueryError more_helpful(QueryError refusal, QueryError error) {
  const bool about_text =
      error.code == "sql_syntax" || (error.code == refusal.code && error.code != "unsupported");
  if (about_text && error.position.value_or(0) <= refusal.position.value_or(0)) return refusal;
  return error;
}

}  // namespace

QueryResult<void> run_after_refusal(QueryError refusal, const Engine& engine, const SqliteSelect& select,
                                    QueryBudget& budget, ResultSink& sink, QueryStats& stats) {
  const bool not_mine = std::find(kNotMine.begin(), kNotMine.end(), refusal.code) != kNotMine.end();
  if (!not_mine || !is_query(select.sql)) return tl::make_unexpected(std::move(refusal));
  QueryResult<void> outcome = run_in_sqlite(engine, select, budget, sink, stats);
  if (!outcome) return tl::make_unexpected(more_helpful(std::move(refusal), std::move(outcome.error())));
  return outcome;
}

}  // namespace varve
