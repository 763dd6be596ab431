#include "api/http/gate.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/influxql/go_text.h"
#include "api/query/audit.h"

namespace varve {

HttpError refusal(const httplib::Request& request, bool origin_allowed) {
  if (request.get_header_value_count("Content-Length") > 1 ||
      request.get_header_value_count("Transfer-Encoding") > 1) {
    return {400, "bad_request", "repeated Content-Length or Transfer-Encoding", std::nullopt, {}};
  }
  if (request.has_header("Range")) {
    return {416, "range_not_supported", "this server does not serve ranges", std::nullopt,
            "leave out the Range header"};
  }
  // A page of another site must not write or delete with the reader's own access to this address.
  if (request.method != "GET" && request.method != "HEAD" && request.has_header("Origin") &&
      !origin_allowed) {
    const std::string origin = request.get_header_value("Origin");
    const size_t scheme_end = origin.find("://");
    const std::string authority = scheme_end == std::string::npos ? origin : origin.substr(scheme_end + 3);
    if (authority != request.get_header_value("Host")) {
      return {403, "cross_origin", "requests from pages of another origin are refused", std::nullopt, {}};
    }
  }
  return {};
}

namespace {

constexpr std::string_view kV1Paths[] = {"/query", "/write", "/ping", "/health"};

bool is_v1(std::string_view path) {
  return std::find(std::begin(kV1Paths), std::end(kV1Paths), path) != std::end(kV1Paths);
}

bool is_influx(std::string_view path) {
  return is_v1(path) || path == "/api/v2/write" || path == "/api/v3/write_lp";
}

std::string_view v2_code(int status) {
  return status == 401 ? "unauthorized" : status == 403 ? "forbidden" : "too many requests";
}

HttpResponse in_words_of(std::string_view path, const HttpError& error) {
  if (!is_influx(path)) return error_response(error);
  HttpResponse response = influx_error_response(error);
  if (path == "/api/v2/write") {
    const std::string_view code = v2_code(error.status);
    response.body = fmt::format(R"({{"code":"{}","message":)", code);
    influxql::append_json_string(response.body, error.message);
    response.body += "}\n";
    response.headers.emplace_back("X-Platform-Error-Code", code);
  }
  if (is_v1(path)) response.headers.push_back(influx_error_header(error.message));
  for (auto& header : influx_headers()) response.headers.push_back(std::move(header));
  return response;
}

std::string shown_token(const httplib::Request& request, std::string_view path) {
  if (request.get_header_value_count("Authorization") > 1) return {};
  std::string token = token_of_header(request.get_header_value("Authorization"));
  if (token.empty() && is_influx(path)) token = request.get_param_value("p");
  return token;
}

bool role_suffices(Access access, const Caller& caller) {
  if (caller.role == Role::kAdmin) return true;
  switch (access) {
    case Access::kOpen:
      return true;
    case Access::kProbe:
    case Access::kReadAll:
      return caller.role == Role::kRead && !caller.tables;
    case Access::kRead:
      return caller.role == Role::kRead;
    case Access::kAsk:
      return caller.role == Role::kRead || caller.role == Role::kWrite;
    case Access::kWrite:
      return caller.role == Role::kWrite;
    case Access::kAdmin:
    case Access::kUndeclared:
      break;
  }
  return false;
}

std::string_view role_needed(Access access) {
  switch (access) {
    case Access::kRead:
    case Access::kAsk:
      return "the role read";
    case Access::kReadAll:
    case Access::kProbe:
      return "the role read, for all tables";
    case Access::kWrite:
      return "the role write";
    default:
      return "the role admin";
  }
}

HttpResponse unauthorized(TokenGuard& guard, std::string_view path, bool shown, const std::string& client) {
  // Who shows no token guesses none: a browser asks first and shows it then.
  if (const int64_t seconds = shown ? guard.count_failure(client) : 0; seconds > 0) {
    HttpResponse response =
        in_words_of(path, {429, "too_many_logins", "too many wrong tokens came from this address",
                           std::nullopt, "wait, then use a right one"});
    response.headers.emplace_back("Retry-After", std::to_string(seconds));
    return response;
  }
  HttpResponse response =
      in_words_of(path, {401, "unauthorized", shown ? "this token opens nothing here" : "a token is needed",
                         std::nullopt, "send Authorization: Bearer TOKEN; `varve token create` makes one"});
  // Basic makes a browser ask in a window of its own, which the page does better.
  response.headers.emplace_back("WWW-Authenticate",
                                is_influx(path) ? R"(Basic realm="varve")" : R"(Bearer realm="varve")");
  return response;
}

}  // namespace

bool is_local_name(std::string_view host) {
  if (host.starts_with('[')) return true;  // an IPv6 address
  host = host.substr(0, host.find(':'));
  return host.find('.') == std::string_view::npos || host.ends_with(".localhost") ||
         host.find_first_not_of("0123456789.") == std::string_view::npos;
}

std::optional<HttpResponse> refuse_caller(TokenGuard& guard, const Route* route,
                                          const httplib::Request& request, HttpRequest& ours) {
  if (guard.open()) return std::nullopt;
  ours.caller = {"", Role::kRead, std::make_shared<const TableScope>()};  // nothing at all
  const Access access = route == nullptr ? Access::kUndeclared : route->access;
  // What a route takes is no secret, and a browser's preflight shows no token.
  if (access == Access::kOpen || request.method == "OPTIONS") return std::nullopt;
  const std::string token = shown_token(request, ours.path);
  const auto caller = guard.caller(token);
  if (!caller) {
    if (access == Access::kProbe) return std::nullopt;
    return unauthorized(guard, ours.path, !token.empty(), ours.client);
  }
  ours.caller = *caller;
  if (route == nullptr || access == Access::kProbe || role_suffices(access, *caller)) return std::nullopt;
  if (access == Access::kAdmin) {
    log_audit(caller->name, ours.client,
              fmt::format("refused: {} {} needs the role admin", ours.method, ours.path));
  }
  return in_words_of(
      ours.path,
      {403, "forbidden", fmt::format("this needs a token with {}", role_needed(access)), std::nullopt, {}});
}

void hide_probe(HttpResponse& response) {
  response.body = response.status == 200 ? "ready\n" : "not ready\n";
  response.content_type = "text/plain";
}

}  // namespace varve
