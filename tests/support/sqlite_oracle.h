// A SQLite database in memory, as the model of what a query should answer. Has the aggregates first(x, time) and
// last(x, time), which SQLite lacks.
// Threads: one thread.
#pragma once

#include <string>
#include <vector>

#include "storage/model/types.h"

struct sqlite3;

namespace varve {

class SqliteOracle {
 public:
  SqliteOracle();
  ~SqliteOracle();
  SqliteOracle(const SqliteOracle&) = delete;
  SqliteOracle& operator=(const SqliteOracle&) = delete;

  struct Answer {
    std::string error;                     // empty = it worked
    std::vector<std::vector<Value>> rows;  // bools come as int64
  };
  Answer run(const std::string& sql, const std::vector<Value>& bindings = {});

 private:
  sqlite3* database_ = nullptr;
};

}  // namespace varve
