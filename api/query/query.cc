#include "api/query/query.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <new>
#include <span>
#include <variant>

#include "api/query/admission.h"
#include "api/query/audit.h"
#include "api/query/budget.h"
#include "api/query/delete.h"
#include "api/query/executor.h"
#include "api/query/explain.h"
#include "api/query/planner.h"
#include "api/query/sqlite/fallback.h"
#include "api/query/sqlite/source_tables.h"
#include "api/query/system_table.h"
#include "api/sql/parser.h"

namespace varve {
namespace {

// Who finds no free place waits for one: a dashboard's panels come all at once, and each takes milliseconds (guessed).
constexpr std::chrono::milliseconds kWaitForPlace{5000};
constexpr uint32_t kQueuePerPlace = 4;
// A table whose types change between planning and scanning is planned anew this often: types widen at most once.
constexpr int kPlanAttemptsMax = 3;
// A query that took this much gives its pages back to the system when it ends: the allocator would keep them. That takes
// about 8 ms (measured); at 32 MiB half of the refused queries slipped through, as groups double.
constexpr uint64_t kLargeQueryBytes = 16 << 20;
// What running() shows of a statement.
constexpr size_t kShownSqlBytesMax = 4096;

struct ActiveQuery {
  std::string sql;
  std::string client;
  std::string request_id;
  QueryBudget* budget;
  bool waiting = true;
};

AdmissionLimits admission_limits(const QueryOptions& options) {
  const std::chrono::nanoseconds timeout(options.timeout_ns);
  return {options.max_concurrent, options.max_concurrent * kQueuePerPlace,
          std::min(kWaitForPlace, std::chrono::ceil<std::chrono::milliseconds>(timeout))};
}

ResultColumn string_column(std::string name) {
  return {std::move(name), ResultType::kString};
}

ResultBatch empty_batch(const std::vector<ResultColumn>& columns) {
  ResultBatch batch;
  for (const ResultColumn& column : columns) {
    batch.columns.emplace_back(column.type == ResultType::kString ? FieldType::kString : FieldType::kInt64);
  }
  return batch;
}

QueryResult<void> hand_out(const std::vector<ResultColumn>& columns, const ResultBatch& batch,
                           QueryBudget& budget, ResultSink& sink, QueryStats& stats) {
  stats.row_count = batch.rows;
  const bool read = sink.begin(columns) && (batch.rows == 0 || sink.rows(batch));
  if (!read) budget.cancel();
  return budget.check();
}

QueryResult<void> show_tables(const Engine& engine, QueryBudget& budget, ResultSink& sink,
                              QueryStats& stats) {
  const std::vector<ResultColumn> columns{string_column("name"),
                                          string_column("database"),
                                          {"rows", ResultType::kInt64},
                                          {"series", ResultType::kInt64},
                                          {"time_min", ResultType::kTimestamp},
                                          {"time_max", ResultType::kTimestamp}};
  ResultBatch batch = empty_batch(columns);
  for (const TableInfo& table : engine.tables()) {
    batch.columns[0].push_string(table.name);
    batch.columns[1].push_string(table.database);
    batch.columns[2].push_int(static_cast<int64_t>(table.rows));
    batch.columns[3].push_int(static_cast<int64_t>(table.series));
    for (const size_t i : {size_t{4}, size_t{5}}) {
      if (table.rows == 0) {
        batch.columns[i].push_null();
      } else {
        batch.columns[i].push_int(i == 4 ? table.time_min : table.time_max);
      }
    }
    ++batch.rows;
  }
  return hand_out(columns, batch, budget, sink, stats);
}

// The columns of a table of the store; of a system table, when the store has none of that name.
QueryResult<void> describe(const Engine& engine, std::span<const SystemTable> system_tables,
                           const TableName& name, QueryBudget& budget, ResultSink& sink, QueryStats& stats) {
  const std::vector<ResultColumn> columns{string_column("name"), string_column("kind"),
                                          string_column("type")};
  ResultBatch batch = empty_batch(columns);
  const auto add = [&](std::string_view column, std::string_view kind, std::string_view type) {
    batch.columns[0].push_string(column);
    batch.columns[1].push_string(kind);
    batch.columns[2].push_string(type);
    ++batch.rows;
  };
  VARVE_QUERY_ASSIGN(const NamedTable table, find_any_table(engine, system_tables, name));
  if (const auto* const system = std::get_if<const SystemTable*>(&table)) {
    for (const ResultColumn& column : (*system)->columns) {
      add(column.name, column_kind_name(ColumnKind::kField), result_type_name(column.type));
    }
    return hand_out(columns, batch, budget, sink, stats);
  }
  for (const ColumnInfo& column : std::get<TableInfo>(table).columns) {
    add(column.name, column_kind_name(column.kind),
        column.kind == ColumnKind::kTime  ? "timestamp"
        : column.kind == ColumnKind::kTag ? "string"
                                          : field_type_name(column.type));
  }
  return hand_out(columns, batch, budget, sink, stats);
}

// One row: how many series matched, and the range of time, both ends included; NULL = not bounded.
QueryResult<void> delete_rows(Engine& engine, const DeleteStatement& statement, const QueryRequest& request,
                              int64_t now_ns, QueryBudget& budget, ResultSink& sink, QueryStats& stats) {
  if (!request.is_admin) {
    return tl::make_unexpected(forbidden_query("DELETE needs a token with the role admin"));
  }
  if (!request.may_change) {
    return tl::make_unexpected(invalid_query("read_only", "DELETE changes data, and this way in only reads",
                                             0, "send it by POST to /api/v1/query"));
  }
  VARVE_QUERY_ASSIGN(const DeletedRows deleted,
                     run_delete(engine, statement, request.parameters, now_ns, budget));
  log_audit(request.user, request.client, request.sql);
  const std::vector<ResultColumn> columns{{"series", ResultType::kInt64},
                                          {"time_min", ResultType::kTimestamp},
                                          {"time_max", ResultType::kTimestamp}};
  ResultBatch batch = empty_batch(columns);
  batch.columns[0].push_int(static_cast<int64_t>(deleted.series));
  const TimeRange& time = deleted.time;
  time.empty() || time.min == INT64_MIN ? batch.columns[1].push_null() : batch.columns[1].push_int(time.min);
  time.empty() || time.max == INT64_MAX ? batch.columns[2].push_null() : batch.columns[2].push_int(time.max);
  batch.rows = 1;
  return hand_out(columns, batch, budget, sink, stats);
}

QueryError out_of_scope(const TableScope& scope, const QueryError& error) {
  QueryError forbidden =
      forbidden_query(fmt::format("the token is for {} only ({})", scope.text(), error.message), error.hint);
  forbidden.position = error.position;
  return forbidden;
}

QueryResult<void> run_select(const Engine& engine, const SelectStatement& select, const QueryRequest& request,
                             int64_t now_ns, Execution execution, QueryBudget& budget, ResultSink& sink,
                             QueryStats& stats) {
  for (int attempt = 0; attempt < kPlanAttemptsMax; ++attempt) {
    std::optional<TableInfo> table;
    if (select.from) {
      VARVE_QUERY_ASSIGN(table, find_table(engine, *select.from));
    }
    execution.plan_again = [&]() -> QueryResult<SelectPlan> {
      VARVE_QUERY_ASSIGN(SelectPlan plan,
                         plan_select(select, table ? &*table : nullptr, request.parameters, now_ns));
      if (request.limit < plan.limit.value_or(UINT64_MAX)) plan.limit = request.limit;
      return plan;
    };
    VARVE_QUERY_ASSIGN(const SelectPlan plan, execution.plan_again());
    VARVE_QUERY_ASSIGN(const bool done, execute_plan(engine, plan, budget, sink, stats, execution));
    if (done) return {};
  }
  return tl::make_unexpected(QueryError{QueryErrorKind::kBusy,
                                        "schema_changing",
                                        "the table's columns keep changing; try again",
                                        std::nullopt,
                                        {}});
}

}  // namespace

struct QueryService::State {
  Engine& engine;
  QueryOptions options;  // its limits change under the mutex, see limits()
  const Clock& clock;
  Counter& queries_ok;
  Counter& queries_failed;
  LatencyHistogram& seconds;
  std::vector<SystemTable> system_tables;
  WorkerPool pool;
  SharedBytes memory_bytes = 0;  // of all queries

