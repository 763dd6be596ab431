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

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "api/http/errors.h"
#include "api/http/front_door.h"
#include "api/http/gate.h"
#include "api/http/live.h"
#include "api/http/message.h"
#include "api/http/problems.h"
#include "api/http/request_metrics.h"
#include "api/http/routes.h"
#include "api/http/workers.h"
#include "api/query/audit.h"
#include "storage/base/log.h"

namespace varve {
namespace {

// Of what Content-Length promises, believed before it comes (guessed: twice the 5,000 rows that clients send at once).
constexpr size_t kBodyReserveBytesMax = 4 << 20;

constexpr size_t kKeepAliveRequestsMax = 1000;
constexpr std::chrono::milliseconds kStopCheck{10};

constexpr size_t kPathBytesMax = 512;  // our longest route plus the longest table name

// The library accepts; what is accepted goes to the front door at once.
class InlineTasks final : public httplib::TaskQueue {
 public:
  bool enqueue(std::function<void()> job) override {
    job();
    return true;
  }
  void shutdown() override {}
};

// Of the answer this thread gives. The library announces the end of the connection after an error, and goes on with it:
// what is left of a request it could not read would be taken for the next one.
thread_local bool t_answers_error = false;

class AcceptingServer final : public httplib::Server {
 public:
  std::function<void(int)> accepted;

  // One request, its head complete; false = close the connection.
  bool serve(HttpConnection& connection) {
    ConnectionStream stream(connection);
    std::string local;
    int local_port = 0;
    stream.get_local_ip_and_port(local, local_port);
    const bool last = connection.requests >= kKeepAliveRequestsMax;
    bool closed = false;
    t_answers_error = false;
    const bool served = process_request(stream, connection.address(), connection.port(), local, local_port,
                                        last, closed, nullptr);
    return served && !closed && !last && !t_answers_error;
  }

 private:
  bool process_and_close_socket(socket_t socket) override {
    accepted(socket);
    return true;
  }
};

// Each connection is an open file, and so are many of the store's.
void allow_many_files() {
  constexpr rlim_t kOpenFilesMax = 65'536;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = std::max(files.rlim_cur, std::min(files.rlim_max, kOpenFilesMax));
  (void)setrlimit(RLIMIT_NOFILE, &files);
}

class HttplibServer final : public HttpServer {
 public:
  explicit HttplibServer(MetricsRegistry& metrics) : metrics_(metrics), request_metrics_(metrics) {}
  ~HttplibServer() override { HttplibServer::stop(); }

  Result<void> bind(const HttpOptions& options);
  uint16_t port() const override { return port_; }
  void serve(HttpServices services) override;
  std::vector<RouteFacts> routes() const override;
  Result<void> reload_tls() override;
  void set_policy(HttpPolicy policy) override { front_.set(std::move(policy)); }
  void set_turns(size_t turns) override { door_->set_turns(turns); }
  void begin_drain() override;
  size_t in_flight() const override { return door_->unfinished(); }
  void stop() override;

 private:
  using Request = httplib::Request;
  using Response = httplib::Response;

  void handle(const Request& request, Response& response, const httplib::ContentReader* reader);
  HttpResponse respond(const Request& request, HttpRequest& ours, std::string& family);
  HttpResponse dispatch(const Request& request, HttpRequest& ours, std::string& family);
  BodyRead read_body(const Request& request, const Response& response, const httplib::ContentReader* reader,
                     std::string& body, size_t& taken);

