// Runs SQL against an engine and keeps the whole answer, for tests.
// Threads: one thread.
#pragma once

#include <string>
#include <vector>

#include "api/query/query.h"

namespace varve {

// What one query gave: values by row, or the error.
struct CollectedResult : ResultSink {
  std::vector<ResultColumn> columns;
  std::vector<std::vector<Value>> values;
  QueryStats stats;
  std::optional<QueryError> error;

  bool begin(const std::vector<ResultColumn>& result_columns) override {
    columns = result_columns;
    return true;
  }
  bool rows(const ResultBatch& batch) override {
    for (size_t row = 0; row < batch.rows; ++row) {
      auto& line = values.emplace_back();
      for (const ColumnVector& column : batch.columns) line.push_back(column.value(row));
    }
    return true;
  }
  // "1 | 2.5 | NULL"; strings as they are, times as RFC 3339.
  std::string line(size_t row) const;
  std::vector<std::string> lines() const;
  // "ok", or "code at position: message (hint)".
  std::string outcome() const;
};

CollectedResult run_query(Engine& engine, const std::string& sql, const QueryParameters& parameters = {},
                          const QueryOptions& options = {});

}  // namespace varve
