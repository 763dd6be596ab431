#include "ingest/decode/connect_schema.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "ingest/decode/json.h"
#include "storage/base/clock.h"

namespace varve {
namespace {

using nlohmann::json;

std::string text_at(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

ConnectType type_of(const json& schema) {
  using Kind = ConnectType::Kind;
  const std::string type = text_at(schema, "type");
  const std::string name = text_at(schema, "name");
  if (type == "float" || type == "double") return {.kind = Kind::kDouble};
  if (name == "org.apache.kafka.connect.data.Decimal") {
    ConnectType decimal{.kind = Kind::kDecimal};
    const auto parameters = schema.find("parameters");
    if (parameters != schema.end() && parameters->is_object()) {
      const std::string scale = text_at(*parameters, "scale");
      std::from_chars(scale.data(), scale.data() + scale.size(), decimal.scale);
    }
    return decimal;
  }
  if (const auto unit = connect_time_unit_ns(name)) return {.kind = Kind::kTime, .unit_ns = *unit};
  return {};
}

Result<void> read_struct(const json& schema, const std::string& prefix, size_t depth, ConnectTypes& types) {
  if (depth > kJsonDepthMax) {
    return invalid_argument(fmt::format("its structs are nested deeper than {}", kJsonDepthMax));
  }
  const auto fields = schema.find("fields");
  if (fields == schema.end() || !fields->is_array())
    return invalid_argument("a struct has no list of fields");
  for (const json& field : *fields) {
    const std::string name = field.is_object() ? text_at(field, "field") : "";
    if (name.empty()) return invalid_argument("a field of a struct has no name");
    const std::string full = prefix + name;
    if (text_at(field, "type") == "struct") {
      VARVE_TRY(read_struct(field, full + "_", depth + 1, types));
      continue;
    }
    const ConnectType type = type_of(field);
    if (type.kind != ConnectType::Kind::kAsWritten) types[full] = type;
  }
  return {};
}

}  // namespace

std::optional<int64_t> connect_time_unit_ns(std::string_view name) {
  if (name == "org.apache.kafka.connect.data.Timestamp" || name == "io.debezium.time.Timestamp")
    return kNsPerMs;
  if (name == "org.apache.kafka.connect.data.Date" || name == "io.debezium.time.Date") return kNsPerDay;
  if (name == "io.debezium.time.MicroTimestamp") return kNsPerUs;
  if (name == "io.debezium.time.NanoTimestamp") return 1;
  return std::nullopt;
}

Result<ConnectTypes> parse_connect_schema(std::string_view text) {
  const json schema = json::parse(text, nullptr, false);
  if (!schema.is_object() || text_at(schema, "type").empty()) {
    return invalid_argument("it is no object with a type");
  }
  const json* row = &schema;
  if (text_at(schema, "type") == "array") {
    const auto items = schema.find("items");
    if (items == schema.end() || !items->is_object()) return invalid_argument("an array has no items");
    row = &*items;
  }
  ConnectTypes types;
  if (text_at(*row, "type") == "struct") VARVE_TRY(read_struct(*row, "", 1, types));
  return types;
}

}  // namespace varve
