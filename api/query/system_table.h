// A table the program makes when it is asked for: what it does right now, as rows. Read by SQL like any other table.
// Threads: `rows` is called from any query's thread, several at once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "api/query/query.h"

namespace varve {

struct SystemTable {
  std::string name;  // lower case
  std::vector<ResultColumn> columns;
  // A value for each column; timestamps are int64 ns.
  std::function<std::vector<std::vector<Value>>()> rows;
};

SystemTable segments_table(const Engine& engine);         // varve_segments: every segment file
SystemTable queries_table(const QueryService& queries);  // varve_queries: what runs now

}  // namespace varve
