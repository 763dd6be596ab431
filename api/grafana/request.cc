#include "api/grafana/request.h"

#include <fmt/format.h>

#include <cmath>

#include "storage/base/clock.h"
#include "storage/base/timestamp.h"

namespace varve::grafana {
namespace {

constexpr int64_t kIntervalMsMax = int64_t{366} * 24 * 3600 * 1000;  // a year

struct OperatorName {
  std::string_view text;
  Filter::Operator op;
};
constexpr OperatorName kOperators[] = {
    {"=", Filter::Operator::kEqual},    {"!=", Filter::Operator::kNotEqual},
    {"=~", Filter::Operator::kMatches}, {"!~", Filter::Operator::kMatchesNot},
    {"<", Filter::Operator::kLess},     {">", Filter::Operator::kGreater},
    {"=|", Filter::Operator::kOneOf},   {"!=|", Filter::Operator::kNoneOf}};

QueryResult<Json> parse_bounded(std::string_view text) {
  int deepest = 0;
  const auto watch_depth = [&](int depth, Json::parse_event_t, const Json&) {
    deepest = std::max(deepest, depth);
    return depth < kJsonDepthMax;  // deeper values are dropped as they are read
  };
  Json json = Json::parse(text, watch_depth, false);
  if (deepest >= kJsonDepthMax) return tl::make_unexpected(bad_request("the JSON is nested too deeply"));
  if (json.is_discarded()) return tl::make_unexpected(bad_request("this is not JSON"));
  return json;
}

// Null when absent.
const Json* member(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

QueryResult<std::string> scalar_text(const Json& value, std::string_view what) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  return tl::make_unexpected(bad_request(fmt::format("{} must be text", what)));
}

// RFC 3339, or milliseconds as a number or digits.
QueryResult<int64_t> parse_time(const Json& value, std::string_view what) {
  if (value.is_number()) {
    const auto ms = value.get<double>();
    if (std::abs(ms) < 9e12) return static_cast<int64_t>(ms) * kNsPerMs;
  }
  if (value.is_string()) {
    if (const auto ns = parse_timestamp(value.get_ref<const std::string&>())) return *ns;
  }
  return tl::make_unexpected(
      bad_request(fmt::format("{} is not a time", what), "RFC 3339 text, as 2026-01-01T00:00:00.000Z"));
}

QueryResult<std::optional<Range>> parse_range(const Json& body) {
  const Json* const json = member(body, "range");
  if (json == nullptr) return std::optional<Range>();
  const Json* const from = member(*json, "from");
  const Json* const to = member(*json, "to");
  if (from == nullptr || to == nullptr) {
    return tl::make_unexpected(bad_request("range must have from and to"));
  }
  Range range;
  VARVE_QUERY_ASSIGN(range.from_ns, parse_time(*from, "range.from"));
  VARVE_QUERY_ASSIGN(range.to_ns, parse_time(*to, "range.to"));
  if (range.from_ns > range.to_ns) {
    return tl::make_unexpected(bad_request("range.from is after range.to"));
  }
  return std::optional<Range>(range);
}

QueryResult<double> parse_count(const Json& body, std::string_view key) {
  const Json* const json = member(body, key);
  if (json == nullptr) return 0.0;
  if (!json->is_number() || json->get<double>() < 0) {
    return tl::make_unexpected(bad_request(fmt::format("{} must be a number, not negative", key)));
  }
  return json->get<double>();
}

QueryResult<Filter> parse_filter(const Json& json) {
  Filter filter;
  VARVE_QUERY_ASSIGN(filter.key, text_of(json, "key"));
  if (filter.key.empty()) {
    return tl::make_unexpected(bad_request("a filter must be {key, operator, value} with a key"));
  }
  VARVE_QUERY_ASSIGN(const std::string op, text_of(json, "operator"));
  const OperatorName* known = nullptr;
  for (const OperatorName& name : kOperators) {
    if (name.text == op) known = &name;
  }
  if (known == nullptr) {
    return tl::make_unexpected(bad_request(
        fmt::format("the filter on {} has an unknown operator", filter.key), "one of = != =~ !~ < > =| !=|"));
  }
  filter.op = known->op;
  if (filter.op == Filter::Operator::kOneOf || filter.op == Filter::Operator::kNoneOf) {
    VARVE_QUERY_ASSIGN(filter.values, list_of(json, "values"));
  }
  if (filter.values.empty()) {
    VARVE_QUERY_ASSIGN(std::string value, text_of(json, "value"));
    filter.values.push_back(std::move(value));
  }
  return filter;
}

// One target, or nothing when it is hidden.
QueryResult<std::optional<Target>> parse_target(const Json& json) {
  if (!json.is_object()) return tl::make_unexpected(bad_request("targets must be objects"));
  const Json* const hide = member(json, "hide");
  if (hide != nullptr && hide->is_boolean() && hide->get<bool>()) return std::optional<Target>();
  Target target;
  VARVE_QUERY_ASSIGN(target.ref_id, text_of(json, "refId"));
  VARVE_QUERY_ASSIGN(target.target, text_of(json, "target"));
  for (const char* key : {"data", "payload"}) {
    if (const Json* const payload = member(json, key)) {
      auto parsed = parse_payload(*payload);
      if (!parsed) {
        QueryError error = std::move(parsed.error());
        if (!target.ref_id.empty()) error.message = fmt::format("{}: {}", target.ref_id, error.message);
        return tl::make_unexpected(std::move(error));
      }
      target.payload = std::move(*parsed);
    }
  }
  VARVE_QUERY_ASSIGN(const std::string type, text_of(json, "type"));
  if (type == "table" && !target.payload.format) target.payload.format = Format::kTable;
  return std::optional<Target>(std::move(target));
}

}  // namespace

QueryError bad_request(std::string message, std::string hint) {
  return {QueryErrorKind::kInvalid, "bad_request", std::move(message), std::nullopt, std::move(hint)};
}

QueryResult<Json> parse_body(std::string_view body) {
  if (body.size() > kBodyBytesMax) {
    return tl::make_unexpected(
        limit_error("body_too_large",
                    fmt::format("the request has {} bytes, the most is {}", body.size(), kBodyBytesMax)));
  }
  if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) return Json::object();
  VARVE_QUERY_ASSIGN(Json json, parse_bounded(body));
  if (!json.is_object()) return tl::make_unexpected(bad_request("the body must be a JSON object"));
  return json;
}

