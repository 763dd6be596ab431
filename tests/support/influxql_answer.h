// Runs InfluxQL over an engine, by the real services: text in, the answer's bytes out.
#pragma once

#include <string>

#include "api/influxql/parser.h"
#include "api/influxql/service.h"
#include "storage/engine.h"

namespace varve::test {

class InfluxqlRunner {
 public:
  explicit InfluxqlRunner(Engine& engine, QueryOptions options = {}, const Clock& clock = real_clock())
      : queries_(engine, options, metrics_, clock), service_(engine, queries_, clock) {
    request.database.assign(1, 'd');
    request.query.may_change = true;
  }

  influxql::Request request;  // what the next runs ask for

  // The answer, the text of the parser's error, or the request's.
  std::string operator()(const std::string& text) {
    auto statements = influxql::parse_influxql(text);
    if (!statements) return statements.error().message;
    std::string body;
    request.query.sql = text;
    const auto outcome = service_.run(request, std::move(*statements), [&](std::string_view part) {
      body += part;
      return true;
    });
    return outcome ? body : outcome.error().message;
  }

  QueryService& queries() { return queries_; }
  influxql::Service& service() { return service_; }

 private:
  MetricsRegistry metrics_;
  QueryService queries_;
  influxql::Service service_;
};

}  // namespace varve::test
