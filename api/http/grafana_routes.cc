// /grafana/*: what Grafana's JSON datasources ask (simPod 0.2 to 0.6, simple-json); URL of the datasource:
// http://HOST:8484/grafana. api/grafana/ understands the requests.
//   Errors, with their status: {"message":"A: no such table: readigns (did you mean `readings`?)","code":"unknown_table"};
//   Grafana shows `message`.
// They only read, whatever the method.
#include "api/grafana/service.h"

#include "api/grafana/catalog.h"
#include "api/http/errors.h"
#include "api/http/query_answer.h"
#include "api/http/routes.h"
#include "api/query/json_text.h"

namespace varve {
namespace {

HttpResponse grafana_error(const HttpError& error) {
  HttpResponse response = error_response(error);  // status and headers
  response.body = "{\"message\":";
  append_json_string(response.body,
                     error.hint.empty() ? error.message : error.message + " (" + error.hint + ")");
  response.body += ",\"code\":";
  append_json_string(response.body, error.code);
  response.body += "}\n";
  return response;
}

// Writes an answer through the Service; the request is understood by then.
using Work = std::function<QueryResult<bool>(const QueryRequest&, const AnswerText::Put&)>;

class GrafanaAnswer final : public AnswerText {
 public:
  explicit GrafanaAnswer(Work work) : work_(std::move(work)) {}
  QueryResult<bool> write(const QueryRequest& request, const Put& put) override {
    return work_(request, put);
  }
  void fail(const QueryError&) override {}  // JSON that has begun cannot say it; the connection is cut

 private:
  Work work_;
};

HttpResponse run(const HttpRequest& request, Work work) {
  QueryRequest query;
  set_caller(query, request);
  auto answer = std::make_shared<QueryAnswer>(
      std::move(query), std::make_unique<GrafanaAnswer>(std::move(work)), request.client_gone);
  return respond(std::move(answer), "application/json", grafana_error);
}

HttpResponse list(QueryResult<std::string> json) {
  if (!json) return grafana_error(http_error(json.error()));
  return json_response(std::move(*json) + "\n");
}

// The body as JSON, or `failure` filled in.
std::optional<grafana::Json> read_json(const HttpRequest& request, HttpResponse& failure) {
  std::string body;
  if (const BodyRead read = request.read_body(body); read != BodyRead::kOk) {
    failure = grafana_error(http_error(read));
    return std::nullopt;
  }
  auto json = grafana::parse_body(body);
  if (json) return std::move(*json);
  HttpError error = http_error(json.error());
  if (error.code == "body_too_large") error.status = 413;
  failure = grafana_error(error);
  return std::nullopt;
}

using Handler = std::function<HttpResponse(const HttpRequest&, grafana::Json body)>;

std::function<HttpResponse(const HttpRequest&)> with_json(Handler handler) {
  return [handler = std::move(handler)](const HttpRequest& request) {
    HttpResponse failure;
    auto body = read_json(request, failure);
    return body ? handler(request, std::move(*body)) : failure;
  };
}

// The store as the caller may see it.
std::shared_ptr<Engine> visible(Engine& engine, const HttpRequest& request) {
  if (!request.caller.tables) return {std::shared_ptr<Engine>(), &engine};  // not owned
  return std::make_shared<ScopedEngine>(engine, request.caller.tables);
}

}  // namespace

void add_grafana_routes(Router& router, const HttpServices& services) {
  using grafana::Json;
  using grafana::Service;
  Engine& engine = *services.engine;
  QueryService& queries = *services.queries;

  router.add({"GET", "/grafana", "grafana",
              [](const HttpRequest&) {
                return json_response("{\"status\":\"ok\",\"message\":\"varve " VARVE_VERSION "\"}\n");
              },
              Access::kRead});
  const auto post = [&](const char* path, Handler handler) {
    router.add({"POST", path, "grafana", with_json(std::move(handler)), Access::kRead});
  };
  post("/grafana/query", [&engine, &queries](const HttpRequest& request, const Json& json) {
    auto body = grafana::parse_query(json);
    if (!body) return grafana_error(http_error(body.error()));
    return run(request, [seen = visible(engine, request), &queries, body = std::move(*body)](
                            const QueryRequest& query, const auto& put) {
      return Service(*seen, queries).query(query, body, put);
    });
  });
  using Member = QueryResult<bool> (Service::*)(const QueryRequest&, const Json&, const grafana::Put&) const;
  const auto ask = [&](const char* path, Member member) {
    post(path, [&engine, &queries, member](const HttpRequest& request, Json json) {
      return run(request, [seen = visible(engine, request), &queries, member, json = std::move(json)](
                              const QueryRequest& query, const auto& put) {
        return (Service(*seen, queries).*member)(query, json, put);
      });
    });
  };
  ask("/grafana/variable", &Service::variable);
  ask("/grafana/search", &Service::search);
  ask("/grafana/annotations", &Service::annotations);
  ask("/grafana/tag-values", &Service::tag_values);
  post("/grafana/metrics", [&engine](const HttpRequest& request, const Json&) {
    return list(grafana::metrics_json(*visible(engine, request)));
  });
  post("/grafana/metric-payload-options", [&engine](const HttpRequest& request, const Json& json) {
    return list(grafana::payload_options_json(*visible(engine, request), json));
  });
  post("/grafana/tag-keys", [&engine](const HttpRequest& request, const Json&) {
    return list(grafana::tag_keys_json(*visible(engine, request)));
  });
}

}  // namespace varve
