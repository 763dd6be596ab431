// GET / and the files it needs, out of the binary; there are no file paths to traverse.
#include "api/http/routes.h"
#include "web/assets.h"

namespace varve {
namespace {

// The page has no inline scripts or styles, and nobody else may frame it.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'";

HttpResponse page_file(const WebAsset& asset, const HttpRequest& request) {
  HttpResponse response;
  response.headers = {
      {"ETag", std::string(asset.etag)},
      {"Cache-Control",
       asset.path.starts_with("/assets/") ? "public, max-age=31536000, immutable" : "no-cache"},
      {"Content-Security-Policy", std::string(kContentSecurityPolicy)},
      {"X-Content-Type-Options", "nosniff"},
      {"Referrer-Policy", "no-referrer"}};
  if (request.if_none_match == asset.etag) {
    response.status = 304;
    return response;
  }
  response.content_type = asset.content_type;
  response.fixed_body = asset.gzip_bytes;
  response.headers.emplace_back("Content-Encoding", "gzip");
  return response;
}

}  // namespace

void add_page_routes(Router& router) {
  for (const WebAsset& asset : web_assets()) {
    router.add({"GET", std::string(asset.path), "page",
                [&asset](const HttpRequest& request) { return page_file(asset, request); }, Access::kOpen});
  }
}

}  // namespace varve
