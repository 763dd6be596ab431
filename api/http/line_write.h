// One request body of line protocol, taken into the store: what every write route does before it answers in its
// own words. Good lines and the refused ones (in varve_quarantine, the first kLineRejectsMax) become durable in
// one record.
// Errors:  those of Engine::append_and_wait; nothing was taken then.
// Threads: write() from any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/server.h"

namespace varve {

// One line or row that was not taken.
struct RefusedLine {
  uint32_t line = 0;    // from 1
  bool parsed = false;  // the store refused it; else it is no line protocol
  std::string reason;
  std::string detail;
};

struct LineWriteOptions {
  std::string database;
  int64_t precision_ns = 1;  // kAutoPrecision: by size
  bool all_or_nothing = false;
  TableScopePtr tables = {};  // that may be written; null = all
};

struct LineWriteOutcome {
  size_t accepted = 0;               // rows, durable
  std::vector<RefusedLine> refused;  // the store's refusals come after the parser's
  size_t unnamed = 0;                // lines refused that `refused` does not list
  std::string forbidden;             // a table that may not be written: nothing was taken
  bool taken = true;                 // false: something was refused and all_or_nothing was asked
};

// The lines of a body by number; indexed when first asked for.
class BodyLines {
 public:
  explicit BodyLines(std::string_view body) : body_(body) {}
  std::string_view operator[](uint32_t number);  // from 1; empty when there is none

 private:
  std::string_view body_;
  std::vector<size_t> starts_;
};

class LineWriter {
 public:
  explicit LineWriter(const HttpServices& services);
  Result<LineWriteOutcome> write(std::string_view body, const LineWriteOptions& options) const;

 private:
  Engine& engine_;
  const Clock& clock_;
  Counter& rows_;
  Counter& rejected_;
};

}  // namespace varve
