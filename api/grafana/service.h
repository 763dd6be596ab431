// Answers Grafana's JSON datasources. Every answer is JSON text, handed to `put` in pieces; all of them only read.
// Statements run one after the other through the QueryService: each takes a place, is listed, obeys the limits of
// [query] and stops when `request.stop` is set.
// Errors:  of the first target that fails, its refId before the message.
// Threads: any.
#pragma once

#include <string>

#include "api/grafana/builder.h"
#include "api/grafana/output.h"
#include "api/grafana/request.h"
#include "api/grafana/variable.h"

namespace varve::grafana {

constexpr size_t kVariableValuesMax = 10'000;  // no one picks from more
constexpr size_t kTagValuesMax = 10'000;       // the same, of ad hoc filters

class Service {
 public:
  Service(Engine& engine, QueryService& queries) : engine_(engine), queries_(queries) {}

  // What varve is asked for in `request`: who asks, and the switch that stops it; its SQL is ours to choose.
  // False = `put` wanted no more.
  QueryResult<bool> query(const QueryRequest& request, const QueryBody& body, const Put& put) const;
  QueryResult<bool> variable(const QueryRequest& request, const Json& body, const Put& put) const;
  QueryResult<bool> search(const QueryRequest& request, const Json& body, const Put& put) const;
  QueryResult<bool> annotations(const QueryRequest& request, const Json& body, const Put& put) const;
  QueryResult<bool> tag_values(const QueryRequest& request, const Json& body, const Put& put) const;

 private:
  struct Choice {
    std::string text;
    std::string value;
  };
  QueryResult<void> run(const QueryRequest& request, Statement statement, ResultSink& sink) const;
  QueryResult<void> run_target(const QueryRequest& request, const Target& target, const QueryBody& body,
                               Output& out, std::string& separator) const;
  QueryResult<std::vector<Choice>> choices(const QueryRequest& request, const VariableQuery& wanted,
                                           const QueryBody& context) const;
  QueryResult<std::vector<Choice>> values_of_tag(const QueryRequest& request, const TableInfo& table,
                                                 const std::string& tag,
                                                 const std::vector<Filter>& filters) const;

  Engine& engine_;
  QueryService& queries_;
};

}  // namespace varve::grafana
