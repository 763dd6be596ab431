#include <fmt/format.h>

#include "api/influxql/statement_parser.h"
#include "api/query/time_zone.h"
#include "api/sql/text.h"

namespace varve::influxql {
namespace {

// The first operator in `expr` that compares: a field is a value.
const Expr* find_comparison(const Expr& expr) {
  static constexpr std::string_view kValues = "+-*/%&|^";
  if (expr.kind == ExprKind::kBinary &&
      (expr.op.size() != 1 || kValues.find(expr.op) == std::string_view::npos)) {
    return &expr;
  }
  for (const ExprPtr& child : expr.children) {
    if (const Expr* found = find_comparison(*child)) return found;
  }
  return nullptr;
}

bool is_call(const Expr& expr, std::string_view name) {
  return expr.kind == ExprKind::kCall && expr.text == name;
}

// GROUP BY time(interval, offset); empty = it is one.
std::string set_time_dimension(const Expr& call, SelectStatement& select) {
  if (call.text != "time") return "only time() calls allowed in dimensions";
  if (call.children.empty() || call.children.size() > 2) return "time dimension expected 1 or 2 arguments";
  if (call.children[0]->kind != ExprKind::kDuration) return "time dimension must have duration argument";
  if (select.time_dimension && select.time_dimension->interval_ns != 0) {
    return "multiple time dimensions not allowed";
  }
  TimeDimension time;
  time.interval_ns = std::get<int64_t>(call.children[0]->value);
  if (call.children.size() == 2) {
    const Expr& offset = *call.children[1];
    if (offset.kind == ExprKind::kDuration) {
      time.offset_ns = std::get<int64_t>(offset.value);
    } else if (offset.kind != ExprKind::kCall) {
      return "time dimension offset must be duration or now()";
    } else if (offset.text != "now") {
      return "time dimension offset function must be now()";
    } else if (!offset.children.empty()) {
      return "time dimension offset now() function requires no arguments";
    } else {
      time.offset_is_now = true;
    }
  }
  select.time_dimension = time;
  return {};
}

std::string set_dimension(const Expr& expr, SelectStatement& select) {
  switch (expr.kind) {
    case ExprKind::kName:
      if (equal_ignoring_case(expr.text, "time"))
        return "time() is a function and expects at least one argument";
      select.dimensions.push_back({Dimension::Kind::kTag, expr.text});
      return {};
    case ExprKind::kCall:
      return set_time_dimension(expr, select);
    case ExprKind::kWildcard:
      select.dimensions.push_back({Dimension::Kind::kAll, {}});
      return {};
    case ExprKind::kRegex:
      select.dimensions.push_back({Dimension::Kind::kRegex, expr.text});
      return {};
    case ExprKind::kParen:
      return set_dimension(*expr.children[0], select);
    default:
      return "only time and tag dimensions allowed";
  }
}

}  // namespace

QueryResult<SelectStatement> StatementParser::select() {
  SelectStatement select;
  VARVE_QUERY_TRY(fields(select));
  VARVE_QUERY_TRY(into(select));
  VARVE_QUERY_TRY(tokens_.expect_keyword("FROM"));
  VARVE_QUERY_ASSIGN(select.sources, sources(true));
  VARVE_QUERY_ASSIGN(select.condition, condition());
  VARVE_QUERY_TRY(group_by(select));
  VARVE_QUERY_TRY(fill(select));
  VARVE_QUERY_ASSIGN(select.descending, order_by());
  VARVE_QUERY_ASSIGN(select.limit, number_after("LIMIT"));
  VARVE_QUERY_ASSIGN(select.offset, number_after("OFFSET"));
  VARVE_QUERY_ASSIGN(select.series_limit, number_after("SLIMIT"));
  VARVE_QUERY_ASSIGN(select.series_offset, number_after("SOFFSET"));
  VARVE_QUERY_TRY(time_zone(select));
  return select;
}

QueryResult<void> StatementParser::fields(SelectStatement& select) {
  do {
    VARVE_QUERY_ASSIGN(auto regex, tokens_.take_regex());
    if (regex) {
      Field matching;
      matching.expr = make_expr(ExprKind::kRegex, tokens_.newest().position, std::move(*regex));
      select.fields.push_back(std::move(matching));
      continue;
    }
    VARVE_QUERY_ASSIGN(Field one, field());
    select.fields.push_back(std::move(one));
  } while (tokens_.take_operator(","));
  return {};
}

QueryResult<Field> StatementParser::field() {
  const Token first = tokens_.next_word();
  tokens_.back();
  Field field;
  VARVE_QUERY_ASSIGN(field.expr, expressions_.parse());
  if (const Expr* comparison = find_comparison(*field.expr)) {
    std::string op;
    for (const char c : comparison->op) op += ascii_upper(c);
    return tokens_.error(fmt::format(
        "invalid operator {} in SELECT clause at line {}, char {}; operator is intended for WHERE clause", op,
        first.line + 1, first.column + 1));
  }
  if (tokens_.take_keyword("AS")) {
    VARVE_QUERY_ASSIGN(field.alias, tokens_.expect_name());
  }
  return field;
}

QueryResult<void> StatementParser::into(SelectStatement& select) {
  if (!tokens_.take_keyword("INTO")) return {};
  select.into = true;
  VARVE_QUERY_ASSIGN(const auto names, tokens_.names());
  if (names.size() < 3 && tokens_.peek() == ':') {
    VARVE_QUERY_TRY(tokens_.expect_operator(":"));
    VARVE_QUERY_TRY(tokens_.expect_keyword("MEASUREMENT"));
  }
  return {};
}

QueryResult<std::vector<Source>> StatementParser::sources(bool subqueries) {
  std::vector<Source> sources;
  do {
    VARVE_QUERY_ASSIGN(Source one, source(subqueries));
    sources.push_back(std::move(one));
  } while (tokens_.take_operator(","));
  return sources;
}

QueryResult<Source> StatementParser::source(bool subqueries) {
  Source source;
  VARVE_QUERY_ASSIGN(auto regex, tokens_.take_regex());
  if (!regex) {
    if (subqueries && tokens_.take_operator("(")) return subquery(tokens_.newest().position);
    const Token& first = tokens_.next_word();
    source.position = first.position;
    tokens_.back();
    VARVE_QUERY_ASSIGN(auto names, tokens_.names());
    if (names.size() == 3) {
      source.database = std::move(names[0]);
      source.retention_policy = std::move(names[1]);
      source.name = std::move(names[2]);
      return source;
    }
    VARVE_QUERY_ASSIGN(regex, tokens_.take_regex());
    if (!regex) {
      source.name = std::move(names.back());
      names.pop_back();
    }
    if (names.size() == 2) source.database = std::move(names[0]);
    if (!names.empty()) source.retention_policy = std::move(names.back());
    if (!regex) return source;
  }
  source.position = tokens_.newest().position;
  source.name = std::move(*regex);
  source.is_regex = true;
  return source;
}

QueryResult<Source> StatementParser::subquery(size_t position) {
  const ExpressionParser::Level level(expressions_);
  VARVE_QUERY_TRY(level.check());
  Source source;
  source.position = position;
  VARVE_QUERY_TRY(tokens_.expect_keyword("SELECT"));
  VARVE_QUERY_ASSIGN(SelectStatement inner, select());
  VARVE_QUERY_TRY(tokens_.expect_operator(")"));
  source.subquery = std::make_unique<SelectStatement>(std::move(inner));
  return source;
}

QueryResult<ExprPtr> StatementParser::condition() {
  if (!tokens_.take_keyword("WHERE")) return ExprPtr();
  return expressions_.parse();
}

QueryResult<void> StatementParser::group_by(SelectStatement& select) {
  if (!tokens_.take_keyword("GROUP")) return {};
  VARVE_QUERY_TRY(tokens_.expect_keyword("BY"));
  do {
    VARVE_QUERY_ASSIGN(auto regex, tokens_.take_regex());
    if (regex) {
      select.dimensions.push_back({Dimension::Kind::kRegex, std::move(*regex)});
      continue;
    }
    VARVE_QUERY_ASSIGN(const ExprPtr expr, expressions_.parse());
    std::string problem = set_dimension(*expr, select);
    if (select.dimension_error.empty()) select.dimension_error = std::move(problem);
    tokens_.skip_space();
  } while (tokens_.take_operator(","));
  return {};
}

QueryResult<void> StatementParser::fill(SelectStatement& select) {
  const Token word = tokens_.next_word();
  tokens_.back();
  if (word.kind != TokenKind::kName || !equal_ignoring_case(word.text, "fill")) return {};
  VARVE_QUERY_ASSIGN(const ExprPtr expr, expressions_.parse());
  if (!is_call(*expr, "fill")) return tokens_.error("fill must be a function call");
  if (expr->children.size() != 1) {
    return tokens_.error("fill requires an argument, e.g.: 0, null, none, previous, linear");
  }
  const Expr& argument = *expr->children[0];
  Fill& fill = select.fill;
  if (argument.kind == ExprKind::kName && argument.cast == Cast::kNone) {
    if (argument.text == "null") fill.kind = Fill::Kind::kNull;
    if (argument.text == "none") fill.kind = Fill::Kind::kNone;
    if (argument.text == "previous") fill.kind = Fill::Kind::kPrevious;
    if (argument.text == "linear") fill.kind = Fill::Kind::kLinear;
  } else if (argument.kind == ExprKind::kInteger) {
    fill.kind = Fill::Kind::kNumber;
    fill.number = static_cast<double>(std::get<int64_t>(argument.value));
    fill.whole = true;
  } else if (argument.kind == ExprKind::kNumber) {
    fill.kind = Fill::Kind::kNumber;
    fill.number = std::get<double>(argument.value);
  }
  if (fill.kind == Fill::Kind::kDefault) return tokens_.error("expected number argument in fill()");
  return {};
}

QueryResult<bool> StatementParser::order_by() {
  if (!tokens_.take_keyword("ORDER")) return false;
  VARVE_QUERY_TRY(tokens_.expect_keyword("BY"));
  const Token first = tokens_.next_word();
  bool descending = first.is_keyword("DESC");
  if (first.kind == TokenKind::kName) {
    tokens_.back();
    VARVE_QUERY_ASSIGN(descending, sort_field());
    if (first.text != "time") return tokens_.error("only ORDER BY time supported at this time");
  } else if (!descending && !first.is_keyword("ASC")) {
    return TokenStream::unexpected(first, {"identifier", "ASC", "DESC"});
  }
  if (tokens_.take_operator(",")) {
    VARVE_QUERY_TRY(sort_field());
    return tokens_.error("only ORDER BY time supported at this time");
  }
  return descending;
}

QueryResult<bool> StatementParser::sort_field() {
  VARVE_QUERY_TRY(tokens_.expect_name());
  if (tokens_.take_keyword("ASC")) return false;
  return tokens_.take_keyword("DESC");
}

QueryResult<int64_t> StatementParser::number_after(std::string_view keyword) {
  if (!tokens_.take_keyword(keyword)) return 0;
  return tokens_.expect_integer();
}

QueryResult<void> StatementParser::time_zone(SelectStatement& select) {
  const Token word = tokens_.next_word();
  tokens_.back();
  if (word.kind != TokenKind::kName || !equal_ignoring_case(word.text, "tz")) return {};
  VARVE_QUERY_ASSIGN(const ExprPtr expr, expressions_.parse());
  if (!is_call(*expr, "tz")) return tokens_.error("tz must be a function call");
  if (expr->children.size() != 1) return tokens_.error("tz requires exactly one argument");
  if (expr->children[0]->kind != ExprKind::kString) return tokens_.error("expected string argument in tz()");
  select.time_zone = std::get<std::string>(expr->children[0]->value);
  if (!select.time_zone.empty() && !TimeZone::find(select.time_zone)) {
    return tokens_.error("unable to find time zone " + select.time_zone);
  }
  return {};
}

}  // namespace varve::influxql
