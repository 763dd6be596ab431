// `varve status`: one screen on how a running server is, or its own answer as JSON.
// Plain text when not on a terminal; colours only there. With --watch the screen is drawn again and again until Ctrl-C.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "api/cli/commands.h"
#include "api/cli/signals.h"
#include "api/cli/status_screen.h"
#include "api/cli/terminal.h"
#include "api/http/client.h"
#include "storage/base/clock.h"
#include "storage/base/units.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr size_t kAnswerBytesMax = 64 << 20;  // far above any status; a wrong URL must not fill the memory
constexpr size_t kSaidBytesMax = 1000;        // of an answer that is no varve error
constexpr size_t kRowsDefault = 24;           // of a terminal that does not say

Result<std::string> get(const StatusArguments& arguments, const std::string& path) {
  std::string body;
  bool whole = true;
  const HttpPost request{arguments.url, path, "", "", arguments.token, "GET"};
  VARVE_ASSIGN(const HttpAnswer answer, post_http(request, [&](std::string_view piece) {
                 whole = body.size() + piece.size() <= kAnswerBytesMax;
                 if (whole) body += piece;
                 return whole;
               }));
  if (!whole) return unavailable(arguments.url + " sends more than a status has; is it varve?");
  if (answer.status == 200) return body;
  const Json json = Json::parse(answer.error_body, nullptr, false);
  const Json error = json.is_object() ? json.value("error", Json()) : Json();
  if (error.is_object() && error.contains("message") && error["message"].is_string()) {
    return unavailable(
        fmt::format("{} answered {}: {}", arguments.url, answer.status, error["message"].get<std::string>()));
  }
  std::string said = answer.error_body.substr(0, kSaidBytesMax);  // of /readyz: lines
  std::replace(said.begin(), said.end(), '\n', ' ');
  return unavailable(fmt::format("{} answered {}: {}", arguments.url, answer.status, said));
}

Result<Json> get_json(const StatusArguments& arguments, const std::string& path) {
  VARVE_ASSIGN(const std::string body, get(arguments, path));
  Json json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return unavailable(arguments.url + path + " is no answer of varve's");
  return json;
}

// What is printed.
Result<std::string> picture(const StatusArguments& arguments, const ScreenOptions& screen) {
  VARVE_ASSIGN(const Json status, get_json(arguments, "/api/v1/status"));
  VARVE_ASSIGN(const Json tables, get_json(arguments, "/api/v1/tables"));
  if (arguments.format == "json") {
    Json both = status;
    both["tables"] = tables.value("tables", Json::array());
    return both.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  return status_screen(status, tables, screen);
}

ScreenOptions screen_of_terminal(const StatusArguments& arguments) {
  ScreenOptions screen;
  screen.url = arguments.url;
  screen.now_ns = real_clock().wall_ns();
  if (isatty(STDOUT_FILENO) != 1) return screen;
  winsize size{};
  const bool told = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0;
  screen.colours = true;
  screen.rows = told ? size.ws_row : kRowsDefault;
  screen.columns = told ? size.ws_col : 0;
  return screen;
}

bool print(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
}

int watch(const StatusArguments& arguments, int64_t every_ns) {
  const Signals signals;
  while (true) {
    const ScreenOptions screen = screen_of_terminal(arguments);
    const auto text = picture(arguments, screen);
    // Home, the text over the old one, then what is left of that: no flicker.
    std::string drawn = screen.colours ? "\x1b[H" : "";
    std::string shown = text ? *text : "varve: " + visible(text.error().message) + "\n";
    if (screen.colours) {
      for (size_t at = 0; (at = shown.find('\n', at)) != std::string::npos; at += 4)
        shown.replace(at, 1, "\x1b[K\n");
      drawn += shown + "\x1b[J";
    } else {
      drawn += shown;
    }
    if (!print(drawn)) return kExitFailed;
    if (const auto signal = signals.wait(every_ns); signal && *signal != SIGHUP) return kExitFine;
  }
}

}  // namespace

int run_status(const StatusArguments& arguments) {
  if (arguments.ready) {
    const auto ready = get(arguments, "/readyz");
    if (ready) return print(*ready) ? kExitFine : kExitFailed;
    print_error(ready.error().message);
    return kExitFailed;
  }
  if (!arguments.watch.empty()) {
    const auto every_ns = parse_duration(arguments.watch);
    if (!every_ns || *every_ns < kNsPerSecond / 10) {
      print_error("--watch: not a duration of 100ms or more, e.g. 2s");
      return kExitBadArguments;
    }
    if (isatty(STDOUT_FILENO) == 1) (void)print("\x1b[2J");
    return watch(arguments, *every_ns);
  }
  const auto text = picture(arguments, screen_of_terminal(arguments));
  if (!text) {
    print_error(text.error().message);
    return kExitFailed;
  }
  if (!print(*text)) {
    print_error("cannot write to standard output");
    return kExitFailed;
  }
  return kExitFine;
}

}  // namespace varve
