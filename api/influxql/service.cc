#include "api/influxql/service.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/influxql/changes.h"
#include "api/influxql/explain.h"
#include "api/influxql/select.h"
#include "api/influxql/show.h"
#include "api/influxql/token_stream.h"
#include "api/query/audit.h"
#include "api/query/time_zone.h"

namespace varve::influxql {
namespace {

tl::unexpected<QueryError> refused(std::string message) {
  return tl::make_unexpected(invalid_query("influxql", std::move(message), 0));
}

// Counts rows on their way to the answer, those of SHOW against the budget (SELECT does so itself).
class CountedSink final : public ResultSink {
 public:
  CountedSink(ResultSink& inner, QueryBudget& budget, QueryStats& stats)
      : inner_(inner), budget_(budget), stats_(stats) {}

  bool takes_from_budget = false;

  bool begin(const SeriesHead& head) override { return inner_.begin(head) || gone(); }
  bool rows(const SeriesRows& batch) override {
    if (takes_from_budget) {
      if (auto counted = budget_.count_rows(batch.rows); !counted) {
        problem_ = std::move(counted.error());
        return false;
      }
    }
    stats_.row_count += batch.rows;
    return inner_.rows(batch) || gone();
  }

  // What stopped the statement here, whatever it made of that itself.
  QueryResult<void> outcome(QueryResult<void> of_statement) {
    if (problem_) return tl::make_unexpected(std::move(*problem_));
    return of_statement;
  }

 private:
  bool gone() {
    budget_.cancel();
    return false;
  }

  ResultSink& inner_;
  QueryBudget& budget_;
  QueryStats& stats_;
  std::optional<QueryError> problem_;
};

// What the parser could not refuse, because InfluxDB tells it as an error of execution.
QueryResult<void> prepare(SelectStatement& select, int64_t now_ns) {
  if (!select.dimension_error.empty()) return refused(select.dimension_error);
  if (select.time_dimension && select.time_dimension->offset_is_now &&
      select.time_dimension->interval_ns > 0) {
    select.time_dimension->offset_ns = now_ns % select.time_dimension->interval_ns;
  }
  for (Source& source : select.sources) {
    if (source.subquery) VARVE_QUERY_TRY(prepare(*source.subquery, now_ns));
  }
  return {};
}

// The offset of times shown by a SELECT ... tz('...'); empty = UTC.
std::function<int64_t(int64_t)> zone_of(const Statement& statement) {
  const auto* select = std::get_if<SelectStatement>(&statement);
  if (select == nullptr || select->time_zone.empty()) return {};
  const auto zone = TimeZone::find(select->time_zone);
  if (!zone) return {};
  return [zone = *zone, period = TimeZone::Period{1, 0}](int64_t ns) mutable {
    if (ns < period.begin || ns >= period.end) period = zone.period_at(ns);
    return period.offset_ns;
  };
}

}  // namespace

// Whether the request's caller may have this run at all.
class Permission {
 public:
  explicit Permission(const Request& request) : request_(request) {}

  QueryResult<void> check(const Statement& statement) const {
    if (request_.is_writer) return check_writer(statement);
    if (const auto* select = std::get_if<SelectStatement>(&statement)) return check(*select);
    if (const auto* explain = std::get_if<ExplainStatement>(&statement)) return check(*explain->select);
    if (const auto* show = std::get_if<ShowStatement>(&statement)) {
      if (request_.query.tables && show->what == ShowWhat::kQueries) {
        return tl::make_unexpected(forbidden_query("SHOW QUERIES needs a token for all tables"));
      }
      return check(show->sources, show->database);
    }
    if (request_.query.is_admin) return {};
    return tl::make_unexpected(
        forbidden_query("error authorizing query: this statement needs a token with the role admin"));
  }

 private:
  // A database is a name space that a write makes by itself: whoever may write into it may name it before.
  QueryResult<void> check_writer(const Statement& statement) const {
    const auto* create = std::get_if<CreateDatabaseStatement>(&statement);
    if (create == nullptr) {
      return tl::make_unexpected(forbidden_query(
          "error authorizing query: the token's role is write, which may CREATE DATABASE but reads nothing"));
    }
    const auto& tables = request_.query.tables;
    const bool writes_there =
        !tables || std::any_of(tables->names().begin(), tables->names().end(), [&](std::string_view table) {
          return table.substr(0, table.find('.')) == create->name;
        });
    if (writes_there) return {};
    return tl::make_unexpected(
        forbidden_query(fmt::format("error authorizing query: the token is for {} only", tables->text())));
  }

  QueryResult<void> check(const SelectStatement& select) const { return check(select.sources, {}); }

  QueryResult<void> check(const std::vector<Source>& sources, const std::string& on) const {
    if (!request_.query.tables) return {};
    for (const Source& source : sources) {
      if (source.subquery) VARVE_QUERY_TRY(check(*source.subquery));
      if (source.subquery || source.is_regex) continue;  // a pattern finds what there is for the caller
      const std::string& database = !source.database.empty() ? source.database
                                    : on.empty()             ? request_.database
                                                             : on;
      if (request_.query.tables->allows(database, source.name)) continue;
      return tl::make_unexpected(forbidden_query(
          fmt::format("error authorizing query: the token is for {} only", request_.query.tables->text())));
    }
    return {};
  }

