// The OpenAPI 3.1 description of the HTTP API, openapi.json, as the binary carries it (embed.cmake).
#pragma once

#include <string_view>

namespace varve {

std::string_view openapi_json();

}  // namespace varve
