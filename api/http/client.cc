#include "api/http/client.h"

#include <fmt/format.h>
#include <httplib.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace varve {
namespace {

constexpr time_t kConnectSeconds = 5;
constexpr auto kInterruptLookEvery = std::chrono::milliseconds(20);  // nobody feels it
constexpr time_t kReadSeconds =
    60;  // longer than a query's default deadline: the server should be the one to say so

// Looks at `interrupted` while it exists. The connection may not be open yet when it is to be dropped: once is not enough.
class InterruptWatch {
 public:
  InterruptWatch(const std::function<bool()>& interrupted, httplib::Client& client) {
    if (!interrupted) return;
    thread_ = std::jthread([&interrupted, &client](const std::stop_token& stop) {
      std::mutex mutex;
      std::condition_variable_any never;
      std::unique_lock lock(mutex);
      while (!stop.stop_requested()) {
        if (interrupted()) client.stop();
        never.wait_for(lock, stop, kInterruptLookEvery,
                       [] { return false; });  // until then, or at once when stopped
      }
    });
  }

 private:
  std::jthread thread_;
};

}  // namespace

std::string percent_encoded(std::string_view text) {
  return httplib::encode_uri_component(std::string(text));
}

Result<HttpAnswer> post_http(const HttpPost& request, const std::function<bool(std::string_view)>& receive) {
  std::string base = request.url;
  while (!base.empty() && base.back() == '/') base.pop_back();
  const bool known_scheme = base.starts_with("http://") || base.starts_with("https://");
  httplib::Client client(known_scheme ? base : "http://" + base);
  if (!client.is_valid()) {
    return invalid_argument(fmt::format("cannot use the URL {}; expected http://HOST:PORT", request.url));
  }
  client.set_connection_timeout(kConnectSeconds);
  client.set_read_timeout(kReadSeconds);
  HttpAnswer answer;
  bool stopped = false;
  httplib::Request http;
  http.method = request.method;
  http.path = request.path;
  http.body = request.body;
  http.set_header("Content-Type", request.content_type);
  if (!request.token.empty()) http.set_header("Authorization", "Bearer " + request.token);
  http.response_handler = [&](const httplib::Response& response) {
    answer.status = response.status;
    return true;
  };
  http.content_receiver = [&](const char* data, size_t size, size_t, size_t) {
    if (answer.status != 200) {
      answer.error_body.append(data, std::min(size, kErrorBodyBytesMax - answer.error_body.size()));
      return true;
    }
    stopped = !receive({data, size});
    return !stopped;
  };
  const httplib::Result result = [&] {
    const InterruptWatch watch(request.interrupted, client);
    return client.send(http);
  }();
  if (!result && !stopped) {
    return unavailable(answer.status == 200
                           ? fmt::format("the answer from {} broke off: it is incomplete", request.url)
                           : fmt::format("no answer from {} ({}); is varve running there?", request.url,
                                         httplib::to_string(result.error())));
  }
  if (result)
    answer.status = result->status;  // the handler above is not called for an answer without a body (204)
  return answer;
}

}  // namespace varve