  const Request& request_;
};

class Service::Run {
 public:
  Run(Service& service, Engine& engine, Databases& databases, const Request& request, QueryBudget& budget,
      QueryStats& stats, AnswerWriter& writer)
      : service_(service),
        engine_(engine),
        databases_(databases),
        request_(request),
        budget_(budget),
        now_ns_(service.clock_.wall_ns()),
        writer_(writer),
        sink_(writer, budget, stats) {}

  // False = the reader is gone.
  bool statements(std::vector<Statement>& all) {
    bool failed = false;
    for (size_t i = 0; i < all.size(); ++i) {
      writer_.begin_statement(i, {request_.epoch_ns, zone_of(all[i])});
      warning_.clear();
      std::string error;
      if (failed) {
        error = "not executed";
      } else if (auto outcome = sink_.outcome(one(all[i])); !outcome) {
        failed = true;
        error = std::move(outcome.error().message);
      }
      if (!writer_.end_statement(error, warning_)) return false;
    }
    return writer_.finish();
  }

 private:
  QueryResult<void> one(Statement& statement) {
    return std::visit([this](auto& kind) { return run(kind); }, statement);
  }

  SelectContext select_context() { return {engine_, request_.database, now_ns_, budget_}; }

  QueryResult<void> run(SelectStatement& select) {
    VARVE_QUERY_TRY(prepare(select, now_ns_));
    return run_select(select_context(), select, sink_);
  }

  QueryResult<void> run(const ShowStatement& show) {
    const ShowContext context{engine_, databases_, service_.queries_, request_.database, now_ns_, budget_};
    sink_.takes_from_budget = true;
    auto outcome = run_show(context, show, sink_);
    sink_.takes_from_budget = false;
    return outcome;
  }

  QueryResult<void> run(const CreateDatabaseStatement& create) {
    VARVE_QUERY_TRY(databases_.create(create.name));
    if (!request_.query.may_change) {
      warning_ = fmt::format(
          "deprecated use of 'CREATE DATABASE {}' in a read only context, please use a POST request instead",
          quoted_names({create.name}));
    } else if (create.with_policy) {
      warning_ =
          "the retention policy was ignored: how long rows stay is storage.retention of the configuration";
    }
    return {};
  }

  QueryResult<void> run(const DropStatement& drop) {
    if (!request_.query.may_change) return refused("this statement deletes rows: send it in a POST request");
    VARVE_QUERY_TRY(run_drop({engine_, databases_, request_.database, now_ns_, budget_}, drop));
    log_audit(request_.query.user, request_.query.client, request_.query.sql);
    return {};
  }

  QueryResult<void> run(const KillQueryStatement& kill) {
    if (!request_.query.may_change) return refused("this statement stops a query: send it in a POST request");
    if (service_.queries_.cancel(kill.id)) return {};
    return refused(fmt::format("no such query id: {}", kill.id));
  }

  QueryResult<void> run(ExplainStatement& explain) {
    VARVE_QUERY_TRY(prepare(*explain.select, now_ns_));
    return run_explain(select_context(), explain, service_.clock_, sink_);
  }

  QueryResult<void> run(const AcceptedStatement& accepted) {
    if (accepted.reason.empty()) return {};
    return refused(fmt::format("{}: {}", accepted.text, accepted.reason));
  }

  Service& service_;
  Engine& engine_;  // as the caller sees it, as databases_
  Databases& databases_;
  const Request& request_;
  QueryBudget& budget_;
  const int64_t now_ns_;
  AnswerWriter& writer_;
  CountedSink sink_;
  std::string warning_;
};

QueryResult<bool> Service::run(const Request& request, std::vector<Statement> statements,
                               AnswerWriter::Put put) {
  for (const Statement& statement : statements) VARVE_QUERY_TRY(Permission(request).check(statement));
  std::optional<ScopedEngine> visible;
  std::optional<Databases> of_visible;
  // What a writer may name was checked; a scope as a reader has it would refuse a part of a database.
  if (request.query.tables && !request.is_writer)
    of_visible.emplace(visible.emplace(engine_, request.query.tables));
  Engine& engine = visible ? static_cast<Engine&>(*visible) : engine_;
  Databases& databases = of_visible ? *of_visible : databases_;
  const auto writer = AnswerWriter::make(request.answer, std::move(put));
  bool read = false;
  const auto work = [&](QueryBudget& budget, QueryStats& stats) {
    stats.engine = "influxql";
    read = Run(*this, engine, databases, request, budget, stats, *writer).statements(statements);
    return QueryResult<void>();
  };
  if (auto outcome = queries_.run_work(request.query, work); !outcome) {
    return tl::make_unexpected(std::move(outcome.error()));
  }
  return read;
}

}  // namespace varve::influxql
