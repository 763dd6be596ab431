// The query door: one SQL statement in, columns and rows out, within the budget.
// run() parses, plans and executes on the calling thread and hands rows to the sink as they are ready.
// Errors carry a stable code, a message for people, the byte position in the statement and often a hint.
// At most max_concurrent run at once; a few more wait a short while for a place (admission.h).
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/query/query_error.h"
#include "api/query/table_scope.h"
#include "storage/engine.h"

namespace varve {

struct QueryOptions {
  int64_t timeout_ns = 30 * kNsPerSecond;
  uint64_t max_rows = 1'000'000;
  uint64_t max_memory_bytes = 512ULL << 20;
  uint64_t total_memory_bytes = 2ULL << 30;  // of all queries together; guessed: four of the largest
  uint32_t max_concurrent = 16;
  uint32_t threads = 0;           // that work on one query, shared by all of them; 0 = one a core
  uint64_t part_rows = 64 << 10;  // a query of more rows is worked on in parts, see ordered_parts.h
};

enum class ResultType { kTimestamp, kDouble, kInt64, kBool, kString };
std::string_view result_type_name(ResultType type);

struct ResultColumn {
  std::string name;
  ResultType type = ResultType::kDouble;
};

// A batch of result rows, by column. Timestamps are int64 ns in `ints`.
struct ResultBatch {
  std::vector<ColumnVector> columns;  // kTimestamp travels as kInt64
  size_t rows = 0;
};

class ResultSink {
 public:
  virtual ~ResultSink() = default;
  virtual bool begin(const std::vector<ResultColumn>& columns) = 0;  // false = stop, the reader is gone
  virtual bool rows(const ResultBatch& batch) = 0;
};

// A part of a query's work, for EXPLAIN ANALYZE.
struct QueryStep {
  std::string name;
  double elapsed_ms = 0;
  uint64_t rows = 0;  // that came out of it
};

struct QueryStats {
  double elapsed_ms = 0;
  std::string engine;  // "native" or "sqlite"
  uint64_t row_count = 0;
  uint64_t rows_scanned = 0;
  uint64_t blocks_decoded = 0;
  uint64_t blocks_from_statistics = 0;
  uint64_t blocks_pruned = 0;    // by statistics and the conditions on fields
  uint64_t segments = 0;         // opened
  uint64_t segments_pruned = 0;  // not opened
  std::vector<QueryStep> steps;
  std::vector<std::string> approximate;  // aggregates whose values are estimates, as SQL
};

// Set from any thread: the query ends as cancelled. Shared, so that whoever waits for its rows can look at it, too.
using StopSwitch = std::shared_ptr<std::atomic<bool>>;

using QueryParameters = std::map<std::string, Value, std::less<>>;  // by name without "$"

struct QueryRequest {
  std::string sql;
  QueryParameters parameters;
  bool may_change = false;      // DELETE is allowed
  std::string client = {};      // who asks; places are shared out fairly between clients
  std::string request_id = {};  // of the request it came with, for lists and logs
  StopSwitch stop = {};         // null = only cancel() stops it
  // Asked ten times a second, on any thread of the query; true stops it.
  std::function<bool()> reader_gone = {};
  std::string user = {};        // the token's name, for the audit log
  bool is_admin = true;         // may change, if the way in allows it
  TableScopePtr tables = {};    // what there is for this caller; null = every table, and the system's
  uint64_t limit = UINT64_MAX;  // the first rows are enough, whatever the statement's own LIMIT
};

struct RunningQuery {
  uint64_t id = 0;
  std::string sql;
  double elapsed_ms = 0;
  std::string client = {};
  bool waiting = false;  // for a place
  uint64_t rows_scanned = 0;
  uint64_t memory_bytes = 0;  // as counted against max_memory_bytes, now
  std::string request_id = {};
};

class QueryBudget;
struct SystemTable;

class QueryService {
 public:
  QueryService(Engine& engine, QueryOptions options, MetricsRegistry& metrics,
               const Clock& clock = real_clock());
  ~QueryService();

  // Readable by SQL beside the tables of the store. Before the first query.
  void add_system_table(SystemTable table);

  QueryResult<QueryStats> run(const QueryRequest& request, ResultSink& sink);
  // Runs `work`, another language's, as one of the queries: it takes a place, is listed by request.sql, can be cancelled.
  using QueryWork = std::function<QueryResult<void>(QueryBudget& budget, QueryStats& stats)>;
  QueryResult<QueryStats> run_work(const QueryRequest& request, const QueryWork& work);
  std::vector<RunningQuery> running() const;  // those that wait for a place, too
  bool cancel(uint64_t id);                   // false when no such query runs
  // timeout_ns, max_rows, max_memory_bytes, total_memory_bytes and max_concurrent, of queries that begin from now on.
  void set_limits(const QueryOptions& limits);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace varve
