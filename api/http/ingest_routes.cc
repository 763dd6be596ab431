// POST /api/v1/ingest/resume, /api/v1/ingest/rewind: an operator's commands to a running source.
//   resume  {"topic":"readings","partition":0,"from":"skip"}       from: skip | earliest | latest | an offset
//   rewind  {"time":"2025-07-01T00:00:00Z","topic":"readings"}     without topic: every topic
// Both take "source" (default: the only one) and answer {"moved":[{"topic","partition","from","to"}]} once it is done.
// Only JSON is taken, so that no form of a foreign page can send one.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "api/http/errors.h"
#include "api/http/routes.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

using Json = nlohmann::ordered_json;
template <class T>
using Parsed = tl::expected<T, HttpError>;

constexpr int kDepthMax = 4;  // the objects are flat

tl::unexpected<HttpError> bad_request(std::string message, std::string hint = "") {
  return tl::make_unexpected(
      HttpError{400, "bad_request", std::move(message), std::nullopt, std::move(hint)});
}

// The body as an object with no other keys than these.
Parsed<Json> read_object(const HttpRequest& request, std::initializer_list<std::string_view> keys) {
  if (!request.content_type.starts_with("application/json")) {
    return bad_request("this route takes JSON", "send Content-Type: application/json");
  }
  std::string body;
  if (const BodyRead read = request.read_body(body); read != BodyRead::kOk) {
    return tl::make_unexpected(http_error(read));
  }
  const auto shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kDepthMax; };
  Json json = Json::parse(body, shallow, false);
  if (!json.is_object()) return bad_request("the body is not a JSON object");
  for (const auto& [key, value] : json.items()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      return bad_request("unknown key " + key, fmt::format("the keys are {}", fmt::join(keys, ", ")));
    }
  }
  return json;
}

Parsed<std::string> text_of(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end()) return std::string();
  if (!found->is_string()) return bad_request(fmt::format("{} must be a string", key));
  return found->get<std::string>();
}

Parsed<ResumeRequest> resume_of(const Json& json) {
  ResumeRequest request;
  auto topic = text_of(json, "topic");
  if (!topic) return tl::make_unexpected(std::move(topic.error()));
  if (topic->empty()) return bad_request("topic is missing");
  request.topic = std::move(*topic);
  const Json partition = json.value("partition", Json());
  if (!partition.is_number_unsigned() ||
      partition.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int32_t>::max())) {
    return bad_request("partition must be a number from 0");
  }
  request.partition = partition.get<int32_t>();

  const Json from = json.value("from", Json());
  using enum ResumeRequest::From;
  if (from == "skip") {
    request.from = kSkip;
  } else if (from == "earliest") {
    request.from = kEarliest;
  } else if (from == "latest") {
    request.from = kLatest;
  } else if (from.is_number_unsigned() &&
             from.get<uint64_t>() <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    request.from = kOffset;
    request.offset = from.get<int64_t>();
  } else {
    return bad_request("from must be \"skip\", \"earliest\", \"latest\" or an offset");
  }
  return request;
}

Parsed<RewindRequest> rewind_of(const Json& json) {
  RewindRequest request;
  auto topic = text_of(json, "topic");
  if (!topic) return tl::make_unexpected(std::move(topic.error()));
  request.topic = std::move(*topic);
  const auto text = text_of(json, "time");
  if (!text) return tl::make_unexpected(text.error());
  const auto time = parse_timestamp(*text);
  if (!time) {
    return bad_request(fmt::format("time \"{}\" is none", *text), "for example 2025-07-01T00:00:00Z");
  }
  request.time_ns = *time;
  return request;
}

HttpResponse answer(const Result<std::vector<MovedPartition>>& moved) {
  if (!moved) return error_response(http_error(moved.error()));
  Json list = Json::array();
  for (const MovedPartition& partition : *moved) {
    list.push_back({{"topic", partition.topic},
                    {"partition", partition.partition},
                    {"from", partition.from},
                    {"to", partition.to}});
  }
  const Json json = {{"moved", std::move(list)}};
  HttpResponse response = json_response(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

// Reads the body, then hands the request and the source's name to `command`.
template <class Request, class Command>
HttpResponse run(const Parsed<Json>& json, Parsed<Request> (*read)(const Json&), const Command& command) {
  if (!json) return error_response(json.error());
  const auto request = read(*json);
  if (!request) return error_response(request.error());
  const auto source = text_of(*json, "source");
  if (!source) return error_response(source.error());
  return answer(command(*source, *request));
}

}  // namespace

void add_ingest_routes(Router& router, const HttpServices& services) {
  router.add({"POST", "/api/v1/ingest/resume", "admin",
              [&services](const HttpRequest& request) {
                return run(read_object(request, {"source", "topic", "partition", "from"}), resume_of,
                           services.resume);
              },
              Access::kAdmin});
  router.add({"POST", "/api/v1/ingest/rewind", "admin",
              [&services](const HttpRequest& request) {
                return run(read_object(request, {"source", "topic", "time"}), rewind_of, services.rewind);
              },
              Access::kAdmin});
}

}  // namespace varve
