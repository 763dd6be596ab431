#include "api/cli/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <set>

#include "api/cli/config_file.h"
#include "api/cli/config_log.h"
#include "api/cli/config_process.h"
#include "api/cli/config_reader.h"
#include "api/cli/config_security.h"
#include "api/cli/config_server.h"
#include "api/cli/config_streams.h"
#include "storage/base/file.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

constexpr uint64_t kFlushRowsMax = 100'000'000;       // the memtable's byte limit comes first (guessed)
constexpr uint64_t kSeriesPerTableMax = 100'000'000;  // each takes some 200 bytes of memory (guessed)
constexpr uint64_t kColumnsPerTableMax = 65'536;      // a segment's index has an entry for each (guessed)
constexpr uint64_t kTablesMax = 1'000'000;            // guessed: each has its own files
constexpr uint64_t kQueryRowsMax = 1'000'000'000;     // guessed
constexpr uint64_t kQueryThreadsMax = 1024;           // far above the cores there are
constexpr uint64_t kQueriesMax = 1024;                // guessed: each may hold a thread
constexpr uint64_t kMirrorLinesMax = 100'000;         // a request of some 20 MB (guessed)
constexpr uint64_t kMirrorRateMax = 1'000'000'000;    // rows a second, above any server
constexpr size_t kSectionsMax = 256;  // of [[kafka]], [[mirror]] and [[kafka_out]]: each has a thread

struct Source {
  const std::string& file;
  KnownKeys* known;
};

Result<void> read_server(const toml::table& table, Source source, ServerConfig& out) {
  ConfigReader reader(table, "server.", source.file, source.known);
  std::string listen = "127.0.0.1:8484";
  reader.text("listen", listen);
  read_security(reader, out);
  read_service(reader, out);
  const Result<ServerConfig> address = parse_listen(listen);
  if (!address) {
    reader.fail("listen", address.error().message);
  } else {
    out.host = address->host;
    out.port = address->port;
  }
  return reader.finish();
}

Result<void> read_storage(const toml::table& table, Source source, EngineOptions& out) {
  ConfigReader reader(table, "storage.", source.file, source.known);
  std::string wal_sync = "group";
  reader.text("data", out.data_directory);
  reader.word("wal_sync", {"group", "each", "relaxed"}, wal_sync);
  reader.count("flush_rows", 1, kFlushRowsMax, out.flush_rows);
  reader.duration("flush_age", false, out.flush_age_ns);
  reader.duration("partition", false, out.partition_ns);
  reader.duration("retention", true, out.retention_ns);
  reader.bytes("memtable_bytes", false, out.memtable_bytes_max);
  reader.bytes("wal_max_bytes", false, out.wal_bytes_max);
  reader.bytes("disk_reserve", true, out.disk_reserve_bytes);
  reader.count("series_per_table", 1, kSeriesPerTableMax, out.series_per_table_max);
  reader.count("columns_per_table", 1, kColumnsPerTableMax, out.columns_per_table_max);
  reader.count("tables_max", 1, kTablesMax, out.tables_max);
  if (out.data_directory.empty()) reader.fail("data", "must name a folder");
  out.wal_sync = wal_sync == "each"      ? WalSync::kEach
                 : wal_sync == "relaxed" ? WalSync::kRelaxed
                                         : WalSync::kGroup;
  const toml::table* const tables = reader.table("tables");
  VARVE_TRY(reader.finish());
  if (tables == nullptr) return {};
  for (const auto& [name, node] : *tables) {
    const std::string table_name(name.str());
    if (!node.is_table()) {
      return invalid_argument(fmt::format("{}: key storage.tables.{}: write it as [storage.tables.{}]",
                                          place_of(&node, source.file), table_name, table_name));
    }
    ConfigReader one(*node.as_table(), "storage.tables." + table_name + ".", source.file, source.known);
    int64_t retention_ns = out.retention_ns;
    one.duration("retention", true, retention_ns);
    VARVE_TRY(one.finish());
    out.table_retention_ns[table_name] = retention_ns;
  }
  return {};
}

