// GET/POST /query: InfluxQL, with the parameters of InfluxDB 1.x in the URL or a form body (which wins):
//   q, db, epoch = ns|u|ms|s|m|h (absent: RFC 3339), pretty=true, chunked=true with chunk_size, params = JSON of $name
//   rp, u, p and what else clients send are taken and mean nothing here
//   Accept: application/csv or text/csv for CSV
//   400  {"error":"error parsing query: ..."} before any statement ran
//   200  whatever the statements came to: their errors are in their results
//   503  with Retry-After: no place became free
// GET only reads: statements that delete need POST.
// A write token may CREATE DATABASE, as Telegraf and the client libraries do when they start, and nothing else.
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "api/http/errors.h"
#include "api/http/query_answer.h"
#include "api/http/routes.h"
#include "api/influxql/go_text.h"
#include "api/influxql/parser.h"
#include "api/influxql/service.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

using influxql::AnswerOptions;
using influxql::Parameter;
using influxql::Parameters;
using influxql::TokenKind;
using Json = nlohmann::json;
using Form = std::map<std::string, std::string, std::less<>>;

constexpr size_t kErrorHeaderBytesMax = 1024;  // as InfluxDB cuts it
constexpr int kParametersDepthMax = 8;         // a parameter is a scalar, or an object of one

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string form_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape =
        text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0;
    if (escape) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

// The first of a repeated name counts.
Form parse_form(std::string_view body) {
  Form form;
  while (!body.empty()) {
    const std::string_view pair = body.substr(0, body.find('&'));
    body.remove_prefix(std::min(body.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    form.emplace(form_decoded(pair.substr(0, equals)),
                 equals == std::string_view::npos ? std::string() : form_decoded(pair.substr(equals + 1)));
  }
  return form;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kSpace) - from + 1);
}

Parameter no_parameter(std::string why) {
  return {TokenKind::kBad, std::move(why)};
}

Parameter scalar_parameter(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string:
      return {TokenKind::kString, value.get<std::string>()};
    case Json::value_t::boolean:
      return {TokenKind::kKeyword, value.get<bool>() ? "TRUE" : "FALSE"};
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return {TokenKind::kInteger, value.dump()};
    case Json::value_t::number_float:
      return {TokenKind::kNumber, fmt::format("{}", value.get<double>())};
    case Json::value_t::null:
      return no_parameter("unable to bind parameter with type <nil>");
    default:
      return no_parameter("unable to bind parameter with type []interface {}");
  }
}

// {"duration":"1h"} and the like name the kind of token.
Parameter typed_parameter(const Json& value) {
  if (value.size() != 1) return no_parameter("bound object parameter value must have exactly one entry");
  const std::string& kind = value.begin().key();
  const Parameter inner = scalar_parameter(value.front());
  const bool whole = inner.kind == TokenKind::kInteger;
  if (kind == "ident" || kind == "identifier") {
    return inner.kind == TokenKind::kString ? Parameter{TokenKind::kName, inner.text}
                                            : no_parameter("identifier must be a string value");
  }
  if (kind == "regex") {
    return inner.kind == TokenKind::kString ? Parameter{TokenKind::kRegex, inner.text}
                                            : no_parameter("regex literal must be a string value");
  }
  if (kind == "string")
    return inner.kind == TokenKind::kString ? inner : no_parameter("string literal must be a string value");
  if (kind == "float" || kind == "number") {
    if (whole) return {TokenKind::kNumber, inner.text};
    return inner.kind == TokenKind::kNumber ? inner : no_parameter("number literal must be a float value");
  }
  if (kind == "int" || kind == "integer")
    return whole ? inner : no_parameter("integer literal must be an integer value");
  if (kind == "duration") {
    if (whole) return {TokenKind::kDuration, inner.text + "ns"};
    return inner.kind == TokenKind::kString
               ? Parameter{TokenKind::kDuration, inner.text}
               : no_parameter("duration literal must be a string or integer value");
  }
  return no_parameter("unknown bind object type: " + kind);
}

