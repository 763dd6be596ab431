// `varve query`: one statement to a server, its answer to stdout, its error as one line to stderr.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "api/cli/commands.h"
#include "api/cli/terminal.h"
#include "api/http/client.h"

namespace varve {
namespace {

using Json = nlohmann::json;

// On a terminal the statement follows, with a caret under the position.
void print_caret(const std::string& sql, size_t position) {
  if (isatty(STDERR_FILENO) != 1 || position > sql.size()) return;
  const size_t line_start = position == 0 ? 0 : sql.rfind('\n', position - 1) + 1;  // npos + 1 is 0
  const std::string line = sql.substr(line_start, sql.find('\n', line_start) - line_start);
  size_t column = 0;
  for (size_t i = line_start; i < position; ++i) {
    if ((static_cast<uint8_t>(sql[i]) & 0xc0) != 0x80) ++column;  // count characters, not UTF-8 bytes
  }
  fmt::print(stderr, "  {}\n  {:>{}}\n", visible(line), '^', column + 1);
}

void print_refusal(const HttpAnswer& answer, const std::string& sql) {
  const Json json = Json::parse(answer.error_body, nullptr, false);
  const Json error = json.is_object() ? json.value("error", Json()) : Json();
  if (!error.is_object() || !error.contains("message") || !error["message"].is_string()) {
    print_error(fmt::format("the server answered {} and no varve error", answer.status));
    return;
  }
  std::string line = error["message"].get<std::string>();
  if (error.contains("position")) line += fmt::format(" (at byte {})", error["position"].dump());
  if (error.contains("hint") && error["hint"].is_string()) line += "; " + error["hint"].get<std::string>();
  print_error(line);
  if (error.contains("position") && error["position"].is_number_unsigned()) {
    print_caret(sql, error["position"].get<size_t>());
  }
}

}  // namespace

int run_query(const QueryArguments& arguments) {
  const Json body = {{"sql", arguments.sql}, {"format", arguments.format}};
  HttpPost post{arguments.url, "/api/v1/query", "application/json",
                body.dump(-1, ' ', false, Json::error_handler_t::replace), arguments.token};
  bool written = true;
  const auto answer = post_http(post, [&](std::string_view piece) {
    written = std::fwrite(piece.data(), 1, piece.size(), stdout) == piece.size();
    return written;
  });
  if (!answer) {
    print_error(answer.error().message);
    return kExitFailed;
  }
  if (answer->status != 200) {
    print_refusal(*answer, arguments.sql);
    return kExitFailed;
  }
  if (!written || std::fflush(stdout) != 0) {
    print_error("cannot write the answer to standard output");
    return kExitFailed;
  }
  return kExitFine;
}

}  // namespace varve