// The key a message of make_decoder is about.
std::string_view mapping_key(std::string_view message) {
  if (message.starts_with("time format")) return "time_format";
  for (const std::string_view key :
       {"time", "tags", "fields", "csv_columns", "csv_delimiter", "schema_registry", "avro_schemas"}) {
    if (message.starts_with(key)) return key;
  }
  return "table";
}

// The keys of one format; elsewhere they would say nothing.
void read_csv(ConfigReader& reader, bool is_csv, DecodeMapping& out) {
  std::string delimiter(1, out.csv_delimiter);
  reader.flag("csv_header", out.csv_header);
  reader.texts("csv_columns", out.csv_columns);
  reader.text("csv_delimiter", delimiter);
  if (delimiter.size() != 1) {
    reader.fail("csv_delimiter", "must be one character, such as \",\", \";\" or \"\\t\"");
  } else {
    out.csv_delimiter = delimiter[0];
  }
  if (is_csv) return;
  const DecodeMapping plain;
  const char* const culprit = out.csv_header                             ? "csv_header"
                              : !out.csv_columns.empty()                 ? "csv_columns"
                              : out.csv_delimiter != plain.csv_delimiter ? "csv_delimiter"
                                                                         : nullptr;
  if (culprit != nullptr) reader.fail(culprit, "is for format = \"csv\"");
}

void read_avro(ConfigReader& reader, bool is_avro, DecodeMapping& out) {
  std::string auth_env = "SCHEMA_REGISTRY_AUTH";
  reader.text("schema_registry", out.schema_registry);
  reader.text("schema_registry_auth_env", auth_env);
  reader.texts("avro_schemas", out.avro_schemas);
  if (!is_avro && !out.schema_registry.empty()) reader.fail("schema_registry", "is for format = \"avro\"");
  if (!is_avro && !out.avro_schemas.empty()) reader.fail("avro_schemas", "is for format = \"avro\"");
  if (const char* const auth = auth_env.empty() ? nullptr : std::getenv(auth_env.c_str())) {
    out.schema_registry_auth = auth;
  }
}

Result<KafkaSourceOptions> read_kafka(const toml::table& table, std::string name, const std::string& path,
                                      Source source) {
  ConfigReader reader(table, path, source.file, source.known);
  KafkaSourceOptions out;
  out.name = std::move(name);
  out.mapping.table = "{topic}";
  std::string format = "json";
  reader.text("brokers", out.brokers);
  reader.text("group", out.group);
  reader.texts("topics", out.topics);
  reader.text("start", out.start);
  reader.word("format", {"json", "csv", "line", "avro"}, format);
  reader.text("table", out.mapping.table);
  reader.text("time", out.mapping.time);
  reader.text("time_format", out.mapping.time_format);
  reader.texts("tags", out.mapping.tags);
  reader.texts("fields", out.mapping.fields);
  reader.text_map("properties", out.properties);
  reader.text("dead_letter_topic", out.dead_letter_topic);
  out.mapping.format = format == "line"   ? InputFormat::kLine
                       : format == "csv"  ? InputFormat::kCsv
                       : format == "avro" ? InputFormat::kAvro
                                          : InputFormat::kJson;
  read_csv(reader, format == "csv", out.mapping);
  read_avro(reader, format == "avro", out.mapping);
  read_archive(reader, out.archive);
  if (format == "line" && !reader.has("table")) out.mapping.table = "{measurement}";
  if (format == "line" && reader.has("time"))
    reader.fail("time", "line protocol says this itself; leave the key out");
  if (std::find(out.topics.begin(), out.topics.end(), out.dead_letter_topic) != out.topics.end()) {
    reader.fail("dead_letter_topic",
                "is one of the topics this source reads: it would read its refusals again");
  }
  if (out.brokers.empty()) reader.fail("brokers", "must name at least one HOST:PORT");
  if (out.group.empty()) reader.fail("group", "must not be empty");
  if (out.topics.empty()) reader.fail("topics", "must name at least one topic");
  if (out.start != "earliest" && out.start != "latest" && !parse_timestamp(out.start)) {
    reader.fail("start", fmt::format("\"{}\" is not earliest, latest or an RFC 3339 time", out.start));
  }
  if (auto decoder = make_decoder(out.mapping); !decoder) {
    reader.fail(mapping_key(decoder.error().message), decoder.error().message);
  }
  VARVE_TRY(read_process(reader, path, source.file, source.known, out));
  VARVE_TRY(reader.finish());
  return out;
}

