// The HTTP server: binds at start, answers 503 "starting" (but /healthz) until serve() gives it the store.
// The routes are those of the contract; each family lives in its own file (routes.h).
// Limits: bodies, header lines, connections and pauses are bounded by the named constants here and in
// server.cc. Errors: start: kIo naming the address (in use, not ours to bind). Threads: one accepts, workers
// handle one connection each; methods may be called from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/http/front.h"
#include "api/query/query.h"
#include "ingest/kafka/control.h"
#include "ingest/mirror/mirror.h"
#include "ingest/retry.h"
#include "ingest/status.h"
#include "storage/base/clock.h"
#include "storage/base/metrics.h"
#include "storage/catalog/tokens.h"
#include "storage/engine.h"

namespace varve {

struct RouteFacts;  // access.h

// front_door.h
struct DoorLimits {
  size_t connections_max = 4096;          // guessed: some KB each; an idle one makes room for a new one
  size_t connections_per_address = 1024;  // guessed: a proxy has one address for all its clients
  size_t turns = 32;                      // requests that ask, served at once (turns.h)
  // In line for a turn; as long as a query waits for its place (guessed: who has waited longer would rather be told).
  int64_t line_ns = 5 * kNsPerSecond;
};

struct HttpOptions {
  std::string host = "127.0.0.1";
  uint16_t port = 8484;             // 0 = any free one
  bool open_without_tokens = true;  // everything is allowed as long as there is no token
  // While there is no token: Host must be an address or a name without a dot, or the page of another site could reach
  // this machine under a name of its own (DNS rebinding).
  bool only_local_names = false;
  // Both or neither; PEM. tls.h
  std::string tls_certificate = {};
  std::string tls_key = {};
  DoorLimits limits = {};
  size_t live_readers = 256;  // of /api/v1/live; their workers come on top
};

using BackfillIds = std::vector<std::pair<std::string, uint64_t>>;

// What the handlers work on; all of it must outlive stop().
struct HttpServices {
  Engine* engine = nullptr;
  QueryService* queries = nullptr;
  MetricsRegistry* metrics = nullptr;
  std::function<std::vector<SourceStatus>()> sources;
  std::function<std::vector<MirrorStatus>()> mirrors;
  const Clock* clock = &real_clock();
  // An operator's commands to a source (ingest/kafka/control.h); an empty name means the only source.
  std::function<Result<std::vector<MovedPartition>>(const std::string& source, const ResumeRequest&)> resume =
      {};
  std::function<Result<std::vector<MovedPartition>>(const std::string& source, const RewindRequest&)> rewind =
      {};
  const QuarantineRetry* retry = nullptr;  // null = there is nothing to retry with
  // Of the mirror of this name, or, when empty, of all: the names and the ids given.
  std::function<Result<BackfillIds>(const std::string& mirror, const BackfillRequest& request)> backfill = {};
  TokenStore* tokens = nullptr;  // null = there are none
};

class HttpServer {
 public:
  static Result<std::unique_ptr<HttpServer>> start(const HttpOptions& options, MetricsRegistry& metrics);
  virtual ~HttpServer() = default;  // as stop()
  virtual uint16_t port() const = 0;
  virtual void serve(HttpServices services) = 0;       // once
  virtual std::vector<RouteFacts> routes() const = 0;  // after serve()
  // Reads certificate and key again, for the connections to come; kept as they were if they are wrong.
  virtual Result<void> reload_tls() = 0;
  // May be called again while it serves.
  virtual void set_policy(HttpPolicy policy) = 0;
  virtual void set_turns(size_t turns) = 0;  // DoorLimits::turns
  // Ends live streams and answers new requests with 503, but for probes and metrics; what has begun goes on.
  virtual void begin_drain() = 0;
  virtual size_t in_flight() const = 0;  // requests whose answers are not finished, or have not begun
  // Accepts no more and cuts answers still being streamed; returns when no handler runs.
  virtual void stop() = 0;
};

}  // namespace varve
