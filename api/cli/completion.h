// Completion files for bash, zsh and fish, made from the command line's own description, so that they cannot fall behind.
// Subcommands, options and, where an option takes one of a few words or a file, these are offered.
// Threads: pure function. The only header that shows CLI11: arguments.cc includes it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace varve {

// `shell`: bash, zsh or fish.
std::string completion_script(const CLI::App& app, std::string_view shell);

}  // namespace varve
