// The keys of [server] about the service itself: live_readers, drain_timeout, access_log, cors_origins.
// Errors: as ConfigReader. Threads: pure functions.
#pragma once

#include "api/cli/config.h"
#include "api/cli/config_reader.h"

namespace varve {

void read_service(ConfigReader& reader, ServerConfig& out);

}  // namespace varve
