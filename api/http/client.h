// A small HTTP client for `varve query`.
// Errors: kInvalidArgument for a URL it cannot use; kUnavailable naming the server when nobody answers or the
// answer
//         breaks off (then a streamed answer is incomplete).
// Threads: any.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "storage/base/error.h"

namespace varve {

struct HttpPost {
  std::string url;   // of the server: "http://HOST:PORT"
  std::string path;  // "/api/v1/query"
  std::string content_type;
  std::string body;
  std::string token;  // Authorization: Bearer, unless empty
  std::string method = "POST";
  // Asked some times a second, on a thread of the call; true drops the connection (kUnavailable, unless the answer is
  // whole). Called until post_http returns.
  std::function<bool()> interrupted = {};
};

struct HttpAnswer {
  int status = 0;
  std::string error_body;  // of an answer other than 200, at most kErrorBodyBytesMax
};

std::string percent_encoded(std::string_view text);  // for a part of a path or query

constexpr size_t kErrorBodyBytesMax = 64 << 10;

// The body of a 200 goes to `receive` as it arrives; false from it stops reading (and is no error).
Result<HttpAnswer> post_http(const HttpPost& request, const std::function<bool(std::string_view)>& receive);

}  // namespace varve
