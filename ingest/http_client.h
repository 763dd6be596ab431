// A small HTTP client for services beside us: one connection, kept alive. Redirects are not followed and no
// proxy is asked; credentials go to the configured server alone and are never logged.
// Errors: open: kInvalidArgument. Everything that happens on the wire is an HttpAnswer.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "storage/base/error.h"

namespace varve {

struct HttpClientOptions {
  std::string url;            // http or https, host, optional port and path prefix
  std::string user_password;  // "user:password" for basic authentication; empty = none
  int64_t timeout_ns = 0;     // of a whole request
};

struct HttpAnswer {
  int status = 0;    // 0 = none came; `text` says why
  std::string text;  // the body
};

class HttpClient {
 public:
  static constexpr size_t kBodyBytesMax = 4 << 20;  // a longer answer is none

  static Result<std::unique_ptr<HttpClient>> open(HttpClientOptions options);
  virtual ~HttpClient() = default;
  // `path` begins with "/" and is encoded; `accept` is the header of that name.
  virtual HttpAnswer get(std::string_view path, std::string_view accept) = 0;
  virtual HttpAnswer post(std::string_view path, std::string_view content_type, std::string_view body) = 0;
};

std::string url_encoded(std::string_view text);

// libcurl's own initialisation, once per process.
void init_curl();

}  // namespace varve
