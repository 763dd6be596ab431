// What a target's text means: SQL, or a table, or a field of one: "readings", "lab.readings", "readings.ph",
// "lab.readings.ph". Names may have dots of their own; the longest name of a table wins.
// Errors:  unknown_table with the nearest name, ambiguous_table.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "api/query/query_error.h"
#include "storage/engine.h"

namespace varve::grafana {

// It begins with a word that begins a statement which reads.
bool is_sql(std::string_view text);

struct Named {
  TableInfo table;
  std::string field;  // empty = the table as a whole
};
QueryResult<Named> find_named(const Engine& engine, const std::string& text);

// How a table is named to people: bare when that finds it, else with its database.
std::string shown_name(const TableInfo& table, const std::vector<TableInfo>& tables);

}  // namespace varve::grafana
