// `varve query`: statements to a server: one given on the command line, those of a file or of standard input, or as they
// are typed on a terminal.
#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <iostream>

#include "api/cli/commands.h"
#include "api/cli/shell/session.h"
#include "api/cli/shell/shell.h"
#include "api/cli/terminal.h"

namespace varve {

int run_query(const QueryArguments& arguments) {
  SessionSettings settings;
  settings.url = arguments.url;
  settings.token = arguments.token;
  settings.format = arguments.format;
  settings.expanded = arguments.expanded;
  settings.spark = arguments.spark;
  if (arguments.watch_ns > 0) {
    const InterruptSignal interrupt;
    QuerySession(settings, &interrupt).watch(arguments.sql, arguments.watch_ns);
    return kExitFine;
  }
  if (!arguments.sql.empty()) {
    return QuerySession(settings).run(arguments.sql) ? kExitFine : kExitFailed;
  }
  if (!arguments.file.empty()) {
    std::ifstream in(arguments.file);
    if (!in) {
      print_error("cannot read " + arguments.file);
      return kExitFailed;
    }
    QuerySession session(settings);
    return Shell(session, false).run_script(in, arguments.file);
  }
  if (isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1) {
    settings.paged = true;
    const InterruptSignal interrupt;
    QuerySession session(settings, &interrupt);
    return Shell(session, true).run_terminal();
  }
  QuerySession session(settings);
  return Shell(session, false).run_script(std::cin, {});
}

}  // namespace varve