Result<MirrorOptions> read_mirror(const toml::table& table, std::string name, const std::string& path,
                                  Source source) {
  ConfigReader reader(table, path, source.file, source.known);
  MirrorOptions out;
  out.name = std::move(name);
  std::string token_env = "INFLUX_TOKEN";
  uint64_t batch_lines = out.batch_lines;
  reader.text("url", out.url);
  reader.word("version", {"auto", "1", "2", "3"}, out.version);
  reader.text("database", out.database);
  reader.text("org", out.org);
  reader.text("token_env", token_env);
  reader.count("batch_lines", 1, kMirrorLinesMax, batch_lines);
  reader.word("integers", {"float", "int"}, out.integers);
  reader.count("catch_up_rows_per_second", 0, kMirrorRateMax, out.catch_up_rows_per_second);
  reader.texts("tables", out.tables);
  out.batch_lines = batch_lines;
  if (!out.url.starts_with("http://") && !out.url.starts_with("https://")) {
    reader.fail("url", "must begin with http:// or https://");
  }
  if (out.database.empty()) reader.fail("database", "must not be empty");
  if (out.tables.empty()) reader.fail("tables", "must name at least one table, or \"*\"");
  VARVE_TRY(reader.finish());
  if (const char* const token = token_env.empty() ? nullptr : std::getenv(token_env.c_str()))
    out.token = token;
  return out;
}

Result<void> read_query(const toml::table& table, Source source, QueryOptions& out) {
  ConfigReader reader(table, "query.", source.file, source.known);
  uint64_t max_concurrent = out.max_concurrent;
  reader.duration("timeout", false, out.timeout_ns);
  reader.count("max_rows", 1, kQueryRowsMax, out.max_rows);
  reader.bytes("max_memory", false, out.max_memory_bytes);
  reader.bytes("total_memory", false, out.total_memory_bytes);
  reader.count("max_concurrent", 1, kQueriesMax, max_concurrent);
  out.max_concurrent = static_cast<uint32_t>(max_concurrent);
  uint64_t threads = out.threads;
  reader.count("threads", 0, kQueryThreadsMax, threads);
  out.threads = static_cast<uint32_t>(threads);
  return reader.finish();
}

// Two sources of one group on one topic would share their positions and split the partitions between them.
Result<void> check_sources(const Config& config, const std::vector<const toml::table*>& tables,
                           const std::string& file) {
  std::map<std::string, std::string> owner;
  for (size_t i = 0; i < config.kafka.size(); ++i) {
    const KafkaSourceOptions& source = config.kafka[i];
    std::set<std::string> topics(source.topics.begin(), source.topics.end());
    for (const std::string& topic : topics) {
      const auto [entry, is_new] =
          owner.emplace(source.brokers + "\n" + source.group + "\n" + topic, source.name);
      if (is_new) continue;
      return invalid_argument(
          fmt::format("{}: key {}.topics: {} is already read by {} with group {}; give one of them "
                      "another group",
                      place_of(tables[i], file), source.name, topic, entry->second, source.group));
    }
  }
  return {};
}

