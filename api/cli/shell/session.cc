#include "api/cli/shell/session.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "api/cli/shell/answer_reader.h"
#include "api/cli/shell/pager.h"
#include "api/cli/shell/sparkline.h"
#include "api/cli/terminal.h"
#include "api/http/client.h"
#include "storage/base/clock.h"
#include "storage/base/timestamp.h"
#include "storage/base/units.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr int64_t kNamesFreshNs = 5 * kNsPerSecond;  // guessed: a Tab must not ask a server again and again
constexpr int64_t kValuesPatienceNs = 2 * kNsPerSecond;  // a Tab must not seem to hang
constexpr size_t kValuesMax = 1'000;                     // more than anyone reads
constexpr size_t kNamedTablesMax = 200;                  // whose columns are asked for, one request each

sigset_t interrupt_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  return set;
}

std::string error_line(const Json& error) {
  std::string line = error["message"].get<std::string>();
  if (error.contains("position")) line += fmt::format(" (at byte {})", error["position"].dump());
  if (error.contains("hint") && error["hint"].is_string()) line += "; " + error["hint"].get<std::string>();
  return line;
}

// The line of the statement that has the position, and a caret under it; a long line is cut on both sides.
std::string caret_lines(const std::string& sql, size_t position, size_t terminal_columns) {
  if (position > sql.size()) return {};
  const size_t line_start = position == 0 ? 0 : sql.rfind('\n', position - 1) + 1;  // npos + 1 is 0
  const std::string_view line =
      std::string_view(sql).substr(line_start, sql.find('\n', line_start) - line_start);
  constexpr size_t kMargin = 2;
  const size_t room = terminal_columns > 40 ? terminal_columns - kMargin - 1 : SIZE_MAX;
  std::string_view before = line.substr(0, position - line_start);
  const auto is_inner = [](char c) {
    return (static_cast<uint8_t>(c) & 0xc0) == 0x80;
  };  // of a UTF-8 character
  while (display_text(before, SIZE_MAX / 8).width > room / 2) {
    before.remove_prefix(1);
    while (!before.empty() && is_inner(before.front())) before.remove_prefix(1);
  }
  const std::string_view shown = line.substr(static_cast<size_t>(before.data() - line.data()));
  const DisplayText text = display_text(shown, std::min<size_t>(room, 4096));
  return fmt::format("  {}\n  {:>{}}\n", text.text, '^', display_text(before, SIZE_MAX / 8).width + 1);
}

// Sends what comes to a text; counts lines so that no more than fit are kept.
class Screen {
 public:
  explicit Screen(size_t lines_max) : lines_max_(lines_max) {}
  bool write(std::string_view text) {
    for (const char c : text) {
      if (lines_max_ != 0 && lines_ >= lines_max_) return false;
      if (c == '\n') {
        text_ += "\x1b[K";
        ++lines_;
      }
      text_.push_back(c);
    }
    return true;
  }
  const std::string& text() const { return text_; }

 private:
  const size_t lines_max_;
  size_t lines_ = 0;
  std::string text_;
};

bool to_stdout(std::string_view text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
}

}  // namespace

