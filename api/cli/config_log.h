// [log]: how log lines look and which are written.
// Errors and threads: as config_reader.h.
#pragma once

#include <string>
#include <vector>

#include "api/cli/config.h"
#include "api/cli/config_reader.h"

namespace varve {

Result<void> read_log(const toml::table& table, const std::string& file, KnownKeys* known, LogConfig& out);
void apply_log(const LogConfig& log);  // at once, to every line that follows

}  // namespace varve
