#include "api/grafana/variable.h"

#include <fmt/format.h>

#include "api/grafana/target.h"

namespace varve::grafana {
namespace {

using Kind = VariableQuery::Kind;

struct Function {
  std::string_view name;
  Kind kind;
  size_t arguments;
};
constexpr Function kFunctions[] = {{"tables", Kind::kTables, 0},
                                   {"fields", Kind::kFields, 1},
                                   {"tag_keys", Kind::kTagKeys, 1},
                                   {"tag_values", Kind::kTagValues, 2}};

tl::unexpected<QueryError> not_understood(std::string message) {
  return tl::make_unexpected(bad_request(
      std::move(message), "SQL, tables(), fields(TABLE), tag_keys(TABLE) or tag_values(TABLE, KEY)"));
}

std::string trimmed(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t\r\n");
  if (from == std::string_view::npos) return {};
  return std::string(text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1));
}

QueryResult<VariableQuery> from_object(const Json& json) {
  VariableQuery query;
  VARVE_QUERY_ASSIGN(query.sql, text_of(json, "sql"));
  if (!query.sql.empty()) {
    query.kind = Kind::kSql;
    return query;
  }
  VARVE_QUERY_ASSIGN(const std::string type, text_of(json, "type"));
  VARVE_QUERY_ASSIGN(query.table, text_of(json, "table"));
  VARVE_QUERY_ASSIGN(query.tag, text_of(json, "tag"));
  for (const Function& function : kFunctions) {
    if (function.name != type) continue;
    const bool complete =
        (function.arguments < 1 || !query.table.empty()) && (function.arguments < 2 || !query.tag.empty());
    if (!complete)
      return not_understood(fmt::format("{} needs table{}", type, function.arguments < 2 ? "" : " and tag"));
    query.kind = function.kind;
    return query;
  }
  return not_understood("this variable's JSON has neither sql nor a known type");
}

}  // namespace

QueryResult<VariableQuery> parse_variable_text(const std::string& written) {
  const std::string text = trimmed(written);
  VariableQuery query;
  if (text.empty()) return query;
  if (text.front() == '{') {
    VARVE_QUERY_ASSIGN(const Json json, parse_body(text));
    return from_object(json);
  }
  const size_t open = text.find('(');
  for (const Function& function : kFunctions) {
    if (open == std::string::npos || trimmed(text.substr(0, open)) != function.name || text.back() != ')')
      continue;
    const std::string inside = text.substr(open + 1, text.size() - open - 2);
    const size_t comma = inside.rfind(',');
    const bool two = function.arguments == 2 && comma != std::string::npos;
    query.kind = function.kind;
    query.table = trimmed(two ? inside.substr(0, comma) : inside);
    query.tag = two ? trimmed(inside.substr(comma + 1)) : std::string();
    const bool complete =
        query.table.empty() == (function.arguments == 0) && query.tag.empty() == (function.arguments < 2);
    if (complete) return query;
    return not_understood(fmt::format("{} takes {} names", function.name, function.arguments));
  }
  query.kind = is_sql(text) ? Kind::kSql : Kind::kName;
  query.sql = text;
  return query;
}

QueryResult<VariableQuery> parse_variable(const Json& payload) {
  if (payload.is_null()) return VariableQuery();
  if (payload.is_string()) return parse_variable_text(payload.get<std::string>());
  if (!payload.is_object()) return not_understood("a variable's payload must be text or an object");
  const auto target = payload.find("target");
  if (target != payload.end() && target->is_string()) return parse_variable_text(target->get<std::string>());
  return from_object(payload);
}

}  // namespace varve::grafana
