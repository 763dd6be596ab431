// A small blocking HTTP client for tests and benches. The functions make one connection per call, a session keeps its
// own; redirects and retries are not hidden.
// Errors:  a call without an answer has status 0 and the reason in `body`.
// Threads: no shared state; a session belongs to one thread.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace varve::test {

struct HttpAnswer {
  int status = 0;
  std::multimap<std::string, std::string> headers = {};
  std::string body = {};

  std::string header(const std::string& name) const;  // case-insensitive; empty when absent
};

using HttpHeaders = std::multimap<std::string, std::string>;

// `url` = http://HOST:PORT/path?query, already percent-encoded (see url_encode).
HttpAnswer http_get(const std::string& url, const HttpHeaders& headers = {});
HttpAnswer http_post(const std::string& url, const std::string& body, const std::string& content_type,
                     const HttpHeaders& headers = {});
HttpAnswer http_request(const std::string& method, const std::string& url, const std::string& body = {},
                        const HttpHeaders& headers = {},
                        std::chrono::milliseconds limit = std::chrono::seconds(60));

// One connection, kept open from call to call; asks for answers without compression.
class HttpSession {
 public:
  explicit HttpSession(const std::string& url);  // http://HOST:PORT
  ~HttpSession();
  HttpAnswer send(const std::string& method, const std::string& path, const std::string& body = {},
                  const std::string& content_type = "text/plain");

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string url_encode(const std::string& text);  // for one query parameter

}  // namespace varve::test
