#include "ingest/decode/avro_schema.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "ingest/decode/connect_schema.h"
#include "storage/base/clock.h"

namespace varve {

using nlohmann::json;
using Kind = AvroType::Kind;

namespace {

constexpr uint64_t kEmptyFingerprint = 0xC15D213AA4D7A795ULL;  // of the specification

constexpr std::array<std::pair<std::string_view, Kind>, 8> kPrimitives = {{{"null", Kind::kNull},
                                                                           {"boolean", Kind::kBoolean},
                                                                           {"int", Kind::kInt},
                                                                           {"long", Kind::kLong},
                                                                           {"float", Kind::kFloat},
                                                                           {"double", Kind::kDouble},
                                                                           {"bytes", Kind::kBytes},
                                                                           {"string", Kind::kString}}};

std::optional<Kind> primitive(std::string_view name) {
  for (const auto& [text, kind] : kPrimitives) {
    if (text == name) return kind;
  }
  return std::nullopt;
}

std::string text_at(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

int64_t number_at(const json& object, const char* key, int64_t otherwise) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number_integer() ? at->get<int64_t>() : otherwise;
}

constexpr std::array<uint64_t, 256> make_fingerprint_table() {
  std::array<uint64_t, 256> table{};
  for (uint64_t i = 0; i < table.size(); ++i) {
    uint64_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1U) ^ (kEmptyFingerprint & (0 - (value & 1U)));
    table[i] = value;
  }
  return table;
}

bool is_name(std::string_view text) {
  if (text.empty() || (text[0] >= '0' && text[0] <= '9')) return false;
  for (const char c : text) {
    const bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!word) return false;
  }
  return true;
}

void set_logical(const json& schema, AvroType& type) {
  const std::string logical = text_at(schema, "logicalType");
  const auto time = [&](int64_t unit_ns) {
    type.logical = AvroType::Logical::kTime;
    type.unit_ns = unit_ns;
  };
  std::string_view word = logical;
  if (word.starts_with("local-")) word.remove_prefix(6);
  const bool is_bytes = type.kind == Kind::kBytes || type.kind == Kind::kFixed;
  if (type.kind == Kind::kLong && word == "timestamp-millis") return time(kNsPerMs);
  if (type.kind == Kind::kLong && word == "timestamp-micros") return time(kNsPerUs);
  if (type.kind == Kind::kLong && word == "timestamp-nanos") return time(1);
  if (type.kind == Kind::kInt && word == "date") return time(kNsPerDay);
  if (word == "uuid" && type.kind == Kind::kFixed && type.size == 16) type.logical = AvroType::Logical::kUuid;
  if (word == "decimal" && is_bytes) {
    type.logical = AvroType::Logical::kDecimal;
    type.scale = number_at(schema, "scale", 0);
  }
  const std::optional<int64_t> unit = connect_time_unit_ns(text_at(schema, "connect.name"));
  if (logical.empty() && unit && (type.kind == Kind::kLong || type.kind == Kind::kInt)) time(*unit);
}

}  // namespace

class AvroSchemaParser {
 public:
  explicit AvroSchemaParser(AvroSchema& out) : out_(out) {}

  Result<uint32_t> parse_text(std::string_view text, std::string& canonical) {
    if (text.size() > kAvroSchemaBytesMax) {
      return invalid_argument(
          fmt::format("it has {} bytes; a schema may have {}", text.size(), kAvroSchemaBytesMax));
    }
    const json schema = json::parse(text, nullptr, false);
    if (schema.is_discarded()) return invalid_argument("it is not valid JSON");
    return read(schema, "", 1, canonical);
  }

