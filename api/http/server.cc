// The only file that knows cpp-httplib's server. Facts about the library that shape it:
//   - a header line, the headers and the URL are bounded by its macros; a body by set_payload_max_length,
//   decompressed;
//   - handlers of ordinary POST routes get form bodies parsed and cut, so every POST goes through a content
//   reader;
//   - it sets SO_REUSEPORT by default, which would let a second server bind the same port in silence;
//   - it would compress answers itself if the client asks (see compression.h): it must not see Accept-Encoding;
//   - it serves Range by itself, even of streamed answers: any Range is refused.
#include "api/http/server.h"

#include <fmt/format.h>
#include <httplib.h>

#include <atomic>
#include <cstring>

#include "api/http/errors.h"
#include "api/http/gate.h"
#include "api/http/live.h"
#include "api/http/message.h"
#include "api/http/routes.h"
#include "api/http/workers.h"
#include "storage/base/log.h"

namespace varve {
namespace {

// Seconds. A keep-alive connection holds a worker: short, but longer than a page's polling interval.
constexpr time_t kKeepAliveSeconds = 5;
constexpr size_t kKeepAliveRequestsMax = 1000;
// Seconds a client may pause within a request or while it takes the answer (each read or write on its own).
constexpr time_t kReadSeconds = 10;
constexpr time_t kWriteSeconds = 10;
constexpr std::chrono::milliseconds kStopCheck{10};

constexpr size_t kPathBytesMax = 512;  // our longest route plus the longest table name

class TaskQueue final : public httplib::TaskQueue {
 public:
  // A live reader holds a worker for as long as it likes: those come on top.
  explicit TaskQueue(size_t live_readers)
      : workers_(WorkerLimits{.max = WorkerLimits{}.max + live_readers}) {}
  bool enqueue(std::function<void()> job) override { return workers_.enqueue(std::move(job)); }
  void shutdown() override { workers_.shutdown(); }

 private:
  Workers workers_;
};

class HttplibServer final : public HttpServer {
 public:
  explicit HttplibServer(MetricsRegistry& metrics) : metrics_(metrics) {}
  ~HttplibServer() override { HttplibServer::stop(); }

  Result<void> bind(const HttpOptions& options);
  uint16_t port() const override { return port_; }
  void serve(HttpServices services) override;
  std::vector<RouteFacts> routes() const override;
  void set_policy(HttpPolicy policy) override { front_.set(std::move(policy)); }
  void begin_drain() override;
  size_t in_flight() const override { return front_.in_flight(); }
  void stop() override;

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  void handle(const Request& request, Response& response, const httplib::ContentReader* reader);
  HttpResponse respond(const Request& request, HttpRequest& ours, std::string& family);
  HttpResponse dispatch(const HttpRequest& request, std::string& family);
  BodyRead read_body(const Request& request, const Response& response, const httplib::ContentReader* reader,
                     std::string& body, size_t& taken);
  void count(const std::string& family, int status, int64_t elapsed_ns);

