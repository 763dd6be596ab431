#include "tests/support/http_client.h"

#include <httplib.h>
#include <strings.h>

namespace varve::test {

std::string HttpAnswer::header(const std::string& name) const {
  for (const auto& [key, value] : headers) {
    if (strcasecmp(key.c_str(), name.c_str()) == 0) return value;
  }
  return {};
}

HttpAnswer http_request(const std::string& method, const std::string& url, const std::string& body,
                        const HttpHeaders& headers, std::chrono::milliseconds limit) {
  auto scheme_end = url.find("://");
  auto host_begin = scheme_end == std::string::npos ? 0 : scheme_end + 3;
  auto path_begin = std::min(url.find('/', host_begin), url.size());
  httplib::Client client(url.substr(0, path_begin));
  client.set_connection_timeout(limit);
  client.set_read_timeout(limit);
  client.set_write_timeout(limit);
  client.set_path_encode(false);

  httplib::Request request;
  request.method = method;
  request.path = path_begin == url.size() ? "/" : url.substr(path_begin);
  request.body = body;
  for (const auto& [name, value] : headers) request.headers.emplace(name, value);
  auto result = client.send(request);
  if (!result) return {.status = 0, .headers = {}, .body = httplib::to_string(result.error())};
  HttpAnswer answer{.status = result->status, .headers = {}, .body = result->body};
  for (const auto& [name, value] : result->headers) answer.headers.emplace(name, value);
  return answer;
}

HttpAnswer http_get(const std::string& url, const HttpHeaders& headers) {
  return http_request("GET", url, {}, headers);
}

HttpAnswer http_post(const std::string& url, const std::string& body, const std::string& content_type,
                     const HttpHeaders& headers) {
  HttpHeaders all = headers;
  all.emplace("Content-Type", content_type);
  return http_request("POST", url, body, all);
}

struct HttpSession::State {
  explicit State(const std::string& url) : client(url) {}
  httplib::Client client;
};

HttpSession::HttpSession(const std::string& url) : state_(std::make_unique<State>(url)) {
  constexpr time_t kPatienceSeconds = 600;
  state_->client.set_keep_alive(true);
  state_->client.set_tcp_nodelay(true);
  state_->client.set_path_encode(false);
  state_->client.set_read_timeout(kPatienceSeconds);
  state_->client.set_write_timeout(kPatienceSeconds);
}
HttpSession::~HttpSession() = default;

HttpAnswer HttpSession::send(const std::string& method, const std::string& path, const std::string& body,
                             const std::string& content_type) {
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.headers.emplace("Accept-Encoding", "identity");
  if (method == "POST") request.headers.emplace("Content-Type", content_type);
  request.body = body;
  auto result = state_->client.send(request);
  if (!result) return {.status = 0, .headers = {}, .body = httplib::to_string(result.error())};
  HttpAnswer answer{.status = result->status, .headers = {}, .body = std::move(result->body)};
  for (const auto& [name, value] : result->headers) answer.headers.emplace(name, value);
  return answer;
}

std::string url_encode(const std::string& text) {
  return httplib::encode_uri_component(text);
}

}  // namespace varve::test