  MetricsRegistry& metrics_;
  RequestMetrics request_metrics_;
  Front front_;
  uint64_t collector_ = 0;  // of door_'s gauge
  size_t live_readers_ = 0;
  AcceptingServer server_;
  std::unique_ptr<TlsContext> tls_;  // null = plain HTTP
  uint16_t port_ = 0;
  BodyBudget budget_;
  HttpServices services_;
  std::unique_ptr<ProblemWatch> problems_;  // made by serve()
  bool open_without_tokens_ = true;
  bool only_local_names_ = false;
  std::unique_ptr<TokenGuard> guard_;  // as router_
  std::unique_ptr<LiveHub> live_;      // likewise
  Router router_;                      // filled before ready_ is set, constant after
  std::atomic<bool> ready_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> drained_{false};  // no connection is served any more
  std::unique_ptr<FrontDoor> door_;   // last but one: its workers use all of the above
  std::jthread acceptor_;
};

// The thread of acceptor_ accepts; door_ has one that watches the connections, and workers that serve.
Result<void> HttplibServer::bind(const HttpOptions& options) {
  open_without_tokens_ = options.open_without_tokens;
  only_local_names_ = options.only_local_names;
  if (!options.tls_certificate.empty()) {
    VARVE_ASSIGN(tls_, TlsContext::open(options.tls_certificate, options.tls_key));
  }
  allow_many_files();
  server_.new_task_queue = [] { return new InlineTasks(); };
  live_readers_ = options.live_readers;
  server_.set_socket_options([](int socket) {
    // Lets a restarted server bind while old connections linger; a second server still fails.
    httplib::set_socket_opt(socket, SOL_SOCKET, SO_REUSEADDR, 1);
  });
  server_.set_tcp_nodelay(true);
  server_.set_keep_alive_timeout(FrontDoor::kIdleNs / kNsPerSecond);  // as clients are told
  server_.set_keep_alive_max_count(kKeepAliveRequestsMax);
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
  server_.set_post_routing_handler(
      [](const Request&, Response& response) { t_answers_error = response.status >= 400; });
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
  door_ =
      std::make_unique<FrontDoor>(options.limits, options.live_readers, tls_.get(), metrics_,
                                  [this](HttpConnection& connection) { return server_.serve(connection); });
  server_.accepted = [this](int socket) { door_->take(socket); };
  acceptor_ = std::jthread([this] {
    server_.listen_after_bind();
    door_->stop();
    drained_ = true;
  });
  server_.wait_until_ready();
  return {};
}

void HttplibServer::serve(HttpServices services) {
  services_ = std::move(services);
  guard_ = std::make_unique<TokenGuard>(services_.tokens, open_without_tokens_, *services_.clock, metrics_);
  add_query_routes(router_, services_);
  add_write_routes(router_, services_);
  problems_ = std::make_unique<ProblemWatch>(services_);
  add_status_routes(router_, services_, *problems_);
  add_ingest_routes(router_, services_);
  add_mirror_routes(router_, services_);
  add_health_routes(router_, services_, *problems_);
  add_influx_routes(router_, services_);
  add_grafana_routes(router_, services_);
  add_quarantine_routes(router_, services_);
  add_token_routes(router_, services_, *guard_);
  live_ = std::make_unique<LiveHub>(*services_.engine, *services_.metrics, live_readers_);
  add_live_routes(router_, services_, *live_);
  add_openapi_routes(router_);
  add_page_routes(router_);
  Gauge& in_flight = services_.metrics->gauge("varve_http_requests_in_flight",
                                              "Requests whose answers are not finished, this one included.");
  collector_ = services_.metrics->add_collector(
      [this, &in_flight] { in_flight.set(static_cast<double>(door_->unfinished())); });
  ready_.store(true, std::memory_order_release);
}

Result<void> HttplibServer::reload_tls() {
  if (tls_ == nullptr) return {};
  return tls_->reload();
}

std::vector<RouteFacts> HttplibServer::routes() const {
  std::vector<RouteFacts> facts;
  for (const Route& route : router_.routes()) facts.push_back({route.method, route.path, route.access});
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
  if (problems_) problems_->stop();  // it asks the services
  if (ready_) services_.metrics->remove_collector(collector_);
}

HttpResponse HttplibServer::dispatch(const Request& request, HttpRequest& ours, std::string& family) {
  if (stopping_) return error_response({503, "stopping", "the server is stopping", std::nullopt, {}});
  if (!ready_.load(std::memory_order_acquire)) {
    if (ours.path == "/healthz") {
      HttpResponse alive;
      alive.content_type = "text/plain";
      alive.body = "ok\n";
      return alive;
    }
    return error_response(
        {503, "starting", "the store is being recovered; try again soon", std::nullopt, {}});
  }
  if (only_local_names_ && !is_local_name(request.get_header_value("Host")) && guard_->open()) {
    return error_response({421, "foreign_name", "this server answers only on names of its own machine",
                           std::nullopt,
                           "create a token (varve token create), or set server.insecure = true"});
  }
  if (front_.draining()) {
    if (auto no = Front::refusal_while_draining(ours)) return std::move(*no);
  }
  HttpResponse refused;
  const Route* const route = router_.find(ours, refused);
  if (route != nullptr) family = route->family;
  if (auto no = refuse_caller(*guard_, route, request, ours)) return std::move(*no);
  if (route == nullptr) return refused;
  HttpResponse response = route->handler(ours);
  const bool reads = ours.caller.role != Role::kWrite && !ours.caller.tables;
  if (route->access == Access::kProbe && !reads) hide_probe(response);
  if (route->access == Access::kAdmin && ours.method != "GET") {
    log_audit(ours.caller.name, ours.client,
              fmt::format("{} {}: {}", ours.method, ours.path, response.status));
  }
  return response;
}

HttpResponse HttplibServer::respond(const Request& request, HttpRequest& ours, std::string& family) {
  try {
    const HttpError wrong = refusal(request, front_.allows_origin(ours.origin));
    if (!wrong.code.empty()) return error_response(wrong);
    if (auto allowed = front_.preflight(ours)) return std::move(*allowed);
    return dispatch(request, ours, family);
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
  request_metrics_.count(family, answer.status, real_clock().monotonic_ns() - begin);
  to_response(front_.finish(ours, std::move(answer), begin), response);
}

BodyRead HttplibServer::read_body(const Request& request, const Response& response,
                                  const httplib::ContentReader* reader, std::string& body, size_t& taken) {
  if (reader == nullptr) return BodyRead::kOk;
  if (request.is_multipart_form_data()) return BodyRead::kUnsupported;
  // Known before the first byte; the library would read it all first.
  if (request.get_header_value_u64("Content-Length") > kBodyBytesMax) return BodyRead::kTooLarge;
  // Growing step by step would copy megabytes; what never comes is never touched, so it costs no memory.
  body.reserve(std::min<size_t>(request.get_header_value_u64("Content-Length"), kBodyReserveBytesMax));
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

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const HttpOptions& options, MetricsRegistry& metrics) {
  auto server = std::make_unique<HttplibServer>(metrics);
  VARVE_TRY(server->bind(options));
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace varve
