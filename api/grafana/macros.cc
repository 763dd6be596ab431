#include "api/grafana/macros.h"

#include <fmt/format.h>

#include "api/grafana/bucket.h"
#include "api/grafana/filters.h"
#include "api/query/planner.h"
#include "api/sql/lexer.h"
#include "api/sql/parser.h"
#include "storage/base/clock.h"
#include "storage/base/timestamp.h"

namespace varve::grafana {
namespace {

constexpr std::string_view kOfTime[] = {"from", "to", "__from", "__to", "__interval", "__interval_ms"};

struct Piece {
  Token token;
  std::string_view before;  // blanks and comments between the token before and this one
};

// All tokens, to the end or to where the native lexer gives up (SQLite knows more): the rest is one piece.
std::vector<Piece> cut(std::string_view sql) {
  std::vector<Piece> pieces;
  Lexer lexer(sql);
  size_t end = 0;
  while (true) {
    const auto token = lexer.next();
    if (!token || token->kind == TokenKind::kEnd) {
      pieces.push_back({Token{TokenKind::kEnd, {}, sql.size()}, sql.substr(end)});
      return pieces;
    }
    pieces.push_back({*token, sql.substr(end, token->position - end)});
    end = token->end();
  }
}

class Expander {
 public:
  Expander(std::string_view sql, const QueryBody& context, const Statement& filters)
      : sql_(sql), context_(context), filters_(filters), pieces_(cut(sql)) {}

  QueryResult<Statement> run() {
    out_.parameters = filters_.parameters;
    while (at_ < pieces_.size()) {
      const Piece& piece = pieces_[at_++];
      out_.sql += piece.before;
      if (piece.token.kind == TokenKind::kParameter) {
        VARVE_QUERY_TRY(parameter(piece.token));
      } else if (piece.token.text == "'$__interval'" || piece.token.text == "'$__interval_ms'") {
        VARVE_QUERY_TRY(parameter_named(piece.token.text.substr(2, piece.token.text.size() - 3)));
      } else {
        out_.sql += piece.token.text;
      }
    }
    return std::move(out_);
  }

 private:
  QueryResult<void> parameter(const Token& token) {
    const std::string_view name = token.text.substr(1);
    if (name == "__timeFilter") return time_filter();
    if (name == "__timeGroup") return time_group();
    if (name == "__timeFrom" || name == "__timeTo") {
      VARVE_QUERY_TRY(arguments());
      return parameter_named(name == "__timeFrom" ? "from" : "to");
    }
    if (name == "__adhocFilters") {
      VARVE_QUERY_TRY(arguments());
      out_.sql += filters_.sql;
      return {};
    }
    for (const std::string_view known : kOfTime) {
      if (name == known) return parameter_named(name);
    }
    out_.sql += token.text;
    return {};
  }

  QueryResult<void> parameter_named(std::string_view name) {
    if (!context_.range) {
      return tl::make_unexpected(
          bad_request(fmt::format("${} needs a range of time, and this request has none", name)));
    }
    const Range& range = *context_.range;
    Value value;
    if (name == "from") value = format_timestamp(range.from_ns);
    if (name == "to") value = format_timestamp(range.to_ns);
    if (name == "__from") value = range.from_ns / kNsPerMs;
    if (name == "__to") value = range.to_ns / kNsPerMs;
    const int64_t bucket = automatic_bucket_ns(range, context_.interval_ns, context_.max_data_points);
    if (name == "__interval") value = interval_text(bucket);
    if (name == "__interval_ms") value = bucket / kNsPerMs;
    out_.sql += fmt::format("${}", name);
    out_.parameters.insert_or_assign(std::string(name), std::move(value));
    return {};
  }

  // The texts between the parentheses that follow; none when there are no parentheses, or nothing between them.
  QueryResult<std::vector<std::string_view>> arguments() {
    std::vector<std::string_view> found;
    if (!pieces_[at_].token.is_operator("(")) return found;
    size_t begin = pieces_[at_].token.end();
    int depth = 0;
    for (size_t i = at_; i < pieces_.size(); ++i) {
      const Token& token = pieces_[i].token;
      const bool closes = token.is_operator(")");
      if (token.is_operator("(")) ++depth;
      if (closes) --depth;
      if (!(closes && depth == 0) && !(depth == 1 && token.is_operator(","))) continue;
      const std::string_view text = sql_.substr(begin, token.position - begin);
      const bool blank = text.find_first_not_of(" \t\r\n") == std::string_view::npos;
      if (!blank) found.push_back(text);
      begin = token.end();
      if (!closes) continue;
      at_ = i + 1;
      return found;
    }
    return tl::make_unexpected(bad_request("a macro's parenthesis is not closed"));
  }

  QueryResult<void> time_filter() {
    VARVE_QUERY_ASSIGN(const std::vector<std::string_view> columns, arguments());
    if (columns.size() > 1) return tl::make_unexpected(bad_request("$__timeFilter takes one column"));
    const std::string column(columns.empty() ? kTimeColumn : columns[0]);
    out_.sql += "(" + column + " >= ";
    VARVE_QUERY_TRY(parameter_named("from"));
    out_.sql += " AND " + column + " <= ";
    VARVE_QUERY_TRY(parameter_named("to"));
    out_.sql += ")";
    return {};
  }

  QueryResult<void> time_group() {
    VARVE_QUERY_ASSIGN(const std::vector<std::string_view> of, arguments());
    if (of.size() != 2) {
      return tl::make_unexpected(
          bad_request("$__timeGroup takes a column and a width", "$__timeGroup(time, '5m')"));
    }
    std::string_view width = of[1].substr(of[1].find_first_not_of(" \t\r\n"));
    width = width.substr(0, width.find_last_not_of(" \t\r\n") + 1);
    out_.sql += "time_bucket(";
    if (width == "$__interval" || width == "'$__interval'") {
      VARVE_QUERY_TRY(parameter_named("__interval"));
    } else {
      const bool bare = width.front() >= '0' && width.front() <= '9';  // as Grafana puts 30s for $__interval
      out_.sql += bare ? fmt::format("'{}'", width) : std::string(width);
    }
    out_.sql += ",";
    out_.sql += of[0];
    out_.sql += ")";
    return {};
  }

  const std::string_view sql_;
  const QueryBody& context_;
  const Statement& filters_;
  const std::vector<Piece> pieces_;
  size_t at_ = 0;  // of the next piece
  Statement out_;
};

// The one table that a plain SELECT reads; its columns say what the filters' values are.
std::optional<TableInfo> table_of(const Engine& engine, const std::string& sql) {
  const auto parsed = parse_sql(sql);
  if (!parsed) return std::nullopt;
  const auto* const select = std::get_if<SelectStatement>(&*parsed);
  if (select == nullptr || !select->from) return std::nullopt;
  auto table = find_table(engine, *select->from);
  if (!table) return std::nullopt;
  return std::move(*table);
}

}  // namespace

QueryResult<Statement> expand_macros(const Engine& engine, std::string_view sql, const QueryBody& context) {
  const Statement none{"true", {}};
  if (context.filters.empty() || sql.find("$__adhocFilters") == std::string_view::npos) {
    return Expander(sql, context, none).run();
  }
  VARVE_QUERY_ASSIGN(const Statement without, Expander(sql, context, none).run());
  const auto table = table_of(engine, without.sql);
  SqlBuilder filters;
  VARVE_QUERY_TRY(append_filters(filters, context.filters, table ? &*table : nullptr));
  return Expander(sql, context, filters.take()).run();
}

}  // namespace varve::grafana