InterruptSignal::InterruptSignal() {
  const sigset_t set = interrupt_set();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

InterruptSignal::~InterruptSignal() {
  (void)wait(0);
  const sigset_t set = interrupt_set();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

bool InterruptSignal::wait(int64_t timeout_ns) const {
  const sigset_t set = interrupt_set();
  const timespec timeout{timeout_ns / kNsPerSecond, timeout_ns % kNsPerSecond};
  return sigtimedwait(&set, nullptr, &timeout) == SIGINT;
}

TableStyle QuerySession::style() const {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  return {terminal ? terminal_size(STDOUT_FILENO).columns : 0, colours_on(STDOUT_FILENO), settings.expanded,
          terminal};
}

// False after an error, which is in `error` when given, else on stderr.
bool QuerySession::execute(const std::string& sql, const std::string& place, const Output& out,
                           std::string* error) {
  const auto fail = [&](const std::string& line) {
    if (error != nullptr) {
      *error = visible(place + line);
    } else {
      print_error(place + line);
    }
    return false;
  };
  // Elsewhere than on a terminal the server's own table is as good, and much faster for a long answer (measured: 1.4 s
  // instead of 14 for 690,000 rows).
  const bool table = settings.format == "table" &&
                     (isatty(STDOUT_FILENO) == 1 || settings.spark || settings.expanded || settings.timing);
  const Json body = {{"sql", sql}, {"format", table ? "json" : settings.format}};
  HttpPost post{settings.url, "/api/v1/query", "application/json",
                body.dump(-1, ' ', false, Json::error_handler_t::replace), settings.token};
  bool interrupted = false;
  if (interrupt_ != nullptr) {
    while (interrupt_->wait(0)) {  // meant for what ran before
    }
    post.interrupted = [&] { return interrupted = interrupted || interrupt_->wait(0); };
  }
  TableText text(style(), out);
  SparkTable spark(text);
  AnswerReader reader(settings.spark ? static_cast<AnswerSink&>(spark) : text);
  const int64_t began_ns = real_clock().monotonic_ns();
  bool written = true;
  const auto answer = post_http(
      post, [&](std::string_view piece) { return written = table ? reader.feed(piece) : out(piece); });
  if (interrupted) return fail("cancelled");
  if (!answer) return fail(answer.error().message);
  if (answer->status != 200) {
    const Json json = Json::parse(answer->error_body, nullptr, false);
    const Json told = json.is_object() ? json.value("error", Json()) : Json();
    if (!told.is_object() || !told.contains("message") || !told["message"].is_string()) {
      return fail(fmt::format("the server answered {} and no varve error", answer->status));
    }
    fail(error_line(told));
    if (error == nullptr && isatty(STDERR_FILENO) == 1 && told.contains("position") &&
        told["position"].is_number_unsigned()) {
      fmt::print(stderr, "{}",
                 caret_lines(sql, told["position"].get<size_t>(), terminal_size(STDERR_FILENO).columns));
    }
    return false;
  }
  if (!written) return true;  // whoever reads has seen enough
  AnswerEnd end;
  if (table) {
    auto finished = reader.finish();
    if (!finished) return fail(finished.error().message);
    end = std::move(*finished);
    if (!end.error.empty()) return false;  // the table ends with it
  }
  if (settings.timing) {
    const double ms = static_cast<double>(real_clock().monotonic_ns() - began_ns) / kNsPerMs;
    out(table ? fmt::format("time: {:.1f} ms, of the server {:.1f} ms ({}, {} rows scanned)\n", ms,
                            end.elapsed_ms, end.engine, grouped(end.rows_scanned))
              : fmt::format("time: {:.1f} ms\n", ms));
  }
  return true;
}

bool QuerySession::run(const std::string& sql, const std::string& place) {
  PagedOutput output(settings.paged);
  bool written = true;
  const bool fine = execute(
      sql, place, [&](std::string_view text) { return written = output.write(text); }, nullptr);
  if ((!output.finish() || !written) && !settings.paged) {
    print_error("cannot write the answer to standard output");
    return false;
  }
  return fine;
}

void QuerySession::watch(const std::string& sql, int64_t every_ns) {
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  do {
    const TerminalSize size = terminal_size(STDOUT_FILENO);
    Screen screen(terminal && size.rows > 2 ? size.rows - 1 : 0);
    std::string error;
    const std::string title =
        fmt::format("every {}, {}: {}\n", format_duration(every_ns),
                    format_timestamp(real_clock().wall_ns() / kNsPerSecond * kNsPerSecond),
                    display_text(sql, size.columns > 60 ? size.columns - 40 : 40).text);
    if (terminal) screen.write(title);
    const Output out =
        terminal ? Output([&](std::string_view text) { return screen.write(text); }) : Output(to_stdout);
    if (!execute(sql, {}, out, &error)) {
      if (error == "cancelled") break;
      if (!error.empty() && terminal) screen.write("varve: " + error + "\n");
      if (!error.empty() && !terminal) print_error(error);
    }
    if (terminal) fmt::print("\x1b[H{}\x1b[J", screen.text());
    if (std::fflush(stdout) != 0) break;
  } while (!interrupt_->wait(every_ns));
}

bool QuerySession::get_json(const std::string& path, std::string& body) const {
  const HttpPost get{settings.url, path, "text/plain", {}, settings.token, "GET"};
  const auto answer = post_http(get, [&](std::string_view piece) {
    body += piece;
    return true;
  });
  return answer && answer->status == 200;
}

const KnownNames& QuerySession::names() {
  const int64_t now = real_clock().monotonic_ns();
  if (now - names_at_ns_ < kNamesFreshNs) return names_;
  names_at_ns_ = now;
  std::string body;
  if (!get_json("/api/v1/tables", body)) return names_;
  const Json tables = Json::parse(body, nullptr, false);
  if (!tables.is_object()) return names_;
  KnownNames names;
  for (const Json& table : tables.value("tables", Json::array())) {
    const std::string database = table.value("database", "");
    const std::string name = (database == "varve" ? "" : database + ".") + table.value("name", "");
    std::vector<std::string>& columns = names.columns[name];
    std::string told;
    if (names.columns.size() > kNamedTablesMax || !get_json("/api/v1/tables/" + percent_encoded(name), told))
      continue;
    const Json json = Json::parse(told, nullptr, false);
    if (!json.is_object()) continue;
    for (const Json& column : json.value("columns", Json::array())) {
      columns.push_back(column.value("name", ""));
      if (column.value("kind", "") == "tag") names.tags[name].push_back(columns.back());
    }
  }
  names_ = std::move(names);
  return names_;
}

std::vector<std::string> QuerySession::tag_values(const ValuePlace& place, std::string_view typed) const {
  const auto quoted = [](std::string_view name) {
    std::string text = "\"";
    for (const char c : name) text.append(c == '"' ? 2 : 1, c);
    return text + "\"";
  };
  const size_t dot = place.table.find('.');
  const std::string table = dot == std::string::npos
                                ? quoted(place.table)
                                : quoted(std::string_view(place.table).substr(0, dot)) + "." +
                                      quoted(std::string_view(place.table).substr(dot + 1));
  const int64_t until_ns = real_clock().monotonic_ns() + kValuesPatienceNs;
  const auto ask = [&](const std::string& where) {
    const Json body = {{"sql", fmt::format("SELECT DISTINCT {} FROM {} {}", quoted(place.tag), table, where)},
                       {"params", {{"typed", typed}}},
                       {"limit", kValuesMax}};
    HttpPost post{settings.url, "/api/v1/query", "application/json",
                  body.dump(-1, ' ', false, Json::error_handler_t::replace), settings.token};
    post.interrupted = [&] { return real_clock().monotonic_ns() > until_ns; };
    std::string text;
    const auto answer = post_http(post, [&](std::string_view piece) {
      text += piece;
      return true;
    });
    std::vector<std::string> values;
    const Json json = Json::parse(text, nullptr, false);
    if (!answer || answer->status != 200 || !json.is_object()) return values;
    for (const Json& row : json.value("rows", Json::array())) {
      if (row.is_array() && !row.empty() && row[0].is_string()) values.push_back(row[0].get<std::string>());
    }
    return values;
  };
  std::vector<std::string> values = ask("");
  if (values.size() < kValuesMax || typed.empty()) return values;
  return ask(fmt::format("WHERE {0} >= $typed ORDER BY {0}", quoted(place.tag)));
}

}  // namespace varve
