// GET /api/v1/openapi.json: the description of every route here, for people and generators of clients.
#include "api/http/openapi.h"
#include "api/http/routes.h"

namespace varve {

void add_openapi_routes(Router& router) {
  router.add({"GET", "/api/v1/openapi.json", "openapi",
              [](const HttpRequest&) {
                HttpResponse response = json_response(std::string(openapi_json()));
                response.headers.emplace_back("Cache-Control", "no-cache");
                return response;
              },
              Access::kRead});
}

}  // namespace varve