 private:
  // Appends the canonical form of what it reads.
  Result<uint32_t> read(const json& schema, const std::string& space, size_t depth, std::string& canonical) {
    if (depth > kAvroDepthMax) {
      return invalid_argument(fmt::format("its types are nested deeper than {}", kAvroDepthMax));
    }
    if (schema.is_string()) return named(schema.get<std::string>(), space, canonical);
    if (schema.is_array()) return read_union(schema, space, depth, canonical);
    if (!schema.is_object()) return invalid_argument("a type is neither a name, an object nor a union");
    const auto type = schema.find("type");
    if (type == schema.end()) return invalid_argument("an object has no type");
    if (!type->is_string()) return read(*type, space, depth + 1, canonical);
    const std::string word = type->get<std::string>();
    if (word == "record" || word == "error") return read_record(schema, space, depth, canonical);
    if (word == "enum") return read_enum(schema, space, canonical);
    if (word == "fixed") return read_fixed(schema, space, canonical);
    if (word == "array" || word == "map") return read_items(schema, word, space, depth, canonical);
    VARVE_ASSIGN(const uint32_t index, named(word, space, canonical));
    if (primitive(word)) set_logical(schema, out_.types_[index]);
    return index;
  }

  Result<uint32_t> add(Kind kind) {
    if (out_.types_.size() >= kAvroTypesMax) {
      return invalid_argument(fmt::format("it has more than {} types", kAvroTypesMax));
    }
    out_.types_.emplace_back().kind = kind;
    return static_cast<uint32_t>(out_.types_.size() - 1);
  }

  Result<uint32_t> named(const std::string& name, const std::string& space, std::string& canonical) {
    if (const auto kind = primitive(name)) {
      canonical += fmt::format("\"{}\"", name);
      return add(*kind);
    }
    auto at = named_.end();
    if (name.find('.') == std::string::npos && !space.empty()) at = named_.find(space + "." + name);
    if (at == named_.end()) at = named_.find(name);
    if (at == named_.end()) return invalid_argument(fmt::format("there is no type '{}'", name));
    canonical += fmt::format("\"{}\"", at->first);
    return at->second;
  }

  // Registers the name of a definition; `space` becomes the name space of what is within it.
  Result<uint32_t> define(const json& schema, Kind kind, std::string& space, std::string& canonical) {
    const std::string name = text_at(schema, "name");
    const size_t dot = name.rfind('.');
    if (dot != std::string::npos) {
      space = name.substr(0, dot);
    } else if (schema.contains("namespace")) {
      space = text_at(schema, "namespace");
    }
    const std::string simple = dot == std::string::npos ? name : name.substr(dot + 1);
    if (!is_name(simple) || primitive(simple)) {
      return invalid_argument(fmt::format("'{}' cannot name a type", name));
    }
    const std::string full = space.empty() ? simple : space + "." + simple;
    VARVE_ASSIGN(const uint32_t index, add(kind));
    if (!named_.emplace(full, index).second) {
      return invalid_argument(fmt::format("type '{}' is defined twice", full));
    }
    canonical += fmt::format("{{\"name\":\"{}\",\"type\":\"{}\"", full, text_at(schema, "type"));
    return index;
  }

  Result<uint32_t> read_record(const json& schema, std::string space, size_t depth, std::string& canonical) {
    VARVE_ASSIGN(const uint32_t index, define(schema, Kind::kRecord, space, canonical));
    const auto fields = schema.find("fields");
    if (fields == schema.end() || !fields->is_array()) {
      return invalid_argument(fmt::format("record '{}' has no list of fields", text_at(schema, "name")));
    }
    canonical += ",\"fields\":[";
    for (const json& field : *fields) {
      const std::string name = field.is_object() ? text_at(field, "name") : "";
      if (!is_name(name) || !field.contains("type")) {
        return invalid_argument(
            fmt::format("a field of record '{}' has no name or no type", text_at(schema, "name")));
      }
      if (canonical.back() == '}') canonical += ',';
      canonical += fmt::format("{{\"name\":\"{}\",\"type\":", name);
      VARVE_ASSIGN(const uint32_t type, with_context(read(field["type"], space, depth + 1, canonical),
                                                     fmt::format("field '{}'", name)));
      canonical += '}';
      out_.types_[index].names.push_back(name);
      out_.types_[index].types.push_back(type);
    }
    canonical += "]}";
    return index;
  }

