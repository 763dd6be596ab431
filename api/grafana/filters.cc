#include "api/grafana/filters.h"

#include <fmt/format.h>

#include <charconv>

#include "api/sql/text.h"
#include "storage/base/timestamp.h"

namespace varve::grafana {
namespace {

using Operator = Filter::Operator;

bool is_negative(Operator op) {
  return op == Operator::kNotEqual || op == Operator::kMatchesNot || op == Operator::kNoneOf;
}

bool is_regex(Operator op) {
  return op == Operator::kMatches || op == Operator::kMatchesNot;
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Null column: text.
QueryResult<Value> typed_value(const std::string& text, const ColumnInfo* column) {
  const auto refuse = [&](std::string_view what) {
    return tl::make_unexpected(bad_request(fmt::format("the filter on {} needs {}", column->name, what)));
  };
  if (column == nullptr || column->kind == ColumnKind::kTag) return Value(text);
  if (column->kind == ColumnKind::kTime) {
    const auto ms = parse_number<int64_t>(text);  // as Grafana writes times
    if (ms && std::abs(*ms) < INT64_MAX / kNsPerMs) return Value(format_timestamp(*ms * kNsPerMs));
    if (!parse_timestamp(text)) return refuse("a time");
    return Value(text);
  }
  switch (column->type) {
    case FieldType::kString:
      return Value(text);
    case FieldType::kBool:
      if (text == "true" || text == "1") return Value(true);
      if (text == "false" || text == "0") return Value(false);
      return refuse("true or false");
    case FieldType::kInt64:
      if (const auto whole = parse_number<int64_t>(text)) return Value(*whole);
      [[fallthrough]];
    case FieldType::kDouble:
      if (const auto real = parse_number<double>(text)) return Value(*real);
      return refuse("a number");
  }
  return refuse("a value");
}

std::string without_slashes(const std::string& regex) {
  const bool between = regex.size() >= 2 && regex.front() == '/' && regex.back() == '/';
  return between ? regex.substr(1, regex.size() - 2) : regex;
}

void append_operator(SqlBuilder& sql, Operator op) {
  switch (op) {
    case Operator::kEqual:
      sql.words(" = ");
      return;
    case Operator::kNotEqual:
      sql.words(" <> ");
      return;
    case Operator::kMatches:
      sql.words(" ~ ");
      return;
    case Operator::kMatchesNot:
      sql.words(" !~ ");
      return;
    case Operator::kLess:
      sql.words(" < ");
      return;
    case Operator::kGreater:
      sql.words(" > ");
      return;
    case Operator::kOneOf:
      sql.words(" IN (");
      return;
    case Operator::kNoneOf:
      sql.words(" NOT IN (");
      return;
  }
}

QueryResult<void> append_filter(SqlBuilder& sql, const Filter& filter, const TableInfo* table) {
  const ColumnInfo* column = nullptr;
  if (table != nullptr) {
    column = find_column(*table, filter.key);
    if (column == nullptr) {
      is_negative(filter.op) ? sql.words("true") : sql.words("false");
      return {};
    }
  }
  const bool text = column == nullptr || column->kind == ColumnKind::kTag ||
                    (column->kind == ColumnKind::kField && column->type == FieldType::kString);
  if (is_regex(filter.op) && !text) {
    return tl::make_unexpected(bad_request(
        fmt::format("the filter on {} needs text for a regular expression", filter.key), "use = != < or >"));
  }
  const std::string& name = column != nullptr ? column->name : filter.key;
  sql.words("(").name(name);
  append_operator(sql, filter.op);
  const bool list = filter.op == Operator::kOneOf || filter.op == Operator::kNoneOf;
  for (size_t i = 0; i < filter.values.size(); ++i) {
    const std::string& written = filter.values[i];
    VARVE_QUERY_ASSIGN(Value value,
                       typed_value(is_regex(filter.op) ? without_slashes(written) : written, column));
    if (i > 0) sql.words(", ");
    sql.value(std::move(value));
  }
  if (list) sql.words(")");
  if (is_negative(filter.op)) sql.words(" OR ").name(name).words(" IS NULL");
  sql.words(")");
  return {};
}

}  // namespace

const ColumnInfo* find_column(const TableInfo& table, std::string_view name) {
  const ColumnInfo* in_other_case = nullptr;
  for (const ColumnInfo& column : table.columns) {
    if (column.name == name) return &column;
    if (equal_ignoring_case(column.name, name)) in_other_case = &column;
  }
  return in_other_case;
}

QueryResult<void> append_filters(SqlBuilder& sql, const std::vector<Filter>& filters,
                                 const TableInfo* table) {
  if (filters.empty()) {
    sql.words("true");
    return {};
  }
  sql.words("(");
  for (size_t i = 0; i < filters.size(); ++i) {
    if (i > 0) sql.words(" AND ");
    VARVE_QUERY_TRY(append_filter(sql, filters[i], table));
  }
  sql.words(")");
  return {};
}

}  // namespace varve::grafana
