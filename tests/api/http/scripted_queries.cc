#include "tests/api/http/scripted_queries.h"

#include "api/query/budget.h"

namespace varve {

struct QueryService::State {};

QueryService::QueryService(Engine&, QueryOptions, MetricsRegistry&, const Clock&) {}
QueryService::~QueryService() = default;

QueryResult<QueryStats> QueryService::run(const QueryRequest& request, ResultSink& sink) {
  test::QueryScript& script = test::query_script();
  ++script.running;
  QueryResult<QueryStats> result = QueryStats{};
  if (script.run) {
    result = script.run(request, sink);
  } else {
    test::write_rows(sink, 1);
    result->row_count = 1;
  }
  --script.running;
  return result;
}

QueryResult<QueryStats> QueryService::run_work(const QueryRequest& request, const QueryWork& work) {
  if (test::query_script().work_error) return tl::make_unexpected(*test::query_script().work_error);
  QueryBudget budget({}, real_clock(), request.stop);
  budget.watch_reader(request.reader_gone);
  QueryStats stats;
  VARVE_QUERY_TRY(work(budget, stats));
  return stats;
}

std::vector<RunningQuery> QueryService::running() const {
  return test::query_script().list;
}

bool QueryService::cancel(uint64_t id) {
  test::QueryScript& script = test::query_script();
  for (const RunningQuery& query : script.list) {
    if (query.id == id) script.cancelled = true;
  }
  return script.cancelled;
}

namespace test {

QueryScript& query_script() {
  static QueryScript script;
  return script;
}

uint64_t write_rows(ResultSink& sink, uint64_t rows) {
  if (!sink.begin({{"x", ResultType::kString}})) return 0;
  ResultBatch batch;
  batch.rows = 1;
  batch.columns.emplace_back(FieldType::kString);
  batch.columns[0].push_string(std::string(100, 'x'));
  for (uint64_t row = 0; row < rows; ++row) {
    if (!sink.rows(batch)) return row;
  }
  return rows;
}

}  // namespace test
}  // namespace varve