tl::expected<Parameters, std::string> parse_parameters(const std::string& text) {
  Parameters parameters;
  if (text.empty()) return parameters;
  int deepest = 0;
  const auto watch_depth = [&](int depth, Json::parse_event_t, const Json&) {
    deepest = std::max(deepest, depth);
    return depth < kParametersDepthMax;
  };
  const Json json = Json::parse(text, watch_depth, false);
  if (json.is_discarded() || deepest >= kParametersDepthMax) {
    return tl::make_unexpected(std::string("error parsing query parameters: params is not valid JSON"));
  }
  if (!json.is_object()) {
    return tl::make_unexpected(
        std::string("error parsing query parameters: params must be an object of name: value"));
  }
  for (const auto& [name, value] : json.items()) {
    parameters.emplace(name, value.is_object() ? typed_parameter(value) : scalar_parameter(value));
  }
  return parameters;
}

// Every name but these is ns, as in InfluxDB.
int64_t epoch_ns(std::string_view name) {
  if (name.empty()) return 0;
  if (name == "u") return kNsPerUs;
  if (name == "ms") return kNsPerMs;
  if (name == "s") return kNsPerSecond;
  if (name == "m") return 60 * kNsPerSecond;
  if (name == "h") return 3600 * kNsPerSecond;
  return 1;
}

uint64_t chunk_rows(const Form& form) {
  const auto chunked = form.find("chunked");
  if (chunked == form.end() || chunked->second != "true") return 0;
  const auto size = form.find("chunk_size");
  if (size == form.end()) return influxql::kChunkRows;
  const std::string& text = size->second;
  int64_t rows = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), rows);
  const bool number = problem == std::errc() && end == text.data() + text.size();
  return number && rows > 0 ? static_cast<uint64_t>(rows) : influxql::kChunkRows;
}

bool wants_csv(std::string_view accept) {
  const std::string_view first = trimmed(accept.substr(0, accept.find_first_of(",;")));
  return first == "application/csv" || first == "text/csv";
}

class InfluxqlAnswer final : public AnswerText {
 public:
  InfluxqlAnswer(influxql::Service& service, influxql::Request request,
                 std::vector<influxql::Statement> statements)
      : service_(service), request_(std::move(request)), statements_(std::move(statements)) {}

  QueryResult<bool> write(const QueryRequest& request, const Put& put) override {
    request_.query = request;
    return service_.run(request_, std::move(statements_), put);
  }
  void fail(const QueryError&) override {}  // errors of statements are in the answer

 private:
  influxql::Service& service_;
  influxql::Request request_;
  std::vector<influxql::Statement> statements_;
};

class InfluxqlRoute {
 public:
  explicit InfluxqlRoute(const HttpServices& services)
      : service_(std::make_shared<influxql::Service>(*services.engine, *services.queries, *services.clock)) {}

  HttpResponse operator()(const HttpRequest& request) const {
    HttpResponse response = answer(request);
    for (auto& header : influx_headers()) response.headers.push_back(std::move(header));
    response.headers.emplace_back("Request-Id", request.request_id);
    response.headers.emplace_back("X-Request-Id", request.request_id);
    return response;
  }

 private:
  HttpResponse answer(const HttpRequest& request) const;
  static HttpResponse failed(const HttpError& error, AnswerOptions::Format format);

  std::shared_ptr<influxql::Service> service_;
};

HttpResponse InfluxqlRoute::failed(const HttpError& error, AnswerOptions::Format format) {
  HttpResponse response = influx_error_response(error);
  response.headers.push_back(influx_error_header(error.message));
  if (format == AnswerOptions::Format::kPrettyJson) {
    response.body = "{\n    \"error\": ";
    influxql::append_json_string(response.body, error.message);
    response.body += "\n}\n";
  }
  if (format == AnswerOptions::Format::kCsv) {
    response.content_type = "text/csv";
    response.body = "error\n";
    influxql::append_csv_field(response.body, error.message);
    response.body += "\n";
  }
  return response;
}

