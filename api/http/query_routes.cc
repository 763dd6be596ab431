// GET/POST /api/v1/query, GET /api/v1/queries, DELETE /api/v1/queries/ID.
//   GET:  q, format, time_format, limit, and $name parameters: a number or true/false as such, else (or in quotes) a
//         string
//   POST: {"sql","params","format","time_format","limit"} as application/json or beginning with "{"; else the bare SQL,
//         with the other parameters in the URL
#include <charconv>
#include <nlohmann/json.hpp>

#include "api/http/errors.h"
#include "api/http/query_answer.h"
#include "api/http/routes.h"
#include "api/query/result_writer.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kJsonDepthMax = 64;  // a query's parameters are scalars
constexpr std::string_view kLimitRule = "limit must be a whole number of rows, 1 or more";

struct QueryCall {
  QueryRequest request;
  ResultFormat format = ResultFormat::kJson;
  TimeFormat time_format = TimeFormat::kRfc3339;
};

class SqlAnswer final : public AnswerText {
 public:
  SqlAnswer(QueryService& service, ResultFormat format, TimeFormat time_format)
      : service_(service), format_(format), time_format_(time_format) {}

  QueryResult<bool> write(const QueryRequest& request, const Put& put) override {
    writer_ = ResultWriter::make(format_, time_format_, put);
    VARVE_QUERY_ASSIGN(const QueryStats stats, service_.run(request, *writer_));
    return writer_->finish(stats);
  }
  void fail(const QueryError& error) override { writer_->fail(error); }

 private:
  QueryService& service_;
  const ResultFormat format_;
  const TimeFormat time_format_;
  std::unique_ptr<ResultWriter> writer_;
};

template <class T>
using Parsed = tl::expected<T, HttpError>;

tl::unexpected<HttpError> bad_request(std::string message, std::string hint = {}) {
  return tl::make_unexpected(
      HttpError{400, "bad_request", std::move(message), std::nullopt, std::move(hint)});
}

Value url_value(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    return std::string(text.substr(1, text.size() - 2));
  }
  const char* const end = text.data() + text.size();
  int64_t integer = 0;
  if (auto [at, error] = std::from_chars(text.data(), end, integer); error == std::errc() && at == end)
    return integer;
  double number = 0;
  if (auto [at, error] = std::from_chars(text.data(), end, number); error == std::errc() && at == end)
    return number;
  return std::string(text);
}

Parsed<void> set_formats(QueryCall& call, std::string_view format, std::string_view time_format) {
  if (!format.empty()) {
    const auto known = parse_result_format(format);
    if (!known) return bad_request("unknown format", "one of json, csv, ndjson, objects, table");
    call.format = *known;
  }
  if (!time_format.empty()) {
    const auto known = parse_time_format(time_format);
    if (!known) return bad_request("unknown time_format", "one of rfc3339, ns, us, ms, s");
    call.time_format = *known;
  }
  return {};
}

Parsed<QueryCall> from_url(const HttpRequest& request) {
  QueryCall call;
  call.request.sql = request.parameter("q");
  for (const auto& [name, text] : request.parameters) {
    if (name.size() > 1 && name.front() == '$')
      call.request.parameters.emplace(name.substr(1), url_value(text));
  }
  if (request.parameters.contains("limit")) {
    const Value limit = url_value(request.parameter("limit"));
    const auto* const rows = std::get_if<int64_t>(&limit);
    if (rows == nullptr || *rows < 1) return bad_request(std::string(kLimitRule));
    call.request.limit = static_cast<uint64_t>(*rows);
  }
  auto formats = set_formats(call, request.parameter("format"), request.parameter("time_format"));
  if (!formats) return tl::make_unexpected(std::move(formats.error()));
  return call;
}

Parsed<Value> json_value(const std::string& name, const Json& json) {
  switch (json.type()) {
    case Json::value_t::null:
      return Value();
    case Json::value_t::boolean:
      return Value(json.get<bool>());
    case Json::value_t::number_integer:
      return Value(json.get<int64_t>());
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) break;
      return Value(json.get<int64_t>());
    case Json::value_t::number_float:
      return Value(json.get<double>());
    case Json::value_t::string:
      return Value(json.get<std::string>());
    default:
      break;
  }
  return bad_request("parameter $" + name +
                     " must be a string, a number in the int64 or double range, a bool or null");
}

Parsed<Json> parse_object(std::string_view body) {
  int deepest = 0;
  const auto watch_depth = [&](int depth, Json::parse_event_t, const Json&) {
    deepest = std::max(deepest, depth);
    return depth < kJsonDepthMax;  // deeper values are dropped as they are read
  };
  Json json = Json::parse(body, watch_depth, false);
  if (deepest >= kJsonDepthMax) return bad_request("the JSON body is nested too deeply");
  if (json.is_discarded()) return bad_request("the body is not JSON", "or send the bare SQL as text/plain");
  if (!json.is_object()) return bad_request(R"(the body must be an object like {"sql":"SELECT ..."})");
  return json;
}

