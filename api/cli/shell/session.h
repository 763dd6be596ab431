// Statements to a server and their answers to standard output, as the settings say; errors as one line to stderr, with
// the statement and a caret under the mistake when that is a terminal.
// Threads: one thread. With `interrupt` given SIGINT ends the statement that runs and not the program: the connection is
//          dropped, and the server cancels a query nobody waits for.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "api/cli/shell/completion.h"
#include "api/cli/shell/table_text.h"

namespace varve {

struct SessionSettings {
  std::string url;
  std::string token;
  std::string format = "table";  // table | csv | json | ndjson
  bool expanded = false;
  bool timing = false;
  bool spark = false;
  bool paged = false;  // answers longer than the terminal go to the pager
};

// SIGINT as a value instead of an end: blocked while this exists.
class InterruptSignal {
 public:
  InterruptSignal();
  ~InterruptSignal();
  bool wait(int64_t timeout_ns) const;  // true when one came
};

class QuerySession {
 public:
  explicit QuerySession(SessionSettings settings_in, const InterruptSignal* interrupt = nullptr)
      : settings(std::move(settings_in)), interrupt_(interrupt) {}

  // False when it failed or was cancelled, which has been said then. `place` goes before the error: "file.sql:3: ".
  bool run(const std::string& sql, const std::string& place = {});
  // Again and again until Ctrl-C: redrawn on a terminal, else one answer after the other. Needs `interrupt`.
  void watch(const std::string& sql, int64_t every_ns);
  // Tables and columns, at most some seconds old; what is known already when nobody answers.
  const KnownNames& names();
  // Of a tag, some hundreds at most; those that begin as typed where there are more. Empty when nobody answers soon.
  std::vector<std::string> tag_values(const ValuePlace& place, std::string_view typed) const;

  SessionSettings settings;

 private:
  using Output = TableText::Output;
  bool execute(const std::string& sql, const std::string& place, const Output& out, std::string* error);
  TableStyle style() const;
  bool get_json(const std::string& path, std::string& body) const;

  const InterruptSignal* interrupt_;
  KnownNames names_;
  int64_t names_at_ns_ = INT64_MIN / 2;
};

}  // namespace varve
