// GET /api/v1/live?table=T&where=CONDITION&fields=a,b&time_format=F: rows of a table as they are acknowledged, as
// server-sent events (live.h).
#include <fmt/format.h>

#include <algorithm>

#include "api/http/errors.h"
#include "api/http/live.h"
#include "api/http/routes.h"
#include "api/query/planner.h"
#include "storage/base/nearest.h"

namespace varve {
namespace {

HttpResponse bad_request(std::string message, std::string hint = {}) {
  return error_response({400, "bad_request", std::move(message), std::nullopt, std::move(hint)});
}

std::vector<std::string> split_names(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const size_t comma = std::min(list.find(','), list.size());
    names.emplace_back(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return names;
}

// A name with a dot is tried as it is first: tables may have one.
QueryResult<TableInfo> named_table(const Engine& engine, const std::string& name) {
  auto bare = find_table(engine, {"", name, "", 0});
  const size_t dot = name.find('.');
  if (bare || dot == std::string::npos) return bare;
  auto full = find_table(engine, {name.substr(0, dot), name.substr(dot + 1), "", 0});
  return full ? full : bare;
}

HttpResponse tail(const Engine& engine, LiveHub& hub, const HttpRequest& request) {
  static const std::vector<std::string> kParameters{"table", "where", "fields", "time_format"};
  for (const auto& [name, value] : request.parameters) {
    if (std::find(kParameters.begin(), kParameters.end(), name) != kParameters.end()) continue;
    const std::string nearest = nearest_name(name, kParameters);
    return bad_request("unknown parameter " + name,
                       nearest.empty() ? "the parameters are table, where, fields, time_format"
                                       : "did you mean " + nearest + "?");
  }
  const std::string name(request.parameter("table"));
  if (name.empty()) return bad_request("which table?", "GET /api/v1/live?table=NAME");
  LiveRequest live;
  live.where = request.parameter("where");
  live.fields = split_names(request.parameter("fields"));
  if (const std::string_view format = request.parameter("time_format"); !format.empty()) {
    const auto known = parse_time_format(format);
    if (!known) return bad_request("unknown time_format", "one of rfc3339, ns, us, ms, s");
    live.time_format = *known;
  }
  auto table = named_table(engine, name);
  if (!table) {
    table.error().position.reset();  // it is of no statement
    return error_response(http_error(table.error()));
  }
  live.database = table->database;
  live.table = table->name;
  auto stream = hub.open(live, request.client_gone);
  if (!stream) return error_response(stream.error());
  HttpResponse response;
  response.content_type = "text/event-stream";
  response.stream = std::move(*stream);
  response.headers.emplace_back("Cache-Control", "no-store");
  response.headers.emplace_back("X-Accel-Buffering", "no");  // or nginx keeps the events back
  return response;
}

}  // namespace

void add_live_routes(Router& router, const HttpServices& services, LiveHub& hub) {
  router.add({"GET", "/api/v1/live", "live",
              [&engine = *services.engine, &hub](const HttpRequest& request) {
                if (!request.caller.tables) return tail(engine, hub, request);
                return tail(ScopedEngine(engine, request.caller.tables), hub, request);
              },
              Access::kRead});
}

}  // namespace varve
