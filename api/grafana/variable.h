// What a dashboard variable asks for, and names of /search, which older plugins ask in its place.
//   SQL                    columns __text and __value, or the first column for both
//   tables()  fields(T)  tag_keys(T)  tag_values(T, KEY)
//   {"sql": ...}, {"type": "tag_values", "table": T, "tag": KEY} and so on, as raw JSON or as text
// Errors:  bad_request naming what is understood.
// Threads: values; pure functions.
#pragma once

#include <string>

#include "api/grafana/request.h"

namespace varve::grafana {

struct VariableQuery {
  enum class Kind { kNothing, kSql, kTables, kFields, kTagKeys, kTagValues, kName };
  Kind kind = Kind::kNothing;
  std::string sql;  // kSql; of kName: any other text
  std::string table;
  std::string tag;
};

// `payload` as /variable has it: an object with "target", raw JSON, or text.
QueryResult<VariableQuery> parse_variable(const Json& payload);
QueryResult<VariableQuery> parse_variable_text(const std::string& text);

}  // namespace varve::grafana
