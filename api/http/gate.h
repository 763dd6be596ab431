// What a request has to pass before its route is called.
// Threads: pure functions.
#pragma once

#include <httplib.h>

#include "api/http/errors.h"

namespace varve {

// What a request must not be, whatever its route. Empty code = fine.
HttpError refusal(const httplib::Request& request);

}  // namespace varve
