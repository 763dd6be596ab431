#include "api/http/front.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <random>

#include "api/http/compression.h"
#include "api/http/errors.h"
#include "storage/base/clock.h"
#include "storage/base/log.h"

namespace varve {
namespace {

constexpr std::string_view kComponent = "access";
constexpr std::string_view kAllowedMethods = "GET, HEAD, POST, DELETE";
constexpr std::string_view kAllowedHeaders = "Authorization, Content-Type, Content-Encoding, X-Request-Id";
constexpr std::string_view kPreflightSeconds = "600";  // browsers cap it near this

bool is_safe_id(std::string_view id) {
  return !id.empty() && id.size() <= kRequestIdBytesMax && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  });
}

// Unlikely to be given twice, also by a restarted server; nobody needs it to be a secret. Shaped like a UUID, because
// that is what Influx clients and log tools expect.
std::string fresh_id() {
  thread_local std::mt19937_64 random{std::random_device{}()};
  const uint64_t high = random(), low = random();
  return fmt::format("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", high >> 32, (high >> 16) & 0xffff, high & 0xfff,
                     low >> 52, low & 0xffffffffffff);
}

void add_header(HttpResponse& response, std::string_view name, std::string_view value) {
  response.headers.emplace_back(name, value);
}

bool has_header(const HttpResponse& response, std::string_view name) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [&](const auto& header) { return header.first == name; });
}

}  // namespace

// A stream that is counted while it is sent.
class WatchedStream final : public BodyStream {
 public:
  WatchedStream(Front& front, HttpRequest request, HttpResponse& response, int64_t begin_ns)
      : front_(front),
        request_(std::move(request)),
        stream_(std::move(response.stream)),
        status_(response.status),
        begin_ns_(begin_ns) {}
  ~WatchedStream() override { WatchedStream::close(); }

  Next next(std::string& piece) override {
    const Next outcome = stream_->next(piece);
    if (outcome == Next::kPiece) bytes_ += piece.size();
    return outcome;
  }
  void close() override {
    if (closed_) return;
    closed_ = true;
    stream_->close();
    front_.log_access(request_, status_, bytes_, begin_ns_);
  }

 private:
  Front& front_;
  const HttpRequest request_;
  const std::shared_ptr<BodyStream> stream_;
  const int status_;
  const int64_t begin_ns_;
  uint64_t bytes_ = 0;
  bool closed_ = false;
};

void Front::set(HttpPolicy policy) {
  const std::lock_guard lock(mutex_);
  policy_ = std::make_shared<const HttpPolicy>(std::move(policy));
}

std::shared_ptr<const HttpPolicy> Front::policy() const {
  const std::lock_guard lock(mutex_);
  return policy_;
}

bool Front::allows_origin(std::string_view origin) const {
  const auto now = policy();
  return std::find(now->cors_origins.begin(), now->cors_origins.end(), origin) != now->cors_origins.end();
}

void Front::begin(HttpRequest& request) {
  if (!is_safe_id(request.request_id)) request.request_id = fresh_id();
}

std::optional<HttpResponse> Front::preflight(const HttpRequest& request) const {
  if (request.method != "OPTIONS" || request.preflight_method.empty() || !allows_origin(request.origin)) {
    return std::nullopt;
  }
  HttpResponse response;
  response.status = 204;
  add_header(response, "Access-Control-Allow-Methods", kAllowedMethods);
  add_header(response, "Access-Control-Allow-Headers", kAllowedHeaders);
  add_header(response, "Access-Control-Max-Age", kPreflightSeconds);
  return response;
}

HttpResponse Front::finish(const HttpRequest& request, HttpResponse response, int64_t begin_ns) {
  if (!has_header(response, "X-Request-Id")) add_header(response, "X-Request-Id", request.request_id);
  if (!request.origin.empty() && allows_origin(request.origin)) {
    add_header(response, "Access-Control-Allow-Origin",
               request.origin);  // equal to one of the configuration's
    add_header(response, "Access-Control-Expose-Headers", "X-Request-Id, Retry-After");
    add_header(response, "Vary", "Origin");
  }
  compress_answer(request.accept_encoding, response);
  if (response.stream != nullptr) {
    HttpRequest kept = request;  // but for what reaches into the connection
    kept.read_body = nullptr;
    kept.client_gone = nullptr;
    response.stream = std::make_shared<WatchedStream>(*this, std::move(kept), response, begin_ns);
    return response;
  }
  log_access(request, response.status, response.body.size() + response.fixed_body.size(), begin_ns);
  return response;
}

void Front::log_access(const HttpRequest& request, int status, uint64_t bytes, int64_t begin_ns) {
  const AccessLog wanted = policy()->access_log;
  if (wanted == AccessLog::kOff || (wanted == AccessLog::kErrors && status < 400)) return;
  const int64_t elapsed_ns = real_clock().monotonic_ns() - begin_ns;
  const bool cut = request.path.size() > kLoggedPathBytesMax;
  write_line(fmt::format("{} {}{} {} {} B {:.1f} ms {} {}", request.method.substr(0, 16),
                         request.path.substr(0, kLoggedPathBytesMax), cut ? "..." : "", status, bytes,
                         static_cast<double>(elapsed_ns) / static_cast<double>(kNsPerMs), request.client,
                         request.request_id));
}

void Front::write_line(std::string_view line) {
  const int64_t second = real_clock().monotonic_ns() / kNsPerSecond;
  uint64_t left_out = 0;
  {
    const std::lock_guard lock(mutex_);
    if (second != line_second_) {
      if (lines_ > kAccessLinesPerSecondMax) left_out = lines_ - kAccessLinesPerSecondMax;
      line_second_ = second;
      lines_ = 0;
    }
    if (++lines_ > kAccessLinesPerSecondMax) return;
  }
  if (left_out > 0) {
    log_warn(kComponent, fmt::format("{} lines of one second were left out, more than {} came", left_out,
                                     kAccessLinesPerSecondMax));
  }
  log_info(kComponent, line);
}

std::optional<HttpResponse> Front::refusal_while_draining(const HttpRequest& request) {
  if (request.path == "/healthz" || request.path == "/metrics") return std::nullopt;
  if (request.path == "/readyz") {
    HttpResponse response;
    response.status = 503;
    response.content_type = "text/plain";
    response.body = "draining\n";
    return response;
  }
  return error_response(
      {503, "draining", "the server is shutting down and takes no new requests", std::nullopt, {}});
}

}  // namespace varve
