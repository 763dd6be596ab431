// The keys of [server] on who may reach the server: insecure, allow_root, TLS, limits on connections.
// Errors and threads: as config_reader.h.
#pragma once

#include "api/cli/config.h"
#include "api/cli/config_reader.h"

namespace varve {

void read_security(ConfigReader& reader, ServerConfig& out);

}  // namespace varve
