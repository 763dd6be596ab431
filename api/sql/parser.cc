#include "api/sql/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "api/sql/expression_parser.h"
#include "api/sql/text.h"

namespace varve {
namespace {

// Words that begin what varve's own engine does not do; none is an alias without AS.
constexpr std::array<std::string_view, 11> kUnavailable{
    "JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "UNION", "INTERSECT", "EXCEPT", "WINDOW"};

// The clauses of SELECT in their order.
const std::vector<std::string> kClauses{"FROM",   "WHERE", "SAMPLE", "LATEST", "GROUP",
                                        "HAVING", "FILL",  "ORDER",  "LIMIT",  "OFFSET"};

constexpr size_t kLatestByMax = 128;  // tags of one LATEST BY; guessed, tables have a handful

class StatementParser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  QueryResult<Statement> statement() {
    VARVE_QUERY_TRY(start());
    Statement result;
    if (word("SELECT")) {
      VARVE_QUERY_ASSIGN(result, select());
    } else if (word("SHOW")) {
      VARVE_QUERY_TRY(advance());
      if (!word("TABLES")) return expected("TABLES after SHOW");
      VARVE_QUERY_TRY(advance());
      result = ShowTablesStatement{};
    } else if (word("DESCRIBE") || word("DESC")) {
      VARVE_QUERY_TRY(advance());
      DescribeStatement describe;
      VARVE_QUERY_ASSIGN(describe.table, table_name("a table name after DESCRIBE"));
      result = std::move(describe);
    } else if (word("DELETE")) {
      VARVE_QUERY_ASSIGN(result, delete_rows());
    } else if (word("EXPLAIN")) {
      VARVE_QUERY_ASSIGN(result, explain());
    } else if (word("WITH") || word("VALUES")) {
      return unavailable_here();
    } else {
      return expected_word("SELECT, SHOW TABLES, DESCRIBE, EXPLAIN or DELETE",
                           {"SELECT", "SHOW", "DESCRIBE", "EXPLAIN", "DELETE"});
    }
    if (symbol(";")) VARVE_QUERY_TRY(advance());
    if (current().kind != TokenKind::kEnd) {
      if (unavailable_word()) return unavailable_here();
      return not_the_end();
    }
    return result;
  }

 private:
  bool unavailable_word() const {
    return std::any_of(kUnavailable.begin(), kUnavailable.end(),
                       [&](std::string_view name) { return word(name); });
  }

  // SAMPLE, LATEST and FILL are words like others unless the clause goes on.
  bool sample_by_here() const { return word("SAMPLE") && word_follows("BY"); }
  bool latest_by_here() const { return word("LATEST") && (word_follows("BY") || word_follows("ON")); }

  tl::unexpected<QueryError> expected_word(std::string_view what,
                                           const std::vector<std::string>& words) const {
    tl::unexpected<QueryError> error = expected(what);
    if (current().kind == TokenKind::kWord) {
      if (std::string hint = nearest_hint(current().text, words); !hint.empty()) error.value().hint = hint;
    }
    return error;
  }

  // Something follows the last clause: one out of order, one misspelled (perhaps read as an alias), or anything else.
  tl::unexpected<QueryError> not_the_end() const {
    const auto begun = [&](const std::string& name) { return word(name); };
    const auto clause = std::find_if(kClauses.begin(), kClauses.end(), begun);
    if (clause != kClauses.end() && !last_clause_.empty()) {
      const auto last = std::find(kClauses.begin(), kClauses.end(), last_clause_);
      if (clause < last) {
        return tl::make_unexpected(
            invalid_query("sql_syntax", fmt::format("{} must come before {}", *clause, shown_clause(*last)),
                          current().position));
      }
    }
    tl::unexpected<QueryError> error = expected_word("the end of the statement", kClauses);
    if (error.value().hint.empty() && !bare_alias_.empty())
      error.value().hint = nearest_hint(bare_alias_, kClauses);
    return error;
  }

  static std::string shown_clause(const std::string& clause) {
    const bool by = clause == "SAMPLE" || clause == "LATEST" || clause == "GROUP" || clause == "ORDER";
    return by ? clause + " BY" : clause;
  }

  QueryResult<ExplainStatement> explain() {
    ExplainStatement statement;
    VARVE_QUERY_TRY(advance());
    if (word("ANALYZE") || word("ANALYSE")) {
      statement.analyze = true;
      VARVE_QUERY_TRY(advance());
    }
    if (word("WITH") || word("VALUES")) return unavailable_here();
    if (!word("SELECT")) return expected("SELECT after EXPLAIN");
    VARVE_QUERY_ASSIGN(statement.select, select());
    return statement;
  }

  tl::unexpected<QueryError> unavailable_here() const {
    return tl::make_unexpected(
        invalid_query("unsupported", fmt::format("{} is not available in this version", shown(current())),
                      current().position));
  }

  QueryResult<SelectStatement> select() {
    SelectStatement select;
    VARVE_QUERY_TRY(advance());
    if (word("DISTINCT")) {
      select.distinct = true;
      VARVE_QUERY_TRY(advance());
    } else if (word("ALL")) {
      VARVE_QUERY_TRY(advance());
    }
    do {
      if (select.items.size() == kSelectItemsMax) {
        return tl::make_unexpected(
            invalid_query("sql_too_large", fmt::format("more than {} columns in SELECT", kSelectItemsMax),
                          current().position));
      }
      VARVE_QUERY_ASSIGN(auto item, select_item());
      select.items.push_back(std::move(item));
    } while (skip(","));
    VARVE_QUERY_TRY(failure());
    if (word("FROM")) VARVE_QUERY_TRY(from(select));
    if (word("WHERE")) {
      VARVE_QUERY_TRY(begin_clause("WHERE"));
      VARVE_QUERY_ASSIGN(select.where, expression());
    }
    VARVE_QUERY_TRY(sample_by(select));
    VARVE_QUERY_TRY(latest_by(select));
    VARVE_QUERY_TRY(group_by(select));
    VARVE_QUERY_TRY(fill(select));
    VARVE_QUERY_TRY(order_by(select));
    VARVE_QUERY_TRY(limit(select));
    return select;
  }

  QueryResult<DeleteStatement> delete_rows() {
    DeleteStatement rows;
    VARVE_QUERY_TRY(advance());
    if (!word("FROM")) return expected("FROM after DELETE");
    VARVE_QUERY_TRY(advance());
    VARVE_QUERY_ASSIGN(rows.table, table_name("a table name after DELETE FROM"));
    if (!word("WHERE")) {
      return tl::make_unexpected(
          invalid_query("missing_where", "DELETE needs a WHERE", current().position,
                        "name a range of time, or write WHERE true to delete every row"));
    }
    VARVE_QUERY_TRY(advance());
    VARVE_QUERY_ASSIGN(rows.where, expression());
    return rows;
  }

  QueryResult<SelectItem> select_item() {
    SelectItem item;
    item.position = current().position;
    if (symbol("*")) {
      VARVE_QUERY_TRY(advance());
      return item;
    }
    VARVE_QUERY_ASSIGN(const bool qualified_star, starts_qualified_star());
    if (qualified_star) {
      item.qualifier = current().unquoted();
      for (int i = 0; i < 3; ++i) VARVE_QUERY_TRY(advance());
      return item;
    }
    VARVE_QUERY_ASSIGN(item.expr, expression());
    item.text = sql().substr(item.expr->position, item.expr->end - item.expr->position);
    VARVE_QUERY_ASSIGN(item.alias, alias());
    return item;
  }

  // [AS] name, or nothing.
  QueryResult<std::string> alias() {
    if (word("AS")) {
      VARVE_QUERY_TRY(advance());
      if (!is_name() && current().kind != TokenKind::kString) return expected("a name after AS");
    } else if (!is_name() || unavailable_word() || sample_by_here() || latest_by_here()) {
      return std::string();
    } else if (current().kind == TokenKind::kWord) {
      bare_alias_ = current().text;
    }
    std::string name = current().unquoted();
    VARVE_QUERY_TRY(advance());
    return name;
  }

  QueryResult<TableName> table_name(std::string_view what) {
    TableName table;
    table.position = current().position;
    if (!is_name()) return expected(what);
    table.name = current().unquoted();
    VARVE_QUERY_TRY(advance());
    if (symbol(".")) {
      VARVE_QUERY_TRY(advance());
      if (!is_name()) return expected("a table name after the database");
      table.database = std::move(table.name);
      table.name = current().unquoted();
      VARVE_QUERY_TRY(advance());
    }
    return table;
  }

  QueryResult<void> begin_clause(std::string_view name) {
    last_clause_ = name;
    bare_alias_ = {};
    return advance();
  }

  QueryResult<void> from(SelectStatement& select) {
    VARVE_QUERY_TRY(begin_clause("FROM"));
    if (symbol("(")) {
      return tl::make_unexpected(
          invalid_query("unsupported", "subqueries are not available in this version", current().position));
    }
    VARVE_QUERY_ASSIGN(select.from, table_name("a table name after FROM"));
    VARVE_QUERY_ASSIGN(select.from->alias, alias());
    if (symbol(",")) {
      return tl::make_unexpected(invalid_query(
          "unsupported", "several tables in FROM are not available in this version", current().position));
    }
    return {};
  }

  QueryResult<void> sample_by(SelectStatement& select) {
    if (!sample_by_here()) return {};
    SampleBy sample;
    sample.position = current().position;
    VARVE_QUERY_TRY(begin_clause("SAMPLE"));
    VARVE_QUERY_TRY(advance());
    VARVE_QUERY_ASSIGN(sample.width, width());
    VARVE_QUERY_TRY(fill(select));  // before ALIGN, as QuestDB writes it, or after
    if (word("ALIGN")) {
      VARVE_QUERY_TRY(advance());
      if (!word("TO")) return expected("TO after ALIGN");
      VARVE_QUERY_TRY(advance());
      if (word("FIRST")) return unavailable_here();
      if (!word("CALENDAR")) return expected("CALENDAR after ALIGN TO");
      VARVE_QUERY_TRY(advance());
      if (word("TIME")) {
        VARVE_QUERY_TRY(advance());
        if (!word("ZONE")) return expected("ZONE after TIME");
        VARVE_QUERY_TRY(advance());
        if (current().kind != TokenKind::kString && current().kind != TokenKind::kParameter) {
          return expected("a time zone such as 'Europe/Paris'");
        }
        VARVE_QUERY_ASSIGN(sample.zone, width());
      }
      if (word("WITH")) return unavailable_here();
    }
    select.sample_by = std::move(sample);
    return {};
  }

  // LATEST BY tag, ... or LATEST ON time PARTITION BY tag, ...
  QueryResult<void> latest_by(SelectStatement& select) {
    if (!latest_by_here()) return {};
    VARVE_QUERY_TRY(begin_clause("LATEST"));
    if (word("ON")) {
      VARVE_QUERY_TRY(advance());
      if (!word("TIME") && !word("TIMESTAMP")) return expected("the time column after LATEST ON");
      VARVE_QUERY_TRY(advance());
      if (!word("PARTITION")) return expected("PARTITION BY after LATEST ON time");
      VARVE_QUERY_TRY(advance());
      if (!word("BY")) return expected("BY after PARTITION");
    }
    VARVE_QUERY_TRY(advance());
    do {
      VARVE_QUERY_ASSIGN(auto tag, expression());
      select.latest_by.push_back(std::move(tag));
    } while (skip(",") && select.latest_by.size() < kLatestByMax);
    return failure();
  }

  QueryResult<void> group_by(SelectStatement& select) {
    if (word("GROUP")) {
      VARVE_QUERY_TRY(begin_clause("GROUP"));
      if (!word("BY")) return expected("BY after GROUP");
      VARVE_QUERY_TRY(advance());
      do {
        VARVE_QUERY_ASSIGN(auto key, expression());
        select.group_by.push_back(std::move(key));
      } while (skip(","));
      VARVE_QUERY_TRY(failure());
      if (select.group_by.size() > kSelectItemsMax) {
        return tl::make_unexpected(invalid_query(
            "sql_too_large", fmt::format("more than {} GROUP BY keys", kSelectItemsMax), current().position));
      }
      VARVE_QUERY_TRY(fill(select));
    }
    if (word("HAVING")) {
      VARVE_QUERY_TRY(begin_clause("HAVING"));
      VARVE_QUERY_ASSIGN(select.having, expression());
    }
    return {};
  }

  // FILL(none | null | prev | linear | value, ...)
  QueryResult<void> fill(SelectStatement& select) {
    if (!word("FILL") || !select.fill.empty()) return {};
    VARVE_QUERY_TRY(begin_clause("FILL"));
    if (!symbol("(")) return expected("( after FILL");
    do {
      VARVE_QUERY_TRY(advance());
      FillTerm term;
      term.position = current().position;
      if (word("NONE"))
        term.kind = FillTerm::Kind::kNone;
      else if (word("NULL"))
        term.kind = FillTerm::Kind::kNull;
      else if (word("PREV") || word("PREVIOUS"))
        term.kind = FillTerm::Kind::kPrevious;
      else if (word("LINEAR"))
        term.kind = FillTerm::Kind::kLinear;
      else
        term.kind = FillTerm::Kind::kValue;
      if (term.kind != FillTerm::Kind::kValue) {
        VARVE_QUERY_TRY(advance());
      } else if (current().kind == TokenKind::kWord && !word("TRUE") && !word("FALSE")) {
        return expected_word("none, null, prev, linear or a value in FILL",
                             {"none", "null", "prev", "linear"});
      } else {
        VARVE_QUERY_ASSIGN(term.value, expression());
      }
      if (select.fill.size() == kSelectItemsMax) {
        return tl::make_unexpected(invalid_query(
            "sql_too_large", fmt::format("more than {} values in FILL", kSelectItemsMax), term.position));
      }
      select.fill.push_back(std::move(term));
    } while (symbol(","));
    if (!symbol(")")) return expected(", or ) in FILL");
    return advance();
  }

  QueryResult<void> order_by(SelectStatement& select) {
    if (!word("ORDER")) return {};
    VARVE_QUERY_TRY(begin_clause("ORDER"));
    if (!word("BY")) return expected("BY after ORDER");
    VARVE_QUERY_TRY(advance());
    do {
      OrderItem item;
      VARVE_QUERY_ASSIGN(item.expr, expression());
      item.descending = word("DESC");
      if (word("ASC") || word("DESC")) VARVE_QUERY_TRY(advance());
      if (word("NULLS")) {
        VARVE_QUERY_TRY(advance());
        if (!word("FIRST") && !word("LAST")) return expected("FIRST or LAST after NULLS");
        item.nulls_first = word("FIRST");
        VARVE_QUERY_TRY(advance());
      }
      select.order_by.push_back(std::move(item));
    } while (skip(","));
    if (select.order_by.size() > kSelectItemsMax) {
      return tl::make_unexpected(invalid_query(
          "sql_too_large", fmt::format("more than {} ORDER BY keys", kSelectItemsMax), current().position));
    }
    return failure();
  }

  QueryResult<void> limit(SelectStatement& select) {
    if (!word("LIMIT")) return {};
    VARVE_QUERY_TRY(begin_clause("LIMIT"));
    VARVE_QUERY_ASSIGN(select.limit, expression());
    if (word("OFFSET")) {
      VARVE_QUERY_TRY(advance());
      VARVE_QUERY_ASSIGN(select.offset, expression());
    } else if (symbol(",")) {  // LIMIT offset, count
      VARVE_QUERY_TRY(advance());
      select.offset = std::move(select.limit);
      VARVE_QUERY_ASSIGN(select.limit, expression());
    }
    return {};
  }

  std::string last_clause_;
  std::string_view bare_alias_;  // of the present clause, written without AS
};

}  // namespace

QueryResult<Statement> parse_sql(std::string_view sql) {
  if (sql.size() > kSqlBytesMax) {
    return tl::make_unexpected(invalid_query(
        "sql_too_large",
        fmt::format("the statement has {} bytes, at most {} are allowed", sql.size(), kSqlBytesMax), 0));
  }
  return StatementParser(sql).statement();
}

}  // namespace varve
