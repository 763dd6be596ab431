// The configuration as flat text, "kafka.0.topics" = its value as TOML, so that two of them can be compared key by key.
// Only keys that are written somewhere are in it. Values may be secrets: log keys.
// Errors: as parse_config for what is no TOML. Threads: pure function.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"

namespace varve {

using ConfigValues = std::map<std::string, std::string>;

Result<ConfigValues> config_values(std::string_view toml, const std::string& file_name,
                                   const std::vector<std::string>& overrides);

}  // namespace varve
