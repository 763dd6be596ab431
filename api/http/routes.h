// The table of routes: exact paths, and prefixes ending in "/" for routes with a name behind it.
// Unknown paths get 404 with the nearest route, known paths with another method 405 with Allow, OPTIONS 204 with it.
// Threads: built once; dispatch() from any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/exchange.h"
#include "api/http/problems.h"
#include "api/http/server.h"
#include "api/http/workers.h"

namespace varve {

struct Route {
  std::string method;  // GET, POST, DELETE; GET answers HEAD, too
  std::string path;
  std::string family;  // of the request metrics
  std::function<HttpResponse(const HttpRequest&)> handler;
  Access access = Access::kUndeclared;
};

class Router {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }
  // The route, or null and `refusal` (404, 405, the answer to OPTIONS) filled in.
  const Route* find(const HttpRequest& request, HttpResponse& refusal) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

// One per family, each in its own file.
void add_query_routes(Router& router, const HttpServices& services);
void add_write_routes(Router& router, const HttpServices& services);
void add_status_routes(Router& router, const HttpServices& services, ProblemWatch& problems);
void add_ingest_routes(Router& router, const HttpServices& services);  // for operators: family "admin"
// What an acknowledged write means.
std::string_view durability(WalSync sync);
void add_mirror_routes(Router& router, const HttpServices& services);
void add_health_routes(Router& router, const HttpServices& services, ProblemWatch& problems);
void add_influx_routes(Router& router, const HttpServices& services);
void add_quarantine_routes(Router& router, const HttpServices& services);
void add_grafana_routes(Router& router, const HttpServices& services);
class TokenGuard;
void add_token_routes(Router& router, const HttpServices& services, TokenGuard& guard);
class LiveHub;
void add_live_routes(Router& router, const HttpServices& services, LiveHub& hub);
void add_page_routes(Router& router);
void add_openapi_routes(Router& router);

// The rest of the path behind a prefix route.
inline std::string_view path_rest(const HttpRequest& request, std::string_view prefix) {
  return std::string_view(request.path).substr(prefix.size());
}

HttpResponse json_response(std::string body);

// What every answer of the Influx family carries.
constexpr std::string_view kInfluxVersion = "1.8.10";
std::vector<std::pair<std::string, std::string>> influx_headers();
// What 1.x adds to an error: its message again, as X-Influxdb-Error.
std::pair<std::string, std::string> influx_error_header(std::string_view message);

// Lines and rows of /write sent to quarantine since start.
Counter& http_rows_rejected(MetricsRegistry& metrics);

}  // namespace varve
