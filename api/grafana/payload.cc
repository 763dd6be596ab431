// The options of one query, from JSON: {"table","field","aggregate","interval","group_by","fill","alias","limit","format",
// "filters"}, {"sql","format"}, or of annotations also {"title","text","time_end","tags"}.
#include <fmt/format.h>

#include <charconv>

#include "api/grafana/request.h"
#include "storage/base/nearest.h"

namespace varve::grafana {
namespace {

// Each with all ways to write it.
constexpr std::string_view kKeys[] = {"sql",      "table", "field",    "fields", "aggregate", "interval",
                                      "group_by", "fill",  "alias",    "limit",  "format",    "filters",
                                      "title",    "text",  "time_end", "tags"};

struct FormatName {
  std::string_view text;
  Format format;
};
constexpr FormatName kFormats[] = {{"time_series", Format::kTimeSeries},
                                   {"timeserie", Format::kTimeSeries},
                                   {"table", Format::kTable},
                                   {"frame", Format::kFrame},
                                   {"annotations", Format::kAnnotations}};

QueryResult<std::optional<Format>> parse_format(const Json& json) {
  VARVE_QUERY_ASSIGN(const std::string text, text_of(json, "format"));
  if (text.empty()) return std::optional<Format>();
  for (const FormatName& name : kFormats) {
    if (name.text == text) return std::optional<Format>(name.format);
  }
  return tl::make_unexpected(bad_request("unknown format", "one of time_series, table, frame, annotations"));
}

QueryResult<std::optional<uint64_t>> parse_limit(const Json& json) {
  VARVE_QUERY_ASSIGN(const std::string text, text_of(json, "limit"));
  if (text.empty()) return std::optional<uint64_t>();
  uint64_t limit = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  const bool number = error == std::errc() && end == text.data() + text.size();
  if (!number || limit == 0 || limit > static_cast<uint64_t>(INT64_MAX)) {
    return tl::make_unexpected(bad_request("limit must be a whole number above 0"));
  }
  return std::optional<uint64_t>(limit);
}

QueryResult<void> check_keys(const Json& json) {
  for (const auto& [key, value] : json.items()) {
    bool known = false;
    for (const std::string_view name : kKeys) known = known || name == key;
    if (known) continue;
    const std::vector<std::string> names(std::begin(kKeys), std::end(kKeys));
    const std::string nearest = nearest_name(key, names);
    return tl::make_unexpected(bad_request(fmt::format("the payload has an unknown key {}", key),
                                           nearest.empty()
                                               ? fmt::format("the keys are {}", fmt::join(names, ", "))
                                               : "did you mean " + nearest + "?"));
  }
  return {};
}

}  // namespace

QueryResult<Payload> parse_payload(const Json& json) {
  if (json.is_null()) return Payload();
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    VARVE_QUERY_ASSIGN(const Json inner, parse_body(text));
    return parse_payload(inner);
  }
  if (!json.is_object()) return tl::make_unexpected(bad_request("a payload must be a JSON object"));
  VARVE_QUERY_TRY(check_keys(json));
  Payload payload;
  VARVE_QUERY_ASSIGN(payload.sql, text_of(json, "sql"));
  VARVE_QUERY_ASSIGN(payload.table, text_of(json, "table"));
  for (const char* key : {"field", "fields"}) {
    VARVE_QUERY_ASSIGN(const std::vector<std::string> fields, list_of(json, key));
    payload.fields.insert(payload.fields.end(), fields.begin(), fields.end());
  }
  VARVE_QUERY_ASSIGN(payload.aggregate, text_of(json, "aggregate"));
  VARVE_QUERY_ASSIGN(payload.interval, text_of(json, "interval"));
  VARVE_QUERY_ASSIGN(payload.group_by, list_of(json, "group_by"));
  VARVE_QUERY_ASSIGN(payload.fill, text_of(json, "fill"));
  VARVE_QUERY_ASSIGN(payload.alias, text_of(json, "alias"));
  VARVE_QUERY_ASSIGN(payload.limit, parse_limit(json));
  VARVE_QUERY_ASSIGN(payload.format, parse_format(json));
  VARVE_QUERY_ASSIGN(payload.title, text_of(json, "title"));
  VARVE_QUERY_ASSIGN(payload.text, text_of(json, "text"));
  VARVE_QUERY_ASSIGN(payload.time_end, text_of(json, "time_end"));
  VARVE_QUERY_ASSIGN(payload.tags, list_of(json, "tags"));
  if (const auto filters = json.find("filters"); filters != json.end() && !filters->is_null()) {
    VARVE_QUERY_ASSIGN(payload.filters, parse_filters(*filters));
  }
  return payload;
}

}  // namespace varve::grafana
