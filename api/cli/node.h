// A whole varve in this process, as the configuration says: server, store, mirrors, Kafka sources.
// Errors: start: the first part that cannot start, with everything before it stopped again.
// Threads: start() and stop() on the main thread; the rest from any.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "api/cli/config.h"
#include "api/http/server.h"
#include "ingest/kafka/dead_letter.h"

namespace varve {

size_t turns_for(const QueryOptions& query);  // DoorLimits::turns

class Node {
 public:
  static Result<std::unique_ptr<Node>> start(const Config& config);
  ~Node() { stop(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  uint16_t port() const { return server_->port(); }
  EngineStatus store() const { return engine_->status(); }
  // One line on why the store takes no writes until a restart; empty = it is well. The program should then end.
  std::string failure() const;
  std::vector<SourceStatus> sources() const;
  std::vector<MirrorStatus> mirrors() const;
  // By name; an empty one means the only source. kNotFound naming those there are.
  Result<KafkaSource*> source(const std::string& name) const;

  // The certificate and its key, again; logs how it went. node_security.cc
  void reload_tls();
  // What SIGHUP may change (reload.h): the policy of the server, limits of queries, retention. node_service.cc
  void apply(const Config& fresh);
  // Before stop(): new requests are refused, answers that have begun go on.
  void begin_drain();
  size_t answers_in_flight() const;

  // No more requests, then no more input, then the sinks, then the store: what was accepted is kept.
  void stop();

 private:
  Node() = default;
  Result<void> start_parts(const Config& config);
  void add_ingest_control(HttpServices& services);  // node_control.cc
  Result<BackfillIds> backfill(const std::string& mirror, const BackfillRequest& request);
  static Result<void> check_exposure(const Config& config);  // node_security.cc
  Result<void> open_tokens(const Config& config);
  void say_durability(const EngineOptions& storage);

  MetricsRegistry metrics_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<QueryService> queries_;
  std::vector<std::unique_ptr<Mirror>> mirrors_;
  std::vector<std::unique_ptr<KafkaOut>> kafka_outs_;
  std::vector<std::unique_ptr<KafkaSource>> sources_;
  std::vector<std::unique_ptr<DeadLetterSink>> dead_letters_;
  std::unique_ptr<QuarantineRetry> retry_;
  std::unique_ptr<TokenStore> tokens_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace varve
