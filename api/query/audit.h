// The audit log: what was done to a store or a server by somebody who may, one line each, component "audit".
// Threads: any.
#pragma once

#include <string_view>

namespace varve {

// `user`: the name of a token; empty = none was asked for. `from`: an address; empty = this machine's command line.
void log_audit(std::string_view user, std::string_view from, std::string_view what);

}  // namespace varve
