// What there is to choose from in Grafana's editors: metrics (tables) with their options, columns, tags. JSON texts.
// Threads: pure functions.
#pragma once

#include <string>

#include "api/grafana/request.h"
#include "storage/engine.h"

namespace varve::grafana {

constexpr size_t kMetricsMax = 1000;  // listed; others can be typed

// /metrics: one for each table, with options; and "sql" for free SQL.
std::string metrics_json(const Engine& engine);
// /metric-payload-options for {"metric","payload","name"}.
QueryResult<std::string> payload_options_json(const Engine& engine, const Json& body);
// /tag-keys: every tag of every table.
std::string tag_keys_json(const Engine& engine);
// Tables, and their fields of numbers as "table.field": what a target without a payload may be.
std::vector<std::string> metric_names(const Engine& engine);

}  // namespace varve::grafana
