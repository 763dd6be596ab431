#include "api/cli/node.h"

#include <fmt/format.h>

#include "api/cli/status_tables.h"
#include "storage/base/log.h"
#include "storage/sync_probe.h"

namespace varve {

Result<std::unique_ptr<Node>> Node::start(const Config& config) {
  std::unique_ptr<Node> node(new Node());
  VARVE_TRY(node->start_parts(config));
  return node;
}

// One request runs its query, and the next one is ready when that ends.
size_t turns_for(const QueryOptions& query) {
  return size_t{2} * query.max_concurrent;
}

// Threads of a running node, besides the main one:
//   http      1 acceptor, workers by load (api/http/workers.h), 1 per query being answered
//   store     those of Engine::open (log writer, flusher)
//   mirrors   1 sender each
//   kafka_out 1 sender each, and librdkafka's own
//   dead      1 sender each, of sources with a dead_letter_topic
//   sources   1 consumer each, and librdkafka's own (1 per broker and a few)
Result<void> Node::start_parts(const Config& config) {
  VARVE_TRY(check_exposure(config));
  HttpOptions http{config.server.host, config.server.port};
  http.open_without_tokens = config.server.insecure || is_loopback(config.server.host);
  http.only_local_names = !config.server.insecure && is_loopback(config.server.host);
  http.tls_certificate = config.server.tls_certificate;
  http.tls_key = config.server.tls_key;
  http.limits = config.server.limits;
  http.limits.turns = turns_for(config.query);
  // The port first: if it is taken, nothing else has been touched.
  http.live_readers = config.server.live_readers;
  VARVE_ASSIGN(server_, HttpServer::start(http, metrics_));
  server_->set_policy(config.server.policy);
  EngineOptions storage = config.storage;
  storage.metrics = &metrics_;
  auto engine = Engine::open(std::move(storage));
  if (!engine) {
    if (engine.error().code != ErrorCode::kUnavailable) return std::move(engine.error());
    return unavailable(
        fmt::format("data folder {} is in use by another varve; stop it or choose another storage.data",
                    config.storage.data_directory));
  }
  engine_ = std::move(*engine);
  VARVE_TRY(open_tokens(config));
  queries_ = std::make_unique<QueryService>(*engine_, config.query, metrics_);
  for (const MirrorOptions& options : config.mirrors) {
    VARVE_ASSIGN(auto mirror, with_context(Mirror::start(options, *engine_, metrics_), options.name));
    mirrors_.push_back(std::move(mirror));
  }
  for (const KafkaOutOptions& options : config.kafka_outs) {
    VARVE_ASSIGN(auto out, with_context(KafkaOut::start(options, *engine_, metrics_), options.name));
    kafka_outs_.push_back(std::move(out));
  }
  for (const KafkaSourceOptions& options : config.kafka) {
    VARVE_ASSIGN(auto source, with_context(KafkaSource::start(options, *engine_, metrics_), options.name));
    sources_.push_back(std::move(source));
    if (options.dead_letter_topic.empty()) continue;
    VARVE_ASSIGN(auto sink, with_context(DeadLetterSink::start(options, *engine_, metrics_), options.name));
    dead_letters_.push_back(std::move(sink));
  }
  queries_->add_system_table(ingest_table([this] { return sources(); }));
  queries_->add_system_table(mirror_table([this] { return mirrors(); }));
  retry_ = std::make_unique<QuarantineRetry>(config.kafka, *engine_);
  HttpServices services{engine_.get(), queries_.get(), &metrics_, [this] { return sources(); },
                        [this] { return mirrors(); }};
  services.retry = retry_.get();
  services.tokens = tokens_.get();
  add_ingest_control(services);
  services.backfill = [this](const std::string& mirror, const BackfillRequest& request) {
    return backfill(mirror, request);
  };
  server_->serve(std::move(services));
  say_durability(config.storage);  // takes a tenth of a second, so nothing waits for it
  return {};
}

// What an acknowledgement means here, and what it costs on this disk.
void Node::say_durability(const EngineOptions& storage) {
  constexpr std::string_view kComponent = "store";
  if (storage.wal_sync == WalSync::kRelaxed) {
    log_warn(kComponent,
             "storage.wal_sync = relaxed: writes are acknowledged before they are on disk; a power cut or a "
             "crash of "
             "the machine takes up to the last second of them");
  }
  const auto times = measure_sync(*storage.file_system, *storage.clock, storage.data_directory);
  if (!times) {
    log_warn(kComponent, "the time of a disk sync is unknown: " + times.error().message);
    return;
  }
  constexpr std::string_view kHelp = "Time of one 4 KiB fdatasync, measured at the start.";
  const auto gauge = [&](const char* percentile, int64_t ns) {
    metrics_.gauge("varve_disk_sync_seconds", kHelp, {{"percentile", percentile}})
        .set(static_cast<double>(ns) / kNsPerSecond);
  };
  gauge("50", times->p50_ns);
  gauge("99", times->p99_ns);
  log_info(kComponent, fmt::format("a disk sync of 4 KiB takes {} us, {} us at worst ({} tries)",
                                   times->p50_ns / kNsPerUs, times->p99_ns / kNsPerUs, times->count));
  if (times->suspect()) {
    log_warn(kComponent,
             fmt::format(
                 "the disk of {} answers a sync in {} us, faster than most disks can write: a cache may be "
                 "answering, and a power cut may take acknowledged rows",
                 storage.data_directory, times->p50_ns / kNsPerUs));
  }
}

std::string Node::failure() const {
  const EngineStatus status = engine_->status();
  if (!status.failed) return {};
  return fmt::format(
      "the store has failed and takes no more writes: {}; see to the disk and start varve again, what "
      "was acknowledged is kept",
      status.read_only_reason);
}

std::vector<SourceStatus> Node::sources() const {
  std::vector<SourceStatus> result;
  for (const auto& source : sources_) result.push_back(source->status());
  return result;
}

std::vector<MirrorStatus> Node::mirrors() const {
  std::vector<MirrorStatus> result;
  for (const auto& mirror : mirrors_) result.push_back(mirror->status());
  for (const auto& out : kafka_outs_) result.push_back(out->status());
  return result;
}

Result<BackfillIds> Node::backfill(const std::string& mirror, const BackfillRequest& request) {
  BackfillIds ids;
  for (const auto& one : mirrors_) {
    const std::string name = one->status().name;
    if (!mirror.empty() && name != mirror) continue;
    VARVE_ASSIGN(const uint64_t id, one->backfill(request));
    ids.emplace_back(name, id);
  }
  if (ids.empty()) {
    return not_found(mirror.empty() ? std::string("no mirror is configured")
                                    : fmt::format("there is no mirror '{}'; the first is mirror.0", mirror));
  }
  return ids;
}

void Node::stop() {
  if (server_) server_->stop();
  sources_.clear();
  dead_letters_.clear();
  mirrors_.clear();
  kafka_outs_.clear();
  if (engine_) engine_->close();
}

}  // namespace varve
