// The answers of /api/v1/status and /api/v1/tables as one screen of text.
// What is missing in them, or of another type, is shown as "?": the server may be of another version.
// Threads: pure function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace varve {

struct ScreenOptions {
  std::string url;
  int64_t now_ns = 0;    // wall clock, for ages
  bool colours = false;  // of a terminal
  size_t rows = 0;       // of the terminal; 0 = none: kTablesPlain tables are listed
  size_t columns = 0;    // lines are cut there; 0 = not
};

constexpr size_t kTablesPlain = 20;

std::string status_screen(const nlohmann::json& status, const nlohmann::json& tables,
                          const ScreenOptions& options);

}  // namespace varve
