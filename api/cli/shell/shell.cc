#include "api/cli/shell/shell.h"

#include <fmt/format.h>

#include <fstream>
#include <optional>

#include "api/cli/arguments.h"
#include "api/cli/shell/history.h"
#include "api/cli/shell/line_editor.h"
#include "api/cli/terminal.h"
#include "storage/base/clock.h"
#include "storage/base/units.h"

namespace varve {
namespace {

constexpr int kIncludedMax = 16;  // files that include files; more is a circle
constexpr const char* kPrompt = "varve> ";
constexpr const char* kMorePrompt = "    -> ";

constexpr const char* kHelp =
    R"(A statement ends with a semicolon and may take several lines. Tab completes names and values of
tags, Ctrl-R searches the history, Ctrl-C gives up the line or cancels the query that runs, Ctrl-D ends.
  \d               tables
  \d TABLE         columns of a table
  \timing [on|off] how long each statement took, and what the server did
  \x [on|off]      one value a line instead of tables
  \spark [on|off]  a line of blocks for each series instead of its rows
  \format F        table, csv, json or ndjson
  \watch 2s        the last statement again every two seconds, until Ctrl-C
  \i FILE          statements from a file
  \q               end
)";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

// "", on or off; nullopt for anything else.
std::optional<bool> switched(bool now, std::string_view word) {
  if (word.empty()) return !now;
  if (word == "on") return true;
  if (word == "off") return false;
  return std::nullopt;
}

}  // namespace

Shell::Next Shell::run(const std::string& sql, const std::string& name) {
  last_ = sql;
  const std::string place = name.empty() ? "" : fmt::format("{}:{}: ", name, statements_.line());
  return session_.run(sql, place) || interactive_ ? Next::kGoOn : Next::kFailed;
}

Shell::Next Shell::take_statements(const std::string& name) {
  while (const auto sql = statements_.next()) {
    if (const Next next = run(*sql, name); next != Next::kGoOn) return next;
  }
  return Next::kGoOn;
}

Shell::Next Shell::take_line(std::string_view line, const std::string& name) {
  const std::string_view word = trimmed(line);
  if (word.starts_with('\\') && (statements_.empty() || (interactive_ && !statements_.inside_quotes()))) {
    statements_.add_line("");  // counts the line
    return take_command(word, name);
  }
  if (statements_.empty()) {
    if (interactive_ && (word == "exit" || word == "quit")) return Next::kQuit;
    if (interactive_ && word == "help") return take_command("\\?", name);
  }
  statements_.add_line(line);
  return take_statements(name);
}

Shell::Next Shell::take_command(std::string_view line, const std::string& name) {
  const size_t space = std::min(line.find_first_of(" \t"), line.size());
  const std::string_view command = line.substr(0, space);
  std::string_view rest = trimmed(line.substr(space));
  if (rest.ends_with(';')) rest = trimmed(rest.substr(0, rest.size() - 1));
  SessionSettings& settings = session_.settings;
  const auto fail = [&](const std::string& message) {
    print_error(name.empty() ? message : name + ": " + message);
    return interactive_ ? Next::kGoOn : Next::kFailed;
  };
  const auto flip = [&](bool& setting, const char* what) {
    const auto wanted = switched(setting, rest);
    if (!wanted) return fail(fmt::format("{} takes on or off", command));
    setting = *wanted;
    if (interactive_) fmt::print("{} is {}\n", what, setting ? "on" : "off");
    return Next::kGoOn;
  };
  if (command == "\\q") return Next::kQuit;
  if (command == "\\d") return run(rest.empty() ? "SHOW TABLES" : fmt::format("DESCRIBE {}", rest), {});
  if (command == "\\timing") return flip(settings.timing, "timing");
  if (command == "\\x") return flip(settings.expanded, "one value a line");
  if (command == "\\spark") return flip(settings.spark, "spark");
  if (command == "\\i") return rest.empty() ? fail("\\i needs a file") : include(std::string(rest));
  if (command == "\\?") {
    fmt::print("{}", kHelp);
    return Next::kGoOn;
  }
  if (command == "\\format") {
    if (rest != "table" && rest != "csv" && rest != "json" && rest != "ndjson") {
      return fail("\\format takes table, csv, json or ndjson");
    }
    settings.format = rest;
    return Next::kGoOn;
  }
  if (command == "\\watch") {
    const auto every = parse_duration(rest.empty() ? "2s" : rest);
    if (!every || *every == 0) return fail("\\watch takes how often, like 2s");
    if (!interactive_ || last_.empty())
      return fail("\\watch repeats a statement given before, on a terminal");
    session_.watch(last_, *every);
    return Next::kGoOn;
  }
  return fail(fmt::format("no such command {}; \\? lists them", command));
}

