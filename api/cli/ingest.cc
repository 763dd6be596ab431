// `varve ingest status | resume | rewind`: a running server's sources.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "api/cli/commands.h"
#include "api/cli/terminal.h"
#include "api/http/client.h"

namespace varve {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kStatusSql =
    "SELECT source, state, topic, partition, next_offset, high_watermark, lag, last_event_time, detail "
    "FROM varve_ingest";

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The path and body of the command.
HttpPost post_of(const IngestArguments& arguments) {
  HttpPost post{arguments.url, {}, "application/json", {}, arguments.token};
  Json body = Json::object();
  if (!arguments.source.empty()) body["source"] = arguments.source;
  if (!arguments.topic.empty()) body["topic"] = arguments.topic;
  switch (arguments.verb) {
    case IngestArguments::Verb::kStatus:
      post.path = "/api/v1/query";
      body = {{"sql", kStatusSql}, {"format", "table"}};
      break;
    case IngestArguments::Verb::kResume: {
      post.path = "/api/v1/ingest/resume";
      body["partition"] = arguments.partition;
      uint64_t offset = 0;
      const char* const end = arguments.from.data() + arguments.from.size();
      const auto [at, code] = std::from_chars(arguments.from.data(), end, offset);
      body["from"] = code == std::errc() && at == end ? Json(offset) : Json(arguments.from);
      break;
    }
    case IngestArguments::Verb::kRewind:
      post.path = "/api/v1/ingest/rewind";
      body["time"] = arguments.time;
      break;
  }
  post.body = dump(body);
  return post;
}

std::string refusal(const HttpAnswer& answer) {
  const Json json = Json::parse(answer.error_body, nullptr, false);
  const Json error = json.is_object() ? json.value("error", Json()) : Json();
  if (!error.is_object() || !error.contains("message") || !error["message"].is_string()) {
    return fmt::format("the server answered {} and no varve error", answer.status);
  }
  std::string line = error["message"].get<std::string>();
  if (error.contains("hint") && error["hint"].is_string()) line += "; " + error["hint"].get<std::string>();
  return line;
}

// One line a partition; what is no such answer is printed as it is.
std::string moves_text(const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("moved") || !json["moved"].is_array()) return body;
  std::string text;
  for (const Json& moved : json["moved"]) {
    if (!moved.is_object()) return body;
    const std::string topic = visible(dump(moved.value("topic", Json())));
    const std::string from = dump(moved.value("from", Json())), to = dump(moved.value("to", Json()));
    const std::string partition = dump(moved.value("partition", Json()));
    text += from == to ? fmt::format("{} partition {}: stays at offset {}\n", topic, partition, to)
                       : fmt::format("{} partition {}: goes on at offset {} instead of {}\n", topic,
                                     partition, to, from);
  }
  return text;
}

}  // namespace

int run_ingest(const IngestArguments& arguments) {
  std::string body;
  const auto answer = post_http(post_of(arguments), [&body](std::string_view piece) {
    body += piece;
    return true;
  });
  if (!answer) {
    print_error(answer.error().message);
    return kExitFailed;
  }
  if (answer->status != 200) {
    print_error(refusal(*answer));
    return kExitFailed;
  }
  const std::string text = arguments.verb == IngestArguments::Verb::kStatus ? body : moves_text(body);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    print_error("cannot write the answer to standard output");
    return kExitFailed;
  }
  return kExitFine;
}

}  // namespace varve
