// The names of databases. A database is a name space made by its first row; CREATE DATABASE makes its name known before,
// and the store remembers it.
// Threads: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/query/query_error.h"
#include "storage/engine.h"

namespace varve::influxql {

class Databases {
 public:
  explicit Databases(Engine& engine) : engine_(engine) {}

  QueryResult<void> create(std::string_view name);
  QueryResult<void> forget(std::string_view name);
  QueryResult<bool> exists(std::string_view name) const;
  QueryResult<std::vector<std::string>> names() const;  // sorted

 private:
  Engine& engine_;
};

}  // namespace varve::influxql
