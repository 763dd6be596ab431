// Rows from SQLite, whose values have types of their own, as columns of one type each.
// A column whose type the statement tells keeps it: times and bools are integers inside and come out as what they are.
// For the others the first kSampledRows rows decide: text, else double, else int64; only NULLs = string.
// Errors:  overflow: a whole number that became a double on the way; type_mismatch: a later value does not fit.
// Threads: one thread.
#pragma once

#include <string>
#include <vector>

#include "api/query/budget.h"
#include "api/query/sqlite/scope.h"

struct sqlite3_stmt;

namespace varve {

class TypedRows {
 public:
  TypedRows(std::vector<NamedType> outputs, QueryBudget& budget, ResultSink& sink)
      : outputs_(std::move(outputs)), budget_(budget), sink_(sink) {}

  QueryResult<void> add(sqlite3_stmt* statement);  // its current row
  QueryResult<void> finish();
  bool begun() const { return begun_; }
  uint64_t rows() const { return rows_sent_ + batch_.rows; }

 private:
  QueryResult<void> begin();
  QueryResult<void> send();
  QueryResult<void> put(size_t column, const Value& value);
  tl::unexpected<QueryError> wrong_type(size_t column, std::string_view found) const;

  std::vector<NamedType> outputs_;
  QueryBudget& budget_;
  ResultSink& sink_;
  bool begun_ = false;
  std::vector<std::vector<Value>> sampled_;  // until begun
  uint64_t sampled_bytes_ = 0;
  ResultBatch batch_;
  uint64_t batch_bytes_ = 0;
  uint64_t rows_sent_ = 0;
};

}  // namespace varve