  MetricsRegistry& metrics_;
  Front front_;
  uint64_t collector_ = 0;  // of front_'s gauge
  size_t live_readers_ = 0;
  httplib::Server server_;
  uint16_t port_ = 0;
  BodyBudget budget_;
  HttpServices services_;
  Workers query_threads_{WorkerLimits{}};  // at most one a worker that serves a connection
  std::unique_ptr<LiveHub> live_;          // likewise
  Router router_;                          // filled before ready_ is set, constant after
  std::atomic<bool> ready_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> drained_{false};  // no connection is served any more
  std::jthread acceptor_;
};

// The thread of acceptor_ accepts; workers (TaskQueue) serve; a QueryAnswer has one of query_threads_.
Result<void> HttplibServer::bind(const HttpOptions& options) {
  live_readers_ = options.live_readers;
  server_.new_task_queue = [this] { return new TaskQueue(live_readers_); };
  server_.set_socket_options([](int socket) {
    // Lets a restarted server bind while old connections linger; a second server still fails.
    httplib::set_socket_opt(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  });
  server_.set_tcp_nodelay(true);
  server_.set_keep_alive_timeout(kKeepAliveSeconds);
  server_.set_keep_alive_max_count(kKeepAliveRequestsMax);
  server_.set_read_timeout(kReadSeconds);
  server_.set_write_timeout(kWriteSeconds);
  server_.set_payload_max_length(kBodyBytesMax);
  server_.set_exception_handler([](const Request&, Response& response, std::exception_ptr) {
    log_error("http", "a handler threw; the request got 500");
    to_response(error_response({500, "internal", "internal error", std::nullopt, {}}), response);
  });
  server_.set_error_handler([this](const Request& request, Response& response) {
    if (!response.has_header("X-Request-Id")) {  // no answer of ours
      HttpRequest ours = to_request(request);
      front_.begin(ours);
      to_response(
          front_.finish(ours, error_response(library_error(response.status)), real_clock().monotonic_ns()),
          response);
    }
  });
  // Everything without a body is answered here; a POST goes on to the content reader below.
  server_.set_pre_routing_handler([this](const Request& request, Response& response) {
    // A long path is no route of ours; the library would match it by std::regex, which recurses.
    if (request.method == "POST" && request.path.size() <= kPathBytesMax) {
      return httplib::Server::HandlerResponse::Unhandled;
    }
    handle(request, response, nullptr);
    return httplib::Server::HandlerResponse::Handled;
  });
  server_.Post(".*", [this](const Request& request, Response& response,
                            const httplib::ContentReader& reader) { handle(request, response, &reader); });

  int why = 0;  // by the time bind_to_port returns, errno may be another call's
  server_.set_error_logger([&why](const httplib::Error&, const Request*) { why = errno; });
  const int bound = options.port == 0 ? server_.bind_to_any_port(options.host)
                    : server_.bind_to_port(options.host, options.port) ? options.port
                                                                       : -1;
  server_.set_error_logger(nullptr);
  if (bound <= 0) {
    const std::string address = fmt::format("{}:{}", options.host, options.port);
    if (why == EADDRINUSE) {
      return unavailable(
          fmt::format("address {} is in use; stop what listens there or choose another", address));
    }
    return Error{ErrorCode::kIo, fmt::format("cannot listen on {}: {}", address,
                                             why == 0 ? "no such address" : std::strerror(why))};
  }
  port_ = static_cast<uint16_t>(bound);
  acceptor_ = std::jthread([this] {
    server_.listen_after_bind();
    drained_ = true;
  });
  server_.wait_until_ready();
  return {};
}

void HttplibServer::serve(HttpServices services) {
  services_ = std::move(services);
  add_query_routes(router_, services_, query_threads_);
  add_write_routes(router_, services_);
  add_status_routes(router_, services_);
  add_ingest_routes(router_, services_);
  add_mirror_routes(router_, services_);
  add_health_routes(router_, services_);
  add_influx_routes(router_, services_, query_threads_);
  add_quarantine_routes(router_, services_);
  live_ = std::make_unique<LiveHub>(*services_.engine, *services_.metrics, live_readers_);
  add_live_routes(router_, services_, *live_);
  add_openapi_routes(router_);
  add_page_routes(router_);
  Gauge& in_flight = services_.metrics->gauge("varve_http_requests_in_flight",
                                              "Requests whose answers are not finished, this one included.");
  collector_ = services_.metrics->add_collector(
      [this, &in_flight] { in_flight.set(static_cast<double>(front_.in_flight())); });
  ready_.store(true, std::memory_order_release);
}

std::vector<RouteFacts> HttplibServer::routes() const {
  std::vector<RouteFacts> facts;
  for (const Route& route : router_.routes()) facts.push_back({route.method, route.path});
  return facts;
}

void HttplibServer::begin_drain() {
  front_.begin_drain();
  if (ready_) live_->end();
}

void HttplibServer::stop() {
  if (!acceptor_.joinable()) return;
  if (ready_) live_->end();  // before its readers' connections are cut
  stopping_ = true;
  server_.stop();
  // Queries may have begun after the last look: cancel until every worker is done.
  while (!drained_) {
    if (ready_) {
      for (const RunningQuery& query : services_.queries->running()) services_.queries->cancel(query.id);
    }
    std::this_thread::sleep_for(kStopCheck);
  }
  acceptor_.join();
  if (ready_) services_.metrics->remove_collector(collector_);
}

HttpResponse HttplibServer::dispatch(const HttpRequest& request, std::string& family) {
  if (stopping_) return error_response({503, "stopping", "the server is stopping", std::nullopt, {}});
  if (!ready_.load(std::memory_order_acquire)) {
    if (request.path == "/healthz") {
      HttpResponse alive;
      alive.content_type = "text/plain";
      alive.body = "ok\n";
      return alive;
    }
    return error_response(
        {503, "starting", "the store is being recovered; try again soon", std::nullopt, {}});
  }
  if (front_.draining()) {
    if (auto no = Front::refusal_while_draining(request)) return std::move(*no);
  }
  HttpResponse refused;
  const Route* const route = router_.find(request, refused);
  if (route == nullptr) return refused;
  family = route->family;
  return route->handler(request);
}

HttpResponse HttplibServer::respond(const Request& request, HttpRequest& ours, std::string& family) {
  try {
    const HttpError wrong = refusal(request, front_.allows_origin(ours.origin));
    if (!wrong.code.empty()) return error_response(wrong);
    if (auto allowed = front_.preflight(ours)) return std::move(*allowed);
    return dispatch(ours, family);
  } catch (const std::exception& error) {
    log_error("http", fmt::format("a handler threw ({}); request {} got 500", error.what(), ours.request_id));
    return error_response(
        {500, "internal", "internal error", std::nullopt, "its log line has the request's id"});
  }
}

void HttplibServer::handle(const Request& request, Response& response, const httplib::ContentReader* reader) {
  const int64_t begin = real_clock().monotonic_ns();
  std::string family = "none";
  size_t taken = 0;
  HttpRequest ours = to_request(request);
  ours.client_gone = [this, &request] { return stopping_ || request.is_connection_closed(); };
  ours.read_body = [&](std::string& body) { return read_body(request, response, reader, body, taken); };
  front_.begin(ours);
  // The library would compress by itself, more slowly; the request is not const where it was made.
  const_cast<Request&>(request).headers.erase("Accept-Encoding");
  HttpResponse answer = respond(request, ours, family);
  budget_.give_back(taken);
  count(family, answer.status, real_clock().monotonic_ns() - begin);
  to_response(front_.finish(ours, std::move(answer), begin), response);
}

BodyRead HttplibServer::read_body(const Request& request, const Response& response,
                                  const httplib::ContentReader* reader, std::string& body, size_t& taken) {
  if (reader == nullptr) return BodyRead::kOk;
  if (request.is_multipart_form_data()) return BodyRead::kUnsupported;
  // Known before the first byte; the library would read it all first.
  if (request.get_header_value_u64("Content-Length") > kBodyBytesMax) return BodyRead::kTooLarge;
  BodyRead outcome = BodyRead::kOk;
  const bool complete = (*reader)([&](const char* data, size_t size) {
    if (size > kBodyBytesMax - body.size()) {
      outcome = BodyRead::kTooLarge;
      return false;
    }
    if (!budget_.take(size)) {
      outcome = BodyRead::kNoMemory;
      return false;
    }
    taken += size;
    body.append(data, size);
    return true;
  });
  if (complete || outcome != BodyRead::kOk) return outcome;
  if (response.status == 413) return BodyRead::kTooLarge;
  return response.status == 415 ? BodyRead::kUnsupported : BodyRead::kBroken;
}

void HttplibServer::count(const std::string& family, int status, int64_t elapsed_ns) {
  metrics_
      .counter("varve_http_requests_total", "HTTP requests answered.",
               {{"family", family}, {"status", std::to_string(status)}})
      .add();
  metrics_
      .histogram("varve_http_request_seconds",
                 "From the request's headers to its answer, or to an answer's first byte.",
                 {{"family", family}})
      .observe_ns(elapsed_ns);
}

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpOptions& options, MetricsRegistry& metrics) {
  auto server = std::make_unique<HttplibServer>(metrics);
  VARVE_TRY(server->bind(options));
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace varve