QueryResult<std::string> text_of(const Json& object, std::string_view key) {
  const Json* const value = member(object, key);
  if (value == nullptr) return std::string();
  return scalar_text(*value, key);
}

QueryResult<std::vector<std::string>> list_of(const Json& object, std::string_view key) {
  const Json* const value = member(object, key);
  std::vector<std::string> items;
  if (value == nullptr) return items;
  const auto too_long = [&] {
    return tl::make_unexpected(
        limit_error("too_many_items", fmt::format("{} has more than {} entries", key, kListItemsMax)));
  };
  if (value->is_array()) {
    if (value->size() > kListItemsMax) return too_long();
    for (const Json& item : *value) {
      VARVE_QUERY_ASSIGN(std::string text, scalar_text(item, key));
      if (!text.empty()) items.push_back(std::move(text));
    }
    return items;
  }
  VARVE_QUERY_ASSIGN(const std::string text, scalar_text(*value, key));
  if (text.empty()) return items;
  if (text.front() == '[') {
    auto inner = parse_bounded(text);
    if (inner && inner->is_array()) return list_of(Json{{std::string(key), std::move(*inner)}}, key);
  }
  const bool braces = text.front() == '{' && text.back() == '}';
  const bool parentheses = text.front() == '(' && text.back() == ')';
  if (!braces && !parentheses) return std::vector<std::string>{text};
  const char between = braces ? ',' : '|';
  std::string_view rest = std::string_view(text).substr(1, text.size() - 2);
  while (!rest.empty()) {
    const std::string_view item = rest.substr(0, rest.find(between));
    rest.remove_prefix(std::min(rest.size(), item.size() + 1));
    if (!item.empty()) items.emplace_back(item);
    if (items.size() > kListItemsMax) return too_long();
  }
  return items;
}

QueryResult<std::vector<Filter>> parse_filters(const Json& json) {
  std::vector<Filter> filters;
  if (!json.is_array()) return tl::make_unexpected(bad_request("filters must be an array"));
  if (json.size() > kFiltersMax) {
    return tl::make_unexpected(limit_error(
        "too_many_filters", fmt::format("there are {} filters, the most is {}", json.size(), kFiltersMax)));
  }
  for (const Json& one : json) {
    VARVE_QUERY_ASSIGN(Filter filter, parse_filter(one));
    filters.push_back(std::move(filter));
  }
  return filters;
}

QueryResult<QueryBody> parse_context(const Json& body) {
  QueryBody context;
  VARVE_QUERY_ASSIGN(context.range, parse_range(body));
  VARVE_QUERY_ASSIGN(const double interval_ms, parse_count(body, "intervalMs"));
  context.interval_ns =
      static_cast<int64_t>(std::ceil(std::min(interval_ms, static_cast<double>(kIntervalMsMax)))) * kNsPerMs;
  VARVE_QUERY_ASSIGN(const double points, parse_count(body, "maxDataPoints"));
  if (points >= 1) {
    context.max_data_points = static_cast<uint64_t>(std::min(points, static_cast<double>(kDataPointsMax)));
  }
  for (const char* key : {"filters", "adhocFilters"}) {
    const Json* const json = member(body, key);
    if (json == nullptr) continue;
    VARVE_QUERY_ASSIGN(std::vector<Filter> filters, parse_filters(*json));
    std::move(filters.begin(), filters.end(), std::back_inserter(context.filters));
  }
  return context;
}

QueryResult<QueryBody> parse_query(const Json& body) {
  VARVE_QUERY_ASSIGN(QueryBody query, parse_context(body));
  const Json* const targets = member(body, "targets");
  if (targets == nullptr) return query;
  if (!targets->is_array()) return tl::make_unexpected(bad_request("targets must be an array"));
  if (targets->size() > kTargetsMax) {
    return tl::make_unexpected(
        limit_error("too_many_targets",
                    fmt::format("the panel has {} queries, the most is {}", targets->size(), kTargetsMax)));
  }
  for (const Json& json : *targets) {
    VARVE_QUERY_ASSIGN(std::optional<Target> target, parse_target(json));
    if (target) query.targets.push_back(std::move(*target));
  }
  return query;
}

}  // namespace varve::grafana
