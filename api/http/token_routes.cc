// GET  /api/v1/tokens          {"tokens":[{"name","role","tables","created"}]}
// POST /api/v1/tokens          {"name","role","tables"} -> 201 with "token", which is told this once
// DELETE /api/v1/tokens/NAME   revokes it, from the next request on
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/http/errors.h"
#include "api/http/routes.h"
#include "api/http/token_guard.h"
#include "api/query/audit.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kJsonDepthMax = 8;

HttpResponse answer(int status, const Json& json) {
  HttpResponse response = json_response(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  response.status = status;
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

HttpResponse bad_request(std::string message) {
  return error_response({400, "bad_request", std::move(message), std::nullopt,
                         R"(send {"name":"grafana","role":"read","tables":["varve.water"]})"});
}

Json token_json(const StoredToken& token) {
  return {{"name", token.name},
          {"role", role_name(token.role)},
          {"tables", token.tables},
          {"created", format_timestamp(token.created_ns)}};
}

HttpResponse list_tokens(TokenStore& store) {
  const auto tokens = store.list();
  if (!tokens) return error_response(http_error(tokens.error()));
  Json list = Json::array();
  for (const StoredToken& token : *tokens) list.push_back(token_json(token));
  return answer(200, {{"tokens", std::move(list)}});
}

HttpResponse create(TokenStore& store, TokenGuard& guard, const Clock& clock, const HttpRequest& request) {
  std::string body;
  if (const BodyRead read = request.read_body(body); read != BodyRead::kOk) {
    return error_response(http_error(read));
  }
  const auto shallow = [](int depth, Json::parse_event_t, const Json&) { return depth < kJsonDepthMax; };
  const Json json = Json::parse(body, shallow, false);
  if (!json.is_object()) return bad_request("the body must be a JSON object");
  TokenWish wish;
  for (const auto& [key, value] : json.items()) {
    if (key == "name" && value.is_string()) {
      wish.name = value.get<std::string>();
    } else if (key == "role" && value.is_string()) {
      wish.role = value.get<std::string>();
    } else if (key == "tables" && value.is_array()) {
      for (const Json& table : value) {
        if (!table.is_string()) return bad_request("tables must be an array of names");
        wish.tables.push_back(table.get<std::string>());
      }
    } else {
      return bad_request("name and role must be strings, tables an array; there are no other keys");
    }
  }
  const auto made = create_token(store, wish, clock);
  if (!made) return error_response(http_error(made.error()));
  guard.reload();
  log_audit(
      request.caller.name, request.client,
      fmt::format("created token {} with the role {}", made->stored.name, role_name(made->stored.role)));
  Json told = token_json(made->stored);
  told["token"] = made->token;
  return answer(201, told);
}

HttpResponse revoke(TokenStore& store, TokenGuard& guard, const HttpRequest& request) {
  const std::string_view name = path_rest(request, "/api/v1/tokens/");
  const auto removed = store.remove(name);
  if (!removed) return error_response(http_error(removed.error()));
  if (!*removed) {
    return error_response(
        {404, "no_such_token", "there is no token of this name", std::nullopt, "see GET /api/v1/tokens"});
  }
  guard.reload();
  log_audit(request.caller.name, request.client, fmt::format("revoked token {}", name));
  return answer(200, {{"revoked", name}});
}

}  // namespace

void add_token_routes(Router& router, const HttpServices& services, TokenGuard& guard) {
  if (services.tokens == nullptr) return;
  TokenStore& store = *services.tokens;
  router.add({"GET", "/api/v1/tokens", "admin", [&store](const HttpRequest&) { return list_tokens(store); },
              Access::kAdmin});
  router.add({"POST", "/api/v1/tokens", "admin",
              [&store, &guard, &clock = *services.clock](const HttpRequest& request) {
                return create(store, guard, clock, request);
              },
              Access::kAdmin});
  router.add({"DELETE", "/api/v1/tokens/", "admin",
              [&store, &guard](const HttpRequest& request) { return revoke(store, guard, request); },
              Access::kAdmin});
}

}  // namespace varve
