// The configuration file (TOML) as the structs the program runs on. Every key has a default
// (config/varve.toml shows them all). Errors: kInvalidArgument in one line, "FILE:LINE: key kafka.0.topicz:
// unknown key, did you mean topics?"; unknown
//         keys, wrong types, values out of range and contradictions. Keys given by --set say "--set" for
//         FILE:LINE.
// Threads: pure functions (token_env reads the environment).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "api/http/front.h"
#include "api/http/server.h"
#include "api/query/query.h"
#include "ingest/kafka/out_sink.h"
#include "ingest/kafka/source.h"
#include "ingest/mirror/mirror.h"
#include "storage/base/log.h"
#include "storage/engine.h"

namespace varve {

struct ServerConfig {
  std::string host = "127.0.0.1";
  uint16_t port = 8484;
  bool insecure = false;    // listens to other machines without tokens
  bool allow_root = false;  // `varve serve` may run as root
  std::string tls_certificate;
  std::string tls_key;
  DoorLimits limits;
  uint64_t live_readers = 256;  // of /api/v1/live, at a time; each holds a connection and a thread
  int64_t drain_timeout_ns = 10 * kNsPerSecond;  // for answers to finish when the server stops
  HttpPolicy policy = {};
};

struct LogConfig {
  LogFormat format = LogFormat::kConsole;
  LogLevel level = LogLevel::kInfo;
};

struct Config {
  ServerConfig server;
  EngineOptions storage;
  std::vector<KafkaSourceOptions> kafka;
  std::vector<MirrorOptions> mirrors;
  std::vector<KafkaOutOptions> kafka_outs;
  QueryOptions query;
  LogConfig log;
};

// Without a path the defaults hold. `overrides` are KEY=VALUE as after --set: a path like kafka.0.brokers, and a TOML value or, failing that, a
// string.
// An empty path: no file, every key has its default.
Result<std::string> read_config_text(const std::string& path);
Result<Config> load_config(const std::string& path, const std::vector<std::string>& overrides);
Result<Config> parse_config(std::string_view toml, const std::string& file_name,
                            const std::vector<std::string>& overrides);

// Every key the program knows, as "storage.data", "kafka.topics", "storage.tables.NAME.retention", with the value this
// text gives it (of several sections the first), else its default. Durations in ns.
Result<std::map<std::string, std::string>> known_config_keys(std::string_view toml);

// "HOST:PORT", "[::1]:PORT".
Result<ServerConfig> parse_listen(std::string_view text);
bool is_loopback(std::string_view host);

}  // namespace varve