HttpResponse InfluxqlRoute::answer(const HttpRequest& request) const {
  Form form = request.parameters;
  const auto format_asked = [&] {
    if (wants_csv(request.accept)) return AnswerOptions::Format::kCsv;
    return form["pretty"] == "true" ? AnswerOptions::Format::kPrettyJson : AnswerOptions::Format::kJson;
  };
  if (request.method == "POST") {
    std::string body;
    if (const BodyRead read = request.read_body(body); read != BodyRead::kOk)
      return failed(http_error(read), format_asked());
    if (request.content_type.starts_with("application/x-www-form-urlencoded")) {
      for (auto& [name, value] : parse_form(body)) form[name] = value;
    }
  }
  const AnswerOptions::Format format = format_asked();
  const std::string text(trimmed(form["q"]));
  if (text.empty()) {
    return failed({400, "bad_request", R"(missing required parameter "q")", std::nullopt, {}}, format);
  }
  const auto parameters = parse_parameters(form["params"]);
  if (!parameters) return failed({400, "bad_request", parameters.error(), std::nullopt, {}}, format);
  auto statements = influxql::parse_influxql(text, *parameters);
  if (!statements) return failed(http_error(statements.error()), format);

  influxql::Request wanted;
  wanted.database = form["db"];
  wanted.epoch_ns = epoch_ns(form["epoch"]);
  wanted.answer.chunk_rows = chunk_rows(form);
  wanted.answer.format = format;
  wanted.is_writer = request.caller.role == Role::kWrite;
  QueryRequest query;
  query.sql = text;
  set_caller(query, request);
  query.may_change = request.method == "POST";  // a link or an image must not delete
  auto streamed = std::make_shared<QueryAnswer>(
      std::move(query),
      std::make_unique<InfluxqlAnswer>(*service_, std::move(wanted), std::move(*statements)),
      request.client_gone);
  return respond(std::move(streamed), format == AnswerOptions::Format::kCsv ? "text/csv" : "application/json",
                 [&](const HttpError& error) { return failed(error, format); });
}

HttpResponse ping(const HttpRequest& request) {
  HttpResponse response;
  const std::string_view verbose = request.parameter("verbose");
  if (verbose.empty() || verbose == "0" || verbose == "false") {
    response.status = 204;
  } else {
    response = json_response(fmt::format("{{\"version\":\"{}\"}}\n", kInfluxVersion));
  }
  response.headers = influx_headers();
  return response;
}

HttpResponse health() {
  HttpResponse response = json_response(
      R"({"name":"varve","message":"ready for queries and writes","status":"pass","checks":[],"version":")" VARVE_VERSION
      "\"}\n");
  response.headers = influx_headers();
  return response;
}

}  // namespace

// Clients choose their dialect by the version: ours is InfluxDB 1.8's.
std::vector<std::pair<std::string, std::string>> influx_headers() {
  return {{"X-Influxdb-Version", std::string(kInfluxVersion)}, {"X-Influxdb-Build", "varve " VARVE_VERSION}};
}

// A header is one line.
std::pair<std::string, std::string> influx_error_header(std::string_view message) {
  std::string header(message.substr(0, kErrorHeaderBytesMax));
  for (char& c : header) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return {"X-Influxdb-Error", std::move(header)};
}

void add_influx_routes(Router& router, const HttpServices& services) {
  const InfluxqlRoute query(services);
  router.add({"GET", "/query", "query", query, Access::kAsk});
  router.add({"POST", "/query", "query", query, Access::kAsk});
  router.add({"GET", "/ping", "health", ping, Access::kOpen});
  router.add({"GET", "/health", "health", [](const HttpRequest&) { return health(); }, Access::kOpen});
}

}  // namespace varve
