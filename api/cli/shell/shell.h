// `varve query` without a statement: lines as SQL statements ended by `;` and commands that begin with a backslash, from
// a terminal (prompt, editing, history, completion) or from a file or pipe (the first error ends it).
// Errors:  on stderr. Threads: one thread.
#pragma once

#include <istream>
#include <string>
#include <string_view>

#include "api/cli/shell/session.h"
#include "api/cli/shell/statements.h"

namespace varve {

class Shell {
 public:
  Shell(QuerySession& session, bool interactive) : session_(session), interactive_(interactive) {}

  int run_terminal();
  int run_script(std::istream& in, const std::string& name);  // `name` in errors; empty = none

 private:
  enum class Next { kGoOn, kFailed, kQuit };

  Next take_line(std::string_view line, const std::string& name);
  Next take_statements(const std::string& name);
  Next take_command(std::string_view line, const std::string& name);
  Next include(const std::string& path);
  Next run(const std::string& sql, const std::string& name);

  QuerySession& session_;
  const bool interactive_;
  Statements statements_;
  std::string last_;  // the statement run last, for \watch
  int included_ = 0;  // files being read by \i, one in the other
};

}  // namespace varve
