#include "api/cli/config_streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "ingest/kafka/out_json.h"

namespace varve {
namespace {

constexpr std::string_view kTable = "{table}";
constexpr size_t kTopicBytesMax = 249;  // Kafka's

// A topic's name, once "{table}" has been replaced.
bool is_topic(std::string_view topic) {
  return !topic.empty() && topic.size() <= kTopicBytesMax && topic != "." && topic != ".." &&
         std::all_of(topic.begin(), topic.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' ||
                  c == '_' || c == '-';
         });
}

std::set<std::string> addresses(const std::string& brokers) {
  std::set<std::string> out;
  std::string one;
  for (const char c : brokers + ",") {
    if (c == ' ') continue;
    if (c != ',') {
      one += c;
    } else if (!one.empty()) {
      out.insert(std::move(one));
      one.clear();
    }
  }
  return out;
}

bool share_a_broker(const std::string& a, const std::string& b) {
  const std::set<std::string> of_a = addresses(a);
  const std::set<std::string> of_b = addresses(b);
  return std::any_of(of_a.begin(), of_a.end(), [&](const std::string& one) { return of_b.contains(one); });
}

// Whether rows may be sent to `topic`.
bool writes_to(const KafkaOutOptions& out, const std::string& topic) {
  const size_t at = out.topic.find(kTable);
  if (at == std::string::npos) return out.topic == topic;
  for (const std::string& table : out.tables) {
    if (table != "*" && out_topic(out.topic, table) == topic) return true;
  }
  if (std::find(out.tables.begin(), out.tables.end(), "*") == out.tables.end()) return false;
  const std::string before = out.topic.substr(0, at);
  const std::string after = out.topic.substr(at + kTable.size());
  return topic.size() > before.size() + after.size() && topic.starts_with(before) && topic.ends_with(after);
}

}  // namespace

void read_archive(ConfigReader& reader, ArchiveOptions& out) {
  std::string codec = "deflate";
  reader.text("archive", out.directory);
  reader.bytes("archive_roll_bytes", false, out.roll_bytes);
  reader.duration("archive_roll_age", false, out.roll_age_ns);
  reader.word("archive_codec", {"null", "deflate"}, codec);
  out.codec = codec == "null" ? ArchiveCodec::kNull : ArchiveCodec::kDeflate;
}

Result<KafkaOutOptions> read_kafka_out(const toml::table& table, std::string name, const std::string& path,
                                       const std::string& file, KnownKeys* known) {
  ConfigReader reader(table, path, file, known);
  KafkaOutOptions out;
  out.name = std::move(name);
  reader.text("brokers", out.brokers);
  reader.text("topic", out.topic);
  reader.texts("tables", out.tables);
  reader.text_map("properties", out.properties);
  std::string format = "json";
  std::string auth_env = "SCHEMA_REGISTRY_AUTH";
  reader.word("format", {"json", "avro"}, format);
  reader.text("schema_registry", out.schema_registry);
  reader.text("schema_registry_auth_env", auth_env);
  out.format = format == "avro" ? OutFormat::kAvro : OutFormat::kJson;
  if (format != "avro" && !out.schema_registry.empty()) {
    reader.fail("schema_registry", "is for format = \"avro\"");
  }
  if (const char* const auth = auth_env.empty() ? nullptr : std::getenv(auth_env.c_str())) {
    out.schema_registry_auth = auth;
  }
  if (out.brokers.empty()) reader.fail("brokers", "must name at least one HOST:PORT");
  if (!is_topic(out_topic(out.topic, "table"))) {
    reader.fail("topic",
                fmt::format("\"{}\" is no topic: write letters, digits, \".\", \"_\", \"-\" and at most "
                            "one {{table}}",
                            out.topic));
  }
  if (out.tables.empty()) reader.fail("tables", "must name at least one table, or \"*\"");
  VARVE_TRY(reader.finish());
  return out;
}

Result<void> check_streams(const Config& config, const std::vector<const toml::table*>& sources,
                           const std::vector<const toml::table*>& outs, const std::string& file) {
  std::map<std::string, std::string> folders;
  for (size_t i = 0; i < config.kafka.size(); ++i) {
    const KafkaSourceOptions& source = config.kafka[i];
    if (source.archive.directory.empty()) continue;
    const std::filesystem::path folder = std::filesystem::path(source.archive.directory).lexically_normal();
    const auto [entry, is_new] = folders.emplace((folder / "").lexically_normal().string(), source.name);
    if (is_new) continue;
    return invalid_argument(
        fmt::format("{}: key {}.archive: {} is the archive of {}; give each its own folder",
                    place_of(sources[i], file), source.name, source.archive.directory, entry->second));
  }
  for (size_t i = 0; i < config.kafka_outs.size(); ++i) {
    const KafkaOutOptions& out = config.kafka_outs[i];
    for (const KafkaSourceOptions& source : config.kafka) {
      if (!share_a_broker(out.brokers, source.brokers)) continue;
      for (const std::string& topic : source.topics) {
        if (!topic.starts_with("^") && !writes_to(out, topic)) continue;
        return invalid_argument(
            fmt::format("{}: key {}.topic: {} reads {} from the same brokers, so rows sent there would come "
                        "back for ever; "
                        "choose a topic no source reads",
                        place_of(outs[i], file), out.name, source.name, topic));
      }
    }
  }
  return {};
}

}  // namespace varve
