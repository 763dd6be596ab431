// A QueryService that answers by script, so that tests of HTTP can make every kind of answer and error,
// endless ones too. It stands in for the real one at link time: scripted_queries.cc defines all of
// QueryService. Threads: set the script before the server serves.
#pragma once

#include <atomic>
#include <functional>

#include "api/query/query.h"

namespace varve::test {

struct QueryScript {
  // Null = one column "x" with the row 1.
  std::function<QueryResult<QueryStats>(const QueryRequest&, ResultSink&)> run;
  // What work of other languages fails with before it begins; it runs otherwise.
  std::optional<QueryError> work_error;
  std::atomic<int> running{0};
  std::atomic<bool> cancelled{false};
  std::vector<RunningQuery> list;
};
QueryScript& query_script();

// Writes rows of about 100 bytes until `rows` of them are written or the sink wants no more; returns those
// written.
uint64_t write_rows(ResultSink& sink, uint64_t rows);

}  // namespace varve::test
