// One HTTP request and its answer as the route handlers see them, free of any HTTP library.
// Threads: a request and its response belong to the worker that handles them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "api/http/access.h"

namespace varve {

enum class BodyRead {
  kOk,
  kTooLarge,     // over the limit, as sent or once decompressed
  kNoMemory,     // too many request bodies are in memory already
  kUnsupported,  // a content encoding or multipart form this server does not read
  kBroken,       // ended early, or its compression is damaged
};

struct HttpRequest {
  std::string method;                                          // GET (also for HEAD), POST, DELETE ...
  std::string path;                                            // percent-decoded, without the query
  std::map<std::string, std::string, std::less<>> parameters;  // of the URL; the first of a repeated name
  std::string client;                                          // its address, without the port
  Caller caller;                                               // whose token it shows
  std::string content_type;
  std::string accept;
  std::string accept_encoding;
  std::string request_id;        // once Front has seen it, never empty and safe to repeat anywhere
  std::string origin;            // of the page that asks; empty = no page
  std::string preflight_method;  // that a browser asks whether it may use
  std::string if_none_match;
  std::function<BodyRead(std::string& body)> read_body;  // once; decompressed; at most kBodyBytesMax
  // Cheap enough to ask ten times a second; may be kept until the answer's stream is closed.
  std::function<bool()> client_gone;

  // Empty when the parameter is absent.
  std::string_view parameter(std::string_view name) const {
    const auto found = parameters.find(name);
    return found == parameters.end() ? std::string_view() : std::string_view(found->second);
  }
};

// A body produced piece by piece while it is sent.
class BodyStream {
 public:
  enum class Next { kPiece, kEnd, kBroken };
  virtual ~BodyStream() = default;
  virtual Next next(std::string& piece) = 0;  // may block
  virtual void close() = 0;                   // nobody will ask for more
};

// Exactly one of body, fixed_body and stream carries the content.
struct HttpResponse {
  int status = 200;
  std::string content_type;
  std::string body;
  std::string_view fixed_body;  // bytes that live as long as the program, sent as they are
  std::shared_ptr<BodyStream> stream;
  std::vector<std::pair<std::string, std::string>> headers;
};

// Line protocol bodies: as InfluxDB 1.x, 25 MB. Holds for every body this server reads.
constexpr size_t kBodyBytesMax = 25'000'000;
// Of all request bodies together, so that a crowd of writers cannot eat the machine (guessed).
constexpr size_t kBodyBytesInFlightMax = 256 << 20;

}  // namespace varve
