#include "api/http/routes.h"

#include <fmt/format.h>

#include "api/http/errors.h"
#include "storage/base/nearest.h"

namespace varve {
namespace {

bool matches(const Route& route, std::string_view path) {
  if (path == route.path) return route.path.size() == 1 || route.path.back() != '/';
  return route.path.size() > 1 && route.path.back() == '/' && path.starts_with(route.path);
}

}  // namespace

const Route* Router::find(const HttpRequest& request, HttpResponse& refusal) const {
  std::string allowed;
  for (const Route& route : routes_) {
    if (!matches(route, request.path)) continue;
    if (route.method == request.method) return &route;
    if (allowed.find(route.method) == std::string::npos) {
      if (!allowed.empty()) allowed += ", ";
      allowed += route.method == "GET" ? "GET, HEAD" : route.method;
    }
  }
  if (!allowed.empty() && request.method == "OPTIONS") {
    refusal.status = 204;
    refusal.headers.emplace_back("Allow", allowed);
    return nullptr;
  }
  if (!allowed.empty()) {
    refusal = error_response({405,
                              "method_not_allowed",
                              fmt::format("this route takes {}, not {}", allowed, request.method),
                              std::nullopt,
                              {}});
    refusal.headers.emplace_back("Allow", allowed);
    return nullptr;
  }
  std::vector<std::string> paths;
  for (const Route& route : routes_) paths.push_back(route.path);
  const std::string nearest = nearest_name(request.path, paths);
  refusal = error_response(
      {404, "no_such_route", "no such route", std::nullopt,
       nearest.empty() ? "GET /api/v1/openapi.json lists them" : "did you mean " + nearest + "?"});
  return nullptr;
}

HttpResponse json_response(std::string body) {
  HttpResponse response;
  response.content_type = "application/json";
  response.body = std::move(body);
  return response;
}

}  // namespace varve