Parsed<QueryCall> from_json(std::string_view body) {
  auto json = parse_object(body);
  if (!json) return tl::make_unexpected(std::move(json.error()));
  QueryCall call;
  std::string format, time_format;
  for (const auto& [key, value] : json->items()) {
    if (key == "params") {
      if (!value.is_object()) return bad_request("params must be an object of name: value");
      for (const auto& [name, parameter] : value.items()) {
        auto known = json_value(name, parameter);
        if (!known) return tl::make_unexpected(std::move(known.error()));
        call.request.parameters.emplace(name, std::move(*known));
      }
      continue;
    }
    if (key == "limit") {
      if (!value.is_number_unsigned() || value == 0) return bad_request(std::string(kLimitRule));
      call.request.limit = value.get<uint64_t>();
      continue;
    }
    std::string* const target = key == "sql"           ? &call.request.sql
                                : key == "format"      ? &format
                                : key == "time_format" ? &time_format
                                                       : nullptr;
    if (target == nullptr)
      return bad_request("unknown key " + key, "the keys are sql, params, format, time_format, limit");
    if (!value.is_string()) return bad_request(key + " must be a string");
    *target = value.get<std::string>();
  }
  auto formats = set_formats(call, format, time_format);
  if (!formats) return tl::make_unexpected(std::move(formats.error()));
  return call;
}

Parsed<QueryCall> read_call(const HttpRequest& request) {
  if (request.method == "GET") return from_url(request);
  std::string body;
  if (const BodyRead read = request.read_body(body); read != BodyRead::kOk) {
    return tl::make_unexpected(http_error(read));
  }
  // No statement begins with a brace; curl -d '{"sql":...}' says that it is a form.
  if (request.content_type.starts_with("application/json") || body.starts_with('{')) return from_json(body);
  auto call = from_url(request);
  if (call && !body.empty()) call->request.sql = std::move(body);
  return call;
}

HttpResponse run_query(QueryService& service, const HttpRequest& request) {
  auto call = read_call(request);
  if (!call) return error_response(call.error());
  if (call->request.sql.find_first_not_of(" \t\r\n") == std::string::npos) {
    return error_response({400, "bad_request", "no SQL was given", std::nullopt,
                           "GET /api/v1/query?q=SQL, or POST the SQL as the body"});
  }
  set_caller(call->request, request);
  call->request.may_change = request.method == "POST";  // a link or an image must not delete
  auto answer = std::make_shared<QueryAnswer>(
      std::move(call->request), std::make_unique<SqlAnswer>(service, call->format, call->time_format),
      request.client_gone);
  return respond(std::move(answer), content_type(call->format), error_response);
}

HttpResponse list_queries(const QueryService& service) {
  Json list = Json::array();
  for (const RunningQuery& query : service.running()) {
    list.push_back({{"id", query.id},
                    {"sql", query.sql},
                    {"client", query.client},
                    {"state", query.waiting ? "waiting" : "running"},
                    {"elapsed_ms", query.elapsed_ms},
                    {"rows_scanned", query.rows_scanned},
                    {"memory_bytes", query.memory_bytes},
                    {"request_id", query.request_id}});
  }
  const Json json = {{"queries", std::move(list)}};
  return json_response(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}

HttpResponse cancel_query(QueryService& service, std::string_view id_text) {
  uint64_t id = 0;
  const char* const end = id_text.data() + id_text.size();
  const auto [at, error] = std::from_chars(id_text.data(), end, id);
  if (error != std::errc() || at != end) {
    return error_response(
        {400, "bad_request", "a query's id is a number", std::nullopt, "see GET /api/v1/queries"});
  }
  if (!service.cancel(id)) {
    return error_response(
        {404, "no_such_query", "no query with this id is running", std::nullopt, "see GET /api/v1/queries"});
  }
  return json_response("{\"cancelled\":" + std::to_string(id) + "}\n");
}

}  // namespace

void add_query_routes(Router& router, const HttpServices& services) {
  QueryService& service = *services.queries;
  const auto run = [&service](const HttpRequest& request) { return run_query(service, request); };
  router.add({"GET", "/api/v1/query", "query", run, Access::kRead});
  router.add({"POST", "/api/v1/query", "query", run, Access::kRead});
  router.add({"GET", "/api/v1/queries", "admin",
              [&service](const HttpRequest&) { return list_queries(service); }, Access::kReadAll});
  router.add({"DELETE", "/api/v1/queries/", "admin",
              [&service](const HttpRequest& request) {
                return cancel_query(service, path_rest(request, "/api/v1/queries/"));
              },
              Access::kAdmin});
}

}  // namespace varve
