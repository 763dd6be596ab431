// `varve quarantine list | retry | export`, against a running server.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "api/cli/commands.h"
#include "api/cli/terminal.h"
#include "api/http/client.h"
#include "ingest/quarantine.h"

namespace varve {
namespace {

using Json = nlohmann::json;

int print_counts(const Json& json) {
  const auto count = [&](const char* name) { return grouped(json.value(name, uint64_t{0})); };
  fmt::print(
      "{} selected: {} stored again as {} rows, {} cut at 64 KiB and not retriable, {} of no source "
      "configured\n",
      count("selected"), count("retried"), count("rows"), count("truncated"), count("not_retriable"));
  const Json refused = json.value("refused", Json::object());
  for (const auto& [reason, one] : refused.items()) {
    if (!one.is_object()) continue;
    fmt::print("refused again: {} {}: {}\n", one.value("count", uint64_t{0}), visible(reason),
               visible(one.value("first", std::string())));
  }
  return kExitFine;
}

// The JSON that came, or nothing: then the error was printed, unless its code is `expected`.
std::optional<Json> ask(const QuarantineArguments& arguments, const char* path, const Json& body,
                        std::string_view expected, bool& was_expected) {
  const HttpPost post{arguments.url, path, "application/json",
                      body.dump(-1, ' ', false, Json::error_handler_t::replace), arguments.token};
  std::string text;
  const auto answer = post_http(post, [&](std::string_view piece) {
    text += piece;
    return true;
  });
  if (!answer) {
    print_error(answer.error().message);
    return std::nullopt;
  }
  Json json = Json::parse(answer->status == 200 ? text : answer->error_body, nullptr, false);
  if (answer->status == 200 && json.is_object()) return json;
  const Json error = json.is_object() ? json.value("error", Json()) : Json();
  const auto told = [&error](const char* name) {
    const bool there = error.is_object() && error.contains(name) && error[name].is_string();
    return there ? error[name].get<std::string>() : std::string();
  };
  was_expected = !expected.empty() && told("code") == expected;
  if (was_expected) return std::nullopt;
  const std::string hint = told("hint");
  print_error(told("message").empty()
                  ? fmt::format("the server answered {} and no varve error", answer->status)
                  : told("message") + (hint.empty() ? "" : "; " + hint));
  return std::nullopt;
}

// The exit code to end with at once, or nothing: there are rows to work on, with or without a topic (of HTTP they have
// none). What a person should know was printed, an export's apart from its rows.
std::optional<int> nothing_to_do(const QuarantineArguments& arguments, bool& topics) {
  bool no_table = false;
  const Json body = {{"sql", fmt::format("DESCRIBE {}", kQuarantineTable)}};
  const auto columns = ask(arguments, "/api/v1/query", body, "unknown_table", no_table);
  if (no_table) {
    const bool exports = arguments.verb == QuarantineArguments::Verb::kExport;
    fmt::print(exports ? stderr : stdout, "nothing was refused: the quarantine is empty\n");
    return kExitFine;
  }
  if (!columns) return kExitFailed;
  bool retriable = false;
  for (const Json& row : columns->value("rows", Json::array())) {
    if (!row.is_array() || row.empty()) continue;
    retriable = retriable || row[0] == "retried";
    topics = topics || row[0] == "topic";
  }
  if (retriable) return std::nullopt;
  print_error(kQuarantineTooOld);
  return kExitFailed;
}

int run_retry(const QuarantineArguments& arguments) {
  bool unused = false;
  const auto counts = ask(arguments, "/api/v1/quarantine/retry", {{"where", arguments.where}}, "", unused);
  return counts ? print_counts(*counts) : kExitFailed;
}

}  // namespace

int run_quarantine(const QuarantineArguments& arguments) {
  bool topics = false;
  if (const auto code = nothing_to_do(arguments, topics)) return *code;
  if (arguments.verb == QuarantineArguments::Verb::kRetry) return run_retry(arguments);
  const bool list = arguments.verb == QuarantineArguments::Verb::kList;
  QueryArguments query;
  query.url = arguments.url;
  query.token = arguments.token;
  query.format = list ? "table" : arguments.format;
  // The line feed ends a comment the condition may end in.
  const std::string where = arguments.where.empty() ? "" : " AND (" + arguments.where + "\n)";
  const std::string rows = fmt::format("FROM {} WHERE retried = false{}", kQuarantineTable, where);
  const std::string groups = topics ? "source, topic, reason" : "source, reason";
  query.sql = list ? fmt::format(
                         "SELECT {0}, count(*) AS refused, max(time) AS newest, last(detail) AS example "
                         "{1} GROUP BY {0} ORDER BY {0}",
                         groups, rows)
                   : fmt::format("SELECT * {} ORDER BY time", rows);
  return run_query(query);
}

}  // namespace varve
