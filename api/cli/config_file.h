// The configuration as TOML, with --set applied.
// Errors: kInvalidArgument in one line, "FILE:LINE: what" or "--set KEY: what". Threads: pure functions.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"

namespace varve {

Result<toml::table> parse_config_table(std::string_view toml, const std::string& file_name,
                                       const std::vector<std::string>& overrides);

}  // namespace varve