  Admission admission;
  mutable std::mutex mutex;  // guards the rest
  std::map<uint64_t, ActiveQuery> active;
  uint64_t next_id = 1;

  std::atomic<bool> freed_much = false;  // since the last return_memory() that did something

  QueryOptions limits() const {
    const std::lock_guard lock(mutex);
    return options;
  }

  uint64_t enlist(const QueryRequest& request, QueryBudget& budget) {
    const std::lock_guard lock(mutex);
    active.emplace(next_id, ActiveQuery{request.sql.substr(0, kShownSqlBytesMax), request.client,
                                        request.request_id, &budget});
    return next_id++;
  }

  void strike(uint64_t id) {
    const std::lock_guard lock(mutex);
    active.erase(id);
  }

  QueryResult<void> take_place(uint64_t id, const std::string& client, QueryBudget& budget) {
    const Admission::Entry entry = admission.enter(client, [&] { return !budget.check(); });
    if (entry == Admission::Entry::kIn) {
      const std::lock_guard lock(mutex);
      active.at(id).waiting = false;
      return {};
    }
    VARVE_QUERY_TRY(budget.check());  // stopped, or its own time is over
    const uint32_t places = limits().max_concurrent;
    return tl::make_unexpected(
        QueryError{QueryErrorKind::kBusy, "busy",
                   entry == Admission::Entry::kQueueFull
                       ? fmt::format("query.max_concurrent = {} queries are running and {} more wait", places,
                                     places * kQueuePerPlace)
                       : fmt::format("query.max_concurrent = {} queries were running all along {} s", places,
                                     std::chrono::duration<double>(admission.limits().wait).count()),
                   std::nullopt, "try again, or raise query.max_concurrent"});
  }

