// POST /api/v1/mirror/backfill {"mirror","table","from","to"}: asks mirrors to send rows of the store again. All keys
// may be absent: every mirror, every table, all time; `from` is included, `to` is not. 202 with the ids, under which
// mirrors[].resends of GET /api/v1/status tells how far they are.
#include <nlohmann/json.hpp>

#include "api/http/errors.h"
#include "api/http/routes.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

using Json = nlohmann::json;

HttpResponse bad_request(std::string message) {
  return error_response({400, "bad_request", std::move(message), std::nullopt,
                         R"(e.g. {"from":"2026-01-01T00:00:00Z","to":"2026-01-02T00:00:00Z"})"});
}

HttpResponse begin_backfill(const HttpServices& services, const HttpRequest& request) {
  std::string body;
  if (const BodyRead read = request.read_body(body); read != BodyRead::kOk)
    return error_response(http_error(read));
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return bad_request("the body must be a JSON object");
  std::string mirror;
  BackfillRequest backfill;
  for (const auto& [key, value] : json.items()) {
    if (key != "mirror" && key != "table" && key != "from" && key != "to")
      return bad_request("unknown key " + key);
    if (!value.is_string()) return bad_request(key + " must be a string");
    const auto text = value.get<std::string>();
    if (key == "mirror") mirror = text;
    if (key == "table") backfill.table = text;
    if (key != "from" && key != "to") continue;
    const auto time = parse_timestamp(text);
    if (!time) return bad_request(key + ": " + time.error().message);
    if (key == "from") backfill.time.min = *time;
    if (key == "to" && *time == INT64_MIN) return bad_request("to: nothing is before it");
    if (key == "to") backfill.time.max = *time - 1;
  }
  if (!services.backfill) return error_response(http_error(not_found("there is no mirror")));
  const auto begun = services.backfill(mirror, backfill);
  if (!begun) return error_response(http_error(begun.error()));
  Json answer = Json::array();
  for (const auto& [name, id] : *begun) answer.push_back({{"mirror", name}, {"id", id}});
  HttpResponse response = json_response(Json{{"backfills", std::move(answer)}}.dump());
  response.status = 202;
  return response;
}

}  // namespace

void add_mirror_routes(Router& router, const HttpServices& services) {
  router.add({"POST", "/api/v1/mirror/backfill", "mirror",
              [&services](const HttpRequest& request) { return begin_backfill(services, request); },
              Access::kAdmin});
}

}  // namespace varve
