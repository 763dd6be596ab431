// What a request has to pass before its route is called, whatever the route: it must be sound, it must not come from a
// page of another site, and whose it is must be allowed to do it.
// Threads: any.
#pragma once

#include <httplib.h>

#include <optional>

#include "api/http/errors.h"
#include "api/http/routes.h"
#include "api/http/token_guard.h"

namespace varve {

// What a request must not be, whatever its route. Empty code = fine. `origin_allowed`: by server.cors_origins.
HttpError refusal(const httplib::Request& request, bool origin_allowed);

// Whether `host` (of the Host header) is an address, or a name that nobody on the internet can have.
bool is_local_name(std::string_view host);

// Fills in ours.caller, or answers: 401 without a token or with a wrong one, 429 after many of those, 403 without the
// role. `route` may be null: then any token will do. The words are those of the family of the path.
std::optional<HttpResponse> refuse_caller(TokenGuard& guard, const Route* route,
                                          const httplib::Request& request, HttpRequest& ours);

// The answer of a probe, for callers who may not read: only its status.
void hide_probe(HttpResponse& response);

}  // namespace varve
