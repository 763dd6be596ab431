#include "api/grafana/catalog.h"

#include <set>

#include "api/grafana/builder.h"
#include "api/grafana/target.h"

namespace varve::grafana {
namespace {

std::string text_of_json(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json choice(std::string_view value, std::string_view label) {
  return {{"label", label}, {"value", value}};
}

Json choices(std::initializer_list<std::pair<std::string_view, std::string_view>> list) {
  Json json = Json::array();
  for (const auto& [value, label] : list) json.push_back(choice(value, label));
  return json;
}

Json aggregate_choices() {
  Json json = Json::array();
  for (const Aggregate& aggregate : aggregates()) json.push_back(choice(aggregate.name, aggregate.label));
  return json;
}

Json format_choices() {
  return choices({{"time_series", "time series"},
                  {"table", "table"},
                  {"frame", "data frames"},
                  {"annotations", "annotations"}});
}

Json fill_choices() {
  return choices(
      {{"none", "none"}, {"null", "null"}, {"prev", "previous value"}, {"linear", "linear"}, {"0", "0"}});
}

Json interval_choices() {
  return choices({{"auto", "auto"},
                  {"1s", "1s"},
                  {"10s", "10s"},
                  {"1m", "1m"},
                  {"5m", "5m"},
                  {"15m", "15m"},
                  {"1h", "1h"},
                  {"6h", "6h"},
                  {"1d", "1d"},
                  {"1w", "1w"},
                  {"1 month", "1 month"},
                  {"none", "whole range"}});
}

Json option(std::string_view name, std::string_view label, std::string_view type) {
  return {{"name", name}, {"label", label}, {"type", type}};
}

Json with(Json option, std::string_view key, Json value) {
  option[std::string(key)] = std::move(value);
  return option;
}

Json table_options() {
  return Json::array(
      {with(option("field", "Fields", "multi-select"), "placeholder", "all numbers"),
       with(with(option("aggregate", "Aggregate", "select"), "placeholder", "avg"), "options",
            aggregate_choices()),
       with(with(option("interval", "Interval", "select"), "placeholder", "auto"), "options",
            interval_choices()),
       with(option("group_by", "Group by", "multi-select"), "placeholder", "tags"),
       with(with(option("fill", "Fill", "select"), "placeholder", "none"), "options", fill_choices()),
       with(option("alias", "Alias", "input"), "placeholder", "{{field}} {{tag}}"),
       with(option("limit", "Limit", "input"), "placeholder", "newest rows"),
       with(with(option("format", "Format", "select"), "placeholder", "time_series"), "options",
            format_choices())});
}

Json sql_options() {
  return Json::array({with(option("sql", "SQL", "textarea"), "placeholder",
                           "SELECT time_bucket($__interval, time) AS time, site, avg(ph) FROM readings WHERE "
                           "$__timeFilter(time) "
                           "GROUP BY 1, 2"),
                      with(with(option("format", "Format", "select"), "placeholder", "by columns"), "options",
                           format_choices())});
}

}  // namespace

std::string metrics_json(const Engine& engine) {
  Json list = Json::array();
  const Json options = table_options();
  const std::vector<TableInfo> tables = engine.tables();
  for (const TableInfo& table : tables) {
    if (list.size() == kMetricsMax) break;
    const std::string name = shown_name(table, tables);
    list.push_back({{"label", name}, {"value", name}, {"payloads", options}});
  }
  list.push_back({{"label", "SQL"}, {"value", "sql"}, {"payloads", sql_options()}});
  return text_of_json(list);
}

QueryResult<std::string> payload_options_json(const Engine& engine, const Json& body) {
  VARVE_QUERY_ASSIGN(const std::string name, text_of(body, "name"));
  if (name == "aggregate") return text_of_json(aggregate_choices());
  if (name == "format") return text_of_json(format_choices());
  if (name == "fill") return text_of_json(fill_choices());
  if (name == "interval") return text_of_json(interval_choices());
  Json list = Json::array();
  if (name == "table") {
    const std::vector<TableInfo> tables = engine.tables();
    for (const TableInfo& table : tables)
      list.push_back(choice(shown_name(table, tables), shown_name(table, tables)));
    return text_of_json(list);
  }
  const bool tags = name == "group_by" || name == "tags";
  const bool any = name == "title" || name == "text";
  if (!tags && !any && name != "field" && name != "fields" && name != "time_end") {
    return tl::make_unexpected(bad_request("there is nothing to choose from for the option " + name));
  }
  Payload payload;
  if (const auto given = body.find("payload"); given != body.end()) {
    VARVE_QUERY_ASSIGN(payload, parse_payload(*given));
  }
  VARVE_QUERY_ASSIGN(const std::string metric, text_of(body, "metric"));
  VARVE_QUERY_ASSIGN(const Named named, find_named(engine, payload.table.empty() ? metric : payload.table));
  for (const ColumnInfo& column : named.table.columns) {
    const bool tag = column.kind == ColumnKind::kTag;
    const bool field = column.kind == ColumnKind::kField;
    if (tags ? tag : any ? tag || field : field) list.push_back(choice(column.name, column.name));
  }
  return text_of_json(list);
}

std::string tag_keys_json(const Engine& engine) {
  std::set<std::string> keys;
  for (const TableInfo& table : engine.tables()) {
    for (const ColumnInfo& column : table.columns) {
      if (column.kind == ColumnKind::kTag) keys.insert(column.name);
    }
  }
  Json list = Json::array();
  for (const std::string& key : keys) list.push_back({{"type", "string"}, {"text", key}});
  return text_of_json(list);
}

std::vector<std::string> metric_names(const Engine& engine) {
  std::vector<std::string> names;
  const std::vector<TableInfo> tables = engine.tables();
  for (const TableInfo& table : tables) {
    const std::string name = shown_name(table, tables);
    names.push_back(name);
    for (const ColumnInfo& column : table.columns) {
      const bool number = column.type == FieldType::kDouble || column.type == FieldType::kInt64;
      if (column.kind == ColumnKind::kField && number) names.push_back(name + "." + column.name);
    }
  }
  return names;
}

}  // namespace varve::grafana