  Result<uint32_t> read_enum(const json& schema, std::string space, std::string& canonical) {
    VARVE_ASSIGN(const uint32_t index, define(schema, Kind::kEnum, space, canonical));
    const auto symbols = schema.find("symbols");
    if (symbols == schema.end() || !symbols->is_array()) {
      return invalid_argument(fmt::format("enum '{}' has no list of symbols", text_at(schema, "name")));
    }
    canonical += ",\"symbols\":[";
    for (const json& symbol : *symbols) {
      if (!symbol.is_string() || !is_name(symbol.get<std::string>())) {
        return invalid_argument(fmt::format("a symbol of enum '{}' is no name", text_at(schema, "name")));
      }
      std::vector<std::string>& names = out_.types_[index].names;
      canonical += fmt::format("{}\"{}\"", names.empty() ? "" : ",", symbol.get<std::string>());
      names.push_back(symbol.get<std::string>());
    }
    canonical += "]}";
    return index;
  }

  Result<uint32_t> read_fixed(const json& schema, std::string space, std::string& canonical) {
    VARVE_ASSIGN(const uint32_t index, define(schema, Kind::kFixed, space, canonical));
    const int64_t size = number_at(schema, "size", -1);
    if (size < 0) return invalid_argument(fmt::format("fixed '{}' has no size", text_at(schema, "name")));
    canonical += fmt::format(",\"size\":{}}}", size);
    out_.types_[index].size = static_cast<uint64_t>(size);
    set_logical(schema, out_.types_[index]);
    return index;
  }

  Result<uint32_t> read_items(const json& schema, const std::string& word, const std::string& space,
                              size_t depth, std::string& canonical) {
    const char* const key = word == "map" ? "values" : "items";
    const auto items = schema.find(key);
    if (items == schema.end()) return invalid_argument(fmt::format("{} has no {}", word, key));
    VARVE_ASSIGN(const uint32_t index, add(word == "map" ? Kind::kMap : Kind::kArray));
    canonical += fmt::format("{{\"type\":\"{}\",\"{}\":", word, key);
    VARVE_ASSIGN(const uint32_t type, read(*items, space, depth + 1, canonical));
    canonical += '}';
    out_.types_[index].types.push_back(type);
    return index;
  }

  Result<uint32_t> read_union(const json& schema, const std::string& space, size_t depth,
                              std::string& canonical) {
    VARVE_ASSIGN(const uint32_t index, add(Kind::kUnion));
    canonical += '[';
    for (const json& branch : schema) {
      if (branch.is_array()) return invalid_argument("a union is a branch of a union");
      if (canonical.back() != '[') canonical += ',';
      VARVE_ASSIGN(const uint32_t type, read(branch, space, depth + 1, canonical));
      out_.types_[index].types.push_back(type);
    }
    canonical += ']';
    return index;
  }

  AvroSchema& out_;
  std::map<std::string, uint32_t> named_;  // by full name
};

Result<AvroSchema> AvroSchema::parse(std::string_view text, const std::vector<std::string>& references) {
  AvroSchema schema;
  AvroSchemaParser parser(schema);
  for (const std::string& reference : references) {
    std::string unused;
    VARVE_TRY(with_context(parser.parse_text(reference, unused), "a schema it refers to"));
  }
  VARVE_ASSIGN(schema.root_, parser.parse_text(text, schema.canonical_));
  return schema;
}

uint64_t AvroSchema::fingerprint() const {
  return avro_fingerprint(canonical_);
}

uint64_t avro_fingerprint(std::string_view canonical_form) {
  static constexpr std::array<uint64_t, 256> kTable = make_fingerprint_table();
  uint64_t value = kEmptyFingerprint;
  for (const char c : canonical_form) {
    value = (value >> 8U) ^ kTable[(value ^ static_cast<unsigned char>(c)) & 0xFFU];
  }
  return value;
}

}  // namespace varve
