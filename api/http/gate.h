// What a request has to pass before its route is called.
// Threads: pure functions.
#pragma once

#include <httplib.h>

#include "api/http/errors.h"

namespace varve {

// What a request must not be, whatever its route. Empty code = fine. `origin_allowed`: by server.cors_origins.
HttpError refusal(const httplib::Request& request, bool origin_allowed);

}  // namespace varve