  // The last of the large queries does it for all of them.
  void return_memory(const QueryBudget& ended) {
    if (ended.peak_memory_bytes() >= kLargeQueryBytes) freed_much = true;
    if (freed_much && memory_bytes < kLargeQueryBytes && freed_much.exchange(false)) ::malloc_trim(0);
  }

  QueryResult<void> run(const QueryRequest& request, QueryBudget& budget, ResultSink& sink,
                        QueryStats& stats) {
    if (!request.tables) return run_on(engine, system_tables, request, budget, sink, stats);
    // The system's tables tell of other tables, and of other callers' statements.
    ScopedEngine visible(engine, request.tables);
    QueryResult<void> outcome = run_on(visible, {}, request, budget, sink, stats);
    const bool hidden = !outcome && outcome.error().kind == QueryErrorKind::kNotFound;
    // Whether there is such a table is not for this caller.
    if (hidden) return tl::make_unexpected(out_of_scope(*request.tables, outcome.error()));
    return outcome;
  }

  QueryResult<void> run_on(Engine& store, std::span<const SystemTable> system, const QueryRequest& request,
                           QueryBudget& budget, ResultSink& sink, QueryStats& stats) {
    const SqliteSelect for_sqlite{request.sql, request.parameters, clock.wall_ns(), system, request.limit};
    QueryResult<Statement> parsed = parse_sql(request.sql);
    if (!parsed) {
      return run_after_refusal(std::move(parsed.error()), store, for_sqlite, budget, sink, stats);
    }
    const Statement statement = std::move(*parsed);
    if (std::holds_alternative<ShowTablesStatement>(statement))
      return show_tables(store, budget, sink, stats);
    if (const auto* wanted = std::get_if<DescribeStatement>(&statement)) {
      return describe(store, system, wanted->table, budget, sink, stats);
    }
    if (const auto* rows = std::get_if<DeleteStatement>(&statement)) {
      return delete_rows(store, *rows, request, clock.wall_ns(), budget, sink, stats);
    }
    QueryResult<void> outcome;
    if (const auto* explained = std::get_if<ExplainStatement>(&statement)) {
      outcome = run_explain(store, *explained, request.parameters, for_sqlite.now_ns,
                            {&pool, nullptr, options.part_rows}, budget, sink, stats);
    } else {
      outcome = run_select(store, std::get<SelectStatement>(statement), request, for_sqlite.now_ns,
                           {&pool, nullptr, options.part_rows}, budget, sink, stats);
    }
    if (outcome) return outcome;
    return run_after_refusal(std::move(outcome.error()), store, for_sqlite, budget, sink, stats);
  }
};

QueryService::QueryService(Engine& engine, QueryOptions options, MetricsRegistry& metrics, const Clock& clock)
    : state_(new State{
          engine,
          options,
          clock,
          metrics.counter("varve_queries_total", "SQL statements run, by outcome.", {{"outcome", "ok"}}),
          metrics.counter("varve_queries_total", "SQL statements run, by outcome.", {{"outcome", "error"}}),
          metrics.histogram("varve_query_seconds", "Time from a statement's start to its last row."),
          {},
          WorkerPool(options.threads),
          0,
          Admission(admission_limits(options)),
          {},
          {},
          1}) {
  add_system_table(segments_table(engine));
  add_system_table(queries_table(*this));
}

QueryService::~QueryService() = default;

void QueryService::add_system_table(SystemTable table) {
  state_->system_tables.push_back(std::move(table));
}

QueryResult<QueryStats> QueryService::run(const QueryRequest& request, ResultSink& sink) {
  return run_work(request, [&](QueryBudget& budget, QueryStats& stats) {
    return state_->run(request, budget, sink, stats);
  });
}

QueryResult<QueryStats> QueryService::run_work(const QueryRequest& request, const QueryWork& work) {
  const StopSwitch stop = request.stop ? request.stop : std::make_shared<std::atomic<bool>>(false);
  QueryBudget budget(state_->limits(), state_->clock, stop, &state_->memory_bytes);
  budget.watch_reader(request.reader_gone);
  const uint64_t id = state_->enlist(request, budget);
  if (auto place = state_->take_place(id, request.client, budget); !place) {
    state_->strike(id);
    state_->queries_failed.add();
    return tl::make_unexpected(std::move(place.error()));
  }
  const auto leave = [&] {
    state_->strike(id);
    state_->admission.leave(request.client);
    state_->return_memory(budget);
  };
  QueryStats stats;
  stats.engine = "native";
  QueryResult<void> outcome;
  try {
    outcome = work(budget, stats);
  } catch (const std::bad_alloc&) {
    outcome =
        tl::make_unexpected(limit_error("memory_limit", "the machine has no memory left for this query"));
  } catch (...) {  // a sink's exception: the place must not stay taken
    leave();
    throw;
  }
  leave();
  const int64_t elapsed_ns = state_->clock.monotonic_ns() - budget.started_ns();
  state_->seconds.observe_ns(elapsed_ns);
  (outcome ? state_->queries_ok : state_->queries_failed).add();
  if (!outcome) return tl::make_unexpected(std::move(outcome.error()));
  stats.elapsed_ms = static_cast<double>(elapsed_ns) / static_cast<double>(kNsPerMs);
  return stats;
}

std::vector<RunningQuery> QueryService::running() const {
  const int64_t now = state_->clock.monotonic_ns();
  std::vector<RunningQuery> list;
  const std::lock_guard lock(state_->mutex);
  for (const auto& [id, query] : state_->active) {
    const auto elapsed_ns = static_cast<double>(now - query.budget->started_ns());
    list.push_back({id, query.sql, elapsed_ns / static_cast<double>(kNsPerMs), query.client, query.waiting,
                    query.budget->rows_scanned(), query.budget->memory_bytes(), query.request_id});
  }
  return list;
}

bool QueryService::cancel(uint64_t id) {
  const std::lock_guard lock(state_->mutex);
  const auto found = state_->active.find(id);
  if (found == state_->active.end()) return false;
  found->second.budget->cancel();
  return true;
}

void QueryService::set_limits(const QueryOptions& limits) {
  const std::lock_guard lock(state_->mutex);
  QueryOptions& now = state_->options;
  now.timeout_ns = limits.timeout_ns;
  now.max_rows = limits.max_rows;
  now.max_memory_bytes = limits.max_memory_bytes;
  now.total_memory_bytes = limits.total_memory_bytes;
  now.max_concurrent = limits.max_concurrent;
  state_->admission.set_limits(admission_limits(now));
}

}  // namespace varve
