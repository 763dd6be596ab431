#include "api/sql/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "api/sql/expression_parser.h"
#include "api/sql/text.h"

namespace varve {
namespace {

// Words that end an expression, so they cannot be an alias without AS.
constexpr std::array<std::string_view, 12> kUnavailableAfterTable{"JOIN",      "INNER",  "LEFT",    "RIGHT",
                                                                  "FULL",      "CROSS",  "NATURAL", "UNION",
                                                                  "INTERSECT", "EXCEPT", "SAMPLE",  "LATEST"};

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
    } else if (word("WITH") || word("VALUES") || word("EXPLAIN")) {
      return unavailable_here();
    } else {
      return expected("SELECT, SHOW TABLES, DESCRIBE or DELETE");
    }
    if (symbol(";")) VARVE_QUERY_TRY(advance());
    if (current().kind != TokenKind::kEnd) {
      if (unavailable_word()) return unavailable_here();
      return expected("the end of the statement");
    }
    return result;
  }

 private:
  bool unavailable_word() const {
    return std::any_of(kUnavailableAfterTable.begin(), kUnavailableAfterTable.end(),
                       [&](std::string_view name) { return word(name); });
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
      VARVE_QUERY_TRY(advance());
      VARVE_QUERY_ASSIGN(select.where, expression());
    }
    VARVE_QUERY_TRY(group_by(select));
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
      return tl::make_unexpected(invalid_query("missing_where", "DELETE needs a WHERE", current().position,
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
    } else if (!is_name() || unavailable_word()) {
      return std::string();
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

  QueryResult<void> from(SelectStatement& select) {
    VARVE_QUERY_TRY(advance());
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

  QueryResult<void> group_by(SelectStatement& select) {
    if (word("GROUP")) {
      VARVE_QUERY_TRY(advance());
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
    }
    if (word("HAVING")) {
      VARVE_QUERY_TRY(advance());
      VARVE_QUERY_ASSIGN(select.having, expression());
    }
    return {};
  }

  QueryResult<void> order_by(SelectStatement& select) {
    if (!word("ORDER")) return {};
    VARVE_QUERY_TRY(advance());
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
    VARVE_QUERY_TRY(advance());
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