Result<Config> read_root(const toml::table& root, Source source) {
  static const toml::table kNothing;
  Config config;
  config.storage.data_directory = "./data";
  ConfigReader reader(root, "", source.file);
  const toml::table* const server = reader.table("server");
  const toml::table* const storage = reader.table("storage");
  const toml::table* const query = reader.table("query");
  const toml::table* const log = reader.table("log");
  const std::vector<const toml::table*> kafka = reader.tables("kafka");
  const std::vector<const toml::table*> mirrors = reader.tables("mirror");
  const std::vector<const toml::table*> outs = reader.tables("kafka_out");
  VARVE_TRY(reader.finish());
  if (kafka.size() > kSectionsMax || mirrors.size() > kSectionsMax || outs.size() > kSectionsMax) {
    return invalid_argument(fmt::format("{}: more than {} sections of one kind", source.file, kSectionsMax));
  }
  VARVE_TRY(read_server(server != nullptr ? *server : kNothing, source, config.server));
  VARVE_TRY(read_storage(storage != nullptr ? *storage : kNothing, source, config.storage));
  for (size_t i = 0; i < kafka.size(); ++i) {
    const std::string name = fmt::format("kafka.{}", i);
    VARVE_ASSIGN(auto one, read_kafka(*kafka[i], name, name + ".", source));
    config.kafka.push_back(std::move(one));
  }
  VARVE_TRY(check_sources(config, kafka, source.file));
  for (size_t i = 0; i < mirrors.size(); ++i) {
    const std::string name = fmt::format("mirror.{}", i);
    VARVE_ASSIGN(auto one, read_mirror(*mirrors[i], name, name + ".", source));
    config.mirrors.push_back(std::move(one));
  }
  for (size_t i = 0; i < outs.size(); ++i) {
    const std::string name = fmt::format("kafka_out.{}", i);
    VARVE_ASSIGN(auto one, read_kafka_out(*outs[i], name, name + ".", source.file, source.known));
    config.kafka_outs.push_back(std::move(one));
  }
  VARVE_TRY(check_streams(config, kafka, outs, source.file));
  VARVE_TRY(read_query(query != nullptr ? *query : kNothing, source, config.query));
  VARVE_TRY(read_log(log != nullptr ? *log : kNothing, source.file, source.known, config.log));
  return config;
}

}  // namespace

Result<ServerConfig> parse_listen(std::string_view text) {
  const size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    host = {};
  }
  uint16_t port = 0;
  const std::string_view port_text =
      colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const auto [at, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (host.empty() || error != std::errc() || at != port_text.data() + port_text.size()) {
    return invalid_argument(fmt::format("\"{}\" is not HOST:PORT, e.g. 127.0.0.1:8484 or [::1]:8484", text));
  }
  ServerConfig address;
  address.host = host;
  address.port = port;
  return address;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos);
}

Result<Config> parse_config(std::string_view toml, const std::string& file_name,
                            const std::vector<std::string>& overrides) {
  VARVE_ASSIGN(const toml::table root, parse_config_table(toml, file_name, overrides));
  return read_root(root, {file_name, nullptr});
}

Result<std::string> read_config_text(const std::string& path) {
  if (path.empty()) return std::string();
  return real_file_system().read_all(path);
}

Result<Config> load_config(const std::string& path, const std::vector<std::string>& overrides) {
  VARVE_ASSIGN(const std::string text, read_config_text(path));
  return parse_config(text, path, overrides);
}

Result<KnownKeys> known_config_keys(std::string_view toml) {
  static const std::string kFile = "varve.toml";
  VARVE_ASSIGN(toml::table root, parse_config_table(toml, kFile, {}));
  KnownKeys known;
  const Source source{kFile, &known};
  const auto section = [&](std::string_view name) -> const toml::table& {
    static const toml::table kNothing;
    toml::node* node = root.get(name);
    if (node != nullptr && node->is_array()) node = node->as_array()->get(0);
    return node == nullptr || !node->is_table() ? kNothing : *node->as_table();
  };
  toml::table storage = section("storage");
  toml::table one_table;
  if (const toml::table* const tables = storage["tables"].as_table(); tables != nullptr && !tables->empty()) {
    if (const toml::table* const first = tables->begin()->second.as_table()) one_table = *first;
  }
  storage.insert_or_assign("tables", toml::table{{"NAME", std::move(one_table)}});
  Config config;
  config.storage.data_directory = "./data";
  // Mistakes in values are for parse_config() to tell; sections without what they must name have their keys all the same.
  (void)read_server(section("server"), source, config.server);
  (void)read_storage(storage, source, config.storage);
  (void)read_kafka(section("kafka"), "kafka.0", "kafka.", source);
  (void)read_mirror(section("mirror"), "mirror.0", "mirror.", source);
  (void)read_kafka_out(section("kafka_out"), "kafka_out.0", "kafka_out.", kFile, &known);
  (void)read_query(section("query"), source, config.query);
  (void)read_log(section("log"), kFile, &known, config.log);
  known.erase("storage.tables");
  return known;
}

}  // namespace varve
