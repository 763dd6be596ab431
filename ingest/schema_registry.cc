#include "ingest/schema_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "ingest/decode/printable.h"
#include "ingest/http_client.h"

namespace varve {
namespace {

using nlohmann::json;

// The consumer thread waits this long at most: rebalances and other partitions wait with it (guessed).
constexpr int64_t kRequestNs = 3 * kNsPerSecond;
constexpr int64_t kUnknownForNs =
    10 * kNsPerSecond;  // a schema registered meanwhile is seen after this (guessed)
constexpr int64_t kBackOffNs = kNsPerSecond;
constexpr int64_t kBackOffMaxNs = 30 * kNsPerSecond;
constexpr size_t kSchemasMax =
    10'000;  // kept; beyond it they start over (guessed: large companies have as many)
constexpr size_t kReferencesMax = 100;  // of one schema, in all (guessed)
constexpr size_t kMessageBytesShown = 200;
constexpr std::string_view kAccept = "application/vnd.schemaregistry.v1+json, application/json";

class HttpSchemaRegistry : public SchemaSource {
 public:
  HttpSchemaRegistry(std::string url, std::unique_ptr<HttpClient> client, const Clock& clock)
      : url_(std::move(url)), client_(std::move(client)), clock_(clock) {}

  Result<std::shared_ptr<const AvroSchema>> find(uint32_t id) override {
    const int64_t now = clock_.monotonic_ns();
    const auto known = answers_.find(id);
    if (known != answers_.end() && now < known->second.until_ns) return known->second.schema;
    if (now < next_try_ns_) return unavailable(problem_);
    auto schema = fetch(id);
    if (!schema && schema.error().code == ErrorCode::kUnavailable) {
      back_off_ns_ = std::clamp(2 * back_off_ns_, kBackOffNs, kBackOffMaxNs);
      next_try_ns_ = clock_.monotonic_ns() + back_off_ns_;
      problem_ = schema.error().message;
      return schema;
    }
    back_off_ns_ = 0;
    if (answers_.size() >= kSchemasMax) answers_.clear();
    const bool unknown = !schema && schema.error().code == ErrorCode::kNotFound;
    answers_.insert_or_assign(id, Answer{schema, unknown ? now + kUnknownForNs : INT64_MAX});
    return schema;
  }

 private:
  struct Answer {
    Result<std::shared_ptr<const AvroSchema>> schema;
    int64_t until_ns = 0;
  };

  Result<std::shared_ptr<const AvroSchema>> fetch(uint32_t id) {
    const std::string what = fmt::format("schema {}", id);
    VARVE_ASSIGN(const json answer, ask(fmt::format("/schemas/ids/{}", id), what));
    const std::string type = text_at(answer, "schemaType");
    if (!type.empty() && type != "AVRO") {
      return unsupported(fmt::format("schema {} of {} is of type {}; only Avro is read", id, url_,
                                     printable(type, kMessageBytesShown)));
    }
    std::vector<std::string> references;
    std::set<std::string> seen;
    VARVE_TRY(with_context(add_references(answer, references, seen), what));
    VARVE_ASSIGN(auto schema, with_context(AvroSchema::parse(text_at(answer, "schema"), references),
                                           fmt::format("schema {} of {}", id, url_)));
    return std::make_shared<const AvroSchema>(std::move(schema));
  }

  // Each schema before those that use it.
  Result<void> add_references(const json& answer, std::vector<std::string>& texts,
                              std::set<std::string>& seen) {
    const auto references = answer.find("references");
    if (references == answer.end() || !references->is_array()) return {};
    for (const json& reference : *references) {
      if (!reference.is_object() || !reference.contains("version") ||
          !reference["version"].is_number_integer()) {
        return invalid_argument("a reference of it has no version");
      }
      const std::string path =
          fmt::format("/subjects/{}/versions/{}", url_encoded(text_at(reference, "subject")),
                      reference["version"].get<int64_t>());
      if (!seen.insert(path).second) continue;
      if (seen.size() > kReferencesMax) {
        return invalid_argument(fmt::format("it refers to more than {} schemas", kReferencesMax));
      }
      VARVE_ASSIGN(const json other, ask(path, path));
      VARVE_TRY(add_references(other, texts, seen));
      texts.push_back(text_at(other, "schema"));
    }
    return {};
  }

  // An answer with a schema in it.
  Result<json> ask(const std::string& path, const std::string& what) {
    const HttpAnswer answer = client_->get(path, kAccept);
    const auto away = [&](std::string_view why) {
      return unavailable(fmt::format("the schema registry {}: {}", url_, why));
    };
    if (answer.status == 0) return away(answer.text);
    const json body = json::parse(answer.text, nullptr, false);
    const std::string message = body.is_object() ? text_at(body, "message") : "";
    if (answer.status == 404 && body.is_object() && body.contains("error_code")) {
      return not_found(fmt::format("the schema registry {} has no {}", url_, what));
    }
    if (answer.status == 401 || answer.status == 403) {
      return away(
          fmt::format("status {}: it wants other credentials (schema_registry_auth_env)", answer.status));
    }
    if (answer.status != 200) {
      return away(fmt::format("status {} {}", answer.status, printable(message, kMessageBytesShown)));
    }
    if (!body.is_object() || text_at(body, "schema").empty()) {
      return away("what answers there is no schema registry: an answer without a schema");
    }
    return body;
  }

  static std::string text_at(const json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
  }

  const std::string url_;
  const std::unique_ptr<HttpClient> client_;
  const Clock& clock_;
  std::unordered_map<uint32_t, Answer> answers_;
  int64_t back_off_ns_ = 0;  // since the last answer
  int64_t next_try_ns_ = INT64_MIN;
  std::string problem_;
};

}  // namespace

Result<std::unique_ptr<SchemaSource>> open_schema_registry(SchemaRegistryOptions options,
                                                           const Clock& clock) {
  VARVE_ASSIGN(auto client, HttpClient::open({options.url, std::move(options.user_password), kRequestNs}));
  return std::unique_ptr<SchemaSource>(
      std::make_unique<HttpSchemaRegistry>(std::move(options.url), std::move(client), clock));
}

}  // namespace varve
