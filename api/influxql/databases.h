// The names of databases. A database is a name space made by its first row; CREATE DATABASE only makes its name known
// until the process ends, so that SHOW DATABASES lists what a client has just created.
// Threads: any.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "api/query/query_error.h"
#include "storage/engine.h"

namespace varve::influxql {

class Databases {
 public:
  explicit Databases(const Engine& engine) : engine_(engine) {}

  QueryResult<void> create(std::string_view name);
  void forget(std::string_view name);
  QueryResult<bool> exists(std::string_view name) const;
  QueryResult<std::vector<std::string>> names() const;  // sorted

 private:
  static constexpr size_t kCreatedMax = 10'000;  // guessed: as many as there may be tables

  const Engine& engine_;
  mutable std::mutex mutex_;  // guards created_
  std::set<std::string, std::less<>> created_;
};

}  // namespace varve::influxql