Shell::Next Shell::include(const std::string& path) {
  if (included_ >= kIncludedMax) {
    print_error(path + ": too many files include each other");
    return Next::kFailed;
  }
  std::ifstream in(path);
  if (!in) {
    print_error("cannot read " + path);
    return interactive_ ? Next::kGoOn : Next::kFailed;
  }
  ++included_;
  Statements outer;
  std::swap(outer, statements_);
  Next next = Next::kGoOn;
  for (std::string line; next == Next::kGoOn && std::getline(in, line);) next = take_line(line, path);
  if (next == Next::kGoOn) {
    if (const auto sql = statements_.rest()) next = run(*sql, path);
  }
  std::swap(outer, statements_);
  --included_;
  return next;
}

int Shell::run_script(std::istream& in, const std::string& name) {
  Next next = Next::kGoOn;
  for (std::string line; next == Next::kGoOn && std::getline(in, line);) next = take_line(line, name);
  if (next == Next::kGoOn) {
    if (const auto sql = statements_.rest()) next = run(*sql, name);
  }
  return next == Next::kFailed ? kExitFailed : kExitFine;
}

int Shell::run_terminal() {
  auto editor = LineEditor::make([this](std::string_view before) {
    const std::string text = statements_.waiting() + std::string(before);
    const size_t line = statements_.waiting().size();
    const KnownNames& names = session_.names();
    if (const auto place = value_place(text, text, names); place && place->begin >= line) {
      const std::string_view typed = std::string_view(text).substr(place->begin);
      return LineEditor::Candidates{place->begin - line,
                                    value_completions(session_.tag_values(*place, typed), typed), "' "};
    }
    if (inside_quotes(text)) return LineEditor::Candidates{before.size(), {}, {}};
    return LineEditor::Candidates{word_begin(before),
                                  completions(text, before.starts_with('\\') ? before : text, names)};
  });
  if (!editor) {
    print_error(editor.error().message);
    return kExitFailed;
  }
  std::optional<History> history;
  if (const std::string path = History::default_path(); !path.empty()) {
    auto opened = History::open(path);
    if (opened) {
      history = std::move(*opened);
      for (const std::string& entry : history->entries()) (*editor)->remember(entry);
    } else {
      print_error("no history is kept: " + opened.error().message);
    }
  }
  fmt::print("varve {} at {}; \\? for help\n", VARVE_VERSION, visible(session_.settings.url));
  std::string line, entry;
  while (true) {
    const bool first = statements_.empty();
    if (first) entry.clear();
    switch ((*editor)->read(first ? kPrompt : kMorePrompt, line)) {
      case LineEditor::End::kEndOfInput:
        fmt::print("\n");
        return kExitFine;
      case LineEditor::End::kInterrupted:
        statements_.clear();
        continue;
      case LineEditor::End::kLine:
        break;
    }
    if (trimmed(line).empty() && first) continue;
    if (!first && trimmed(line).starts_with('\\') && !statements_.inside_quotes()) {
      if (take_line(line, {}) == Next::kQuit) return kExitFine;
      continue;  // with the statement begun
    }
    entry += (entry.empty() ? "" : "\n") + line;
    const Next next = [&] {
      // Remembered before it runs, so that a statement that ends the shell is there the next time.
      Statements ahead = statements_;
      ahead.add_line(line);
      (void)ahead.next();
      if (first && trimmed(line).starts_with('\\')) ahead.clear();
      if (ahead.empty()) {
        const std::string kept = one_line(entry);
        (*editor)->remember(kept);
        if (history && !history->add(kept)) history.reset();
      }
      return take_line(line, {});
    }();
    if (next == Next::kQuit) return kExitFine;
    if (statements_.empty()) statements_.clear();
  }
}

}  // namespace varve
