// What happens around every request, whatever its route: its id, the access log, CORS, compression, the end of
// service. An access line has the method, the path (cut, without the query, which may hold secrets), the status, bytes
// of body sent, milliseconds to the answer's end, the client and the request's id.
//   ids:   a client's X-Request-Id counts when it is up to kRequestIdBytesMax of letters, digits, ".", "_", "-" (so it
//          can go into headers and logs as it is); anything else gets a fresh one
//   CORS:  off unless origins are named; answers never allow credentials, and never "*"
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/exchange.h"

namespace varve {

constexpr size_t kRequestIdBytesMax = 64;
constexpr size_t kLoggedPathBytesMax = 200;
// Lines of a second; of what comes beyond, one line says how many (guessed: an operator still reads along).
constexpr uint64_t kAccessLinesPerSecondMax = 200;

enum class AccessLog { kOff, kErrors, kAll };  // kErrors: status 400 and above

// May change while the server runs.
struct HttpPolicy {
  AccessLog access_log = AccessLog::kErrors;
  std::vector<std::string> cors_origins;  // as browsers send them: "https://dash.example"

  bool operator==(const HttpPolicy&) const = default;
};

class Front {
 public:
  Front() : policy_(std::make_shared<const HttpPolicy>()) {}

  void set(HttpPolicy policy);
  bool allows_origin(std::string_view origin) const;

  // Of the request about to be answered: its id.
  void begin(HttpRequest& request);
  // The answer to a preflight of an allowed origin.
  std::optional<HttpResponse> preflight(const HttpRequest& request) const;
  // The last touch: headers, compression, the access line (of a stream, when it ends). After begin(), once.
  HttpResponse finish(const HttpRequest& request, HttpResponse response, int64_t begin_ns);

  // From now on only probes and metrics are answered.
  void begin_drain() { draining_ = true; }
  bool draining() const { return draining_; }
  static std::optional<HttpResponse> refusal_while_draining(const HttpRequest& request);

 private:
  friend class WatchedStream;
  std::shared_ptr<const HttpPolicy> policy() const;
  void log_access(const HttpRequest& request, int status, uint64_t bytes, int64_t begin_ns);
  void write_line(std::string_view line);

  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<const HttpPolicy> policy_;
  int64_t line_second_ = 0;
  uint64_t lines_ = 0;  // in that second

  std::atomic<bool> draining_{false};
};

}  // namespace varve
