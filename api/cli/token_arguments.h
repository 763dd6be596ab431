// The arguments of `varve token`.
// Threads: one thread.
#pragma once

#include <CLI/App.hpp>

#include "api/cli/arguments.h"

namespace varve {

void add_token(CLI::App& app, TokenArguments& out);

}  // namespace varve
