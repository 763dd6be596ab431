#include "ingest/decode/avro.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cstring>
#include <deque>
#include <map>
#include <unordered_map>

#include "ingest/decode/big_decimal.h"
#include "ingest/decode/decimal.h"
#include "ingest/decode/json.h"
#include "ingest/decode/row_mapper.h"
#include "ingest/schema_registry.h"
#include "storage/base/file.h"

namespace varve {
namespace {

constexpr std::string_view kSingleObject("\xC3\x01", 2);
constexpr size_t kFrameBytes = 5;          // magic byte and id
constexpr size_t kSingleObjectBytes = 10;  // marker and fingerprint
constexpr size_t kPlansMax = 1000;         // schemas being read; beyond it they start over (guessed)
constexpr size_t kPathsMax = 2 * kFieldsPerRowMax;

using Kind = AvroType::Kind;
using Logical = AvroType::Logical;
using Role = RowMapper::Role;

// A place in a schema, as a message comes by it: a record's field or a union's branch. Recursive types have as many as
// messages need.
struct PathNode {
  std::string name;  // flattened
  Role role = Role::kField;
  std::vector<std::unique_ptr<PathNode>> children;  // by field or branch
};

struct Plan {
  std::shared_ptr<const AvroSchema> schema;
  std::unique_ptr<PathNode> root = std::make_unique<PathNode>();
  size_t paths = 0;
};

class AvroDecoder : public Decoder {
 public:
  AvroDecoder(RowMapper row, std::unique_ptr<SchemaSource> registry)
      : mapper_(std::move(row)), registry_(std::move(registry)) {}
  void add_schema(std::shared_ptr<const AvroSchema> schema) {
    by_fingerprint_[schema->fingerprint()].schema = std::move(schema);
  }

  Result<void> prepare(std::string_view payload, const MessageContext&) override {
    if (registry_ == nullptr || !is_framed(payload)) return {};
    const auto plan = plan_of(id_of(payload));
    if (!plan && plan.error().code == ErrorCode::kUnavailable) return plan.error();
    return {};
  }
  void decode(std::string_view payload, const MessageContext& context, RowSet& rows,
              std::vector<DecodeReject>& rejects) override;

 private:
  static bool is_framed(std::string_view payload) {
    return payload.size() >= kFrameBytes && payload[0] == '\0';
  }
  static uint32_t id_of(std::string_view payload) {
    uint32_t id = 0;
    for (size_t i = 1; i < kFrameBytes; ++i) id = (id << 8U) | static_cast<unsigned char>(payload[i]);
    return id;
  }
  Result<Plan*> plan_of(uint32_t id);
  Plan* find_plan(std::string_view payload);  // null: refused
  bool decode_row(Plan& plan, const MessageContext& context, RowSet& rows);

  bool read(const AvroType& type, PathNode& path, size_t depth);
  bool read_record(const AvroType& type, PathNode& path, size_t depth);
  bool read_union(const AvroType& type, PathNode& path, size_t depth);
  bool read_value(const AvroType& type, const PathNode& path);
  bool read_whole(const AvroType& type, const PathNode& path);
  bool read_text(const PathNode& path);
  bool read_bytes(const AvroType& type, const PathNode& path);
  PathNode* child(PathNode& path, size_t index, size_t count, const std::string& name, const AvroType& type);

  bool take_varint(int64_t& value);
  bool take_int(int64_t& value);  // of 32 bits
  bool take_bytes(uint64_t count, std::string_view& bytes);
  bool take_length_and_bytes(std::string_view& bytes);
  bool add_whole(const PathNode& path, int64_t value);
  bool add_double(const PathNode& path, double value);
  bool add_text(const PathNode& path, std::string_view text);
  bool malformed(std::string_view what) {
    return mapper_.refuse("malformed_avro", fmt::format("{} at byte {}", what, at_ - begin_));
  }
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  RowMapper mapper_;
  std::unique_ptr<SchemaSource> registry_;
  std::unordered_map<uint32_t, Plan> by_id_;
  std::map<uint64_t, Plan> by_fingerprint_;
  uint32_t last_id_ = 0;
  Plan* last_plan_ = nullptr;  // of last_id_

  // Of the message being read.
  const char* begin_ = nullptr;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  Plan* plan_ = nullptr;
  size_t keys_ = 0;
  std::deque<std::string> texts_;  // that the row's tags point into
};

Result<Plan*> AvroDecoder::plan_of(uint32_t id) {
  if (last_plan_ != nullptr && last_id_ == id) return last_plan_;
  auto at = by_id_.find(id);
  if (at == by_id_.end()) {
    VARVE_ASSIGN(auto schema, registry_->find(id));
    if (by_id_.size() >= kPlansMax) by_id_.clear();
    at = by_id_.try_emplace(id).first;
    at->second.schema = std::move(schema);
  }
  last_id_ = id;
  last_plan_ = &at->second;
  return last_plan_;
}

Plan* AvroDecoder::find_plan(std::string_view payload) {
  if (payload.starts_with(kSingleObject) && payload.size() >= kSingleObjectBytes) {
    uint64_t fingerprint = 0;
    for (size_t i = kSingleObjectBytes; i-- > kSingleObject.size();) {
      fingerprint = (fingerprint << 8U) | static_cast<unsigned char>(payload[i]);
    }
    const auto at = by_fingerprint_.find(fingerprint);
    if (at != by_fingerprint_.end()) {
      at_ += kSingleObjectBytes;
      return &at->second;
    }
    mapper_.refuse("unknown_schema",
                   fmt::format("no file of avro_schemas has the fingerprint {:016x}", fingerprint));
    return nullptr;
  }
  if (registry_ == nullptr || !is_framed(payload)) {
    mapper_.refuse(
        "unknown_framing",
        payload.starts_with("Obj\x01")
            ? "the message is an Avro file, not a message"
            : fmt::format("the message begins with byte 0x{:02x}; expected {}0xc3 0x01 and a fingerprint",
                          static_cast<unsigned char>(payload[0]),
                          registry_ == nullptr ? "" : "0x00 and a schema's id, or "));
    return nullptr;
  }
  auto plan = plan_of(id_of(payload));
  if (plan) {
    at_ += kFrameBytes;
    return *plan;
  }
  const ErrorCode code = plan.error().code;
  mapper_.refuse(code == ErrorCode::kNotFound      ? "unknown_schema"
                 : code == ErrorCode::kUnavailable ? "schema_unavailable"
                 : code == ErrorCode::kUnsupported ? "unsupported_schema"
                                                   : "bad_schema",
                 plan.error().message);
  return nullptr;
}

void AvroDecoder::decode(std::string_view payload, const MessageContext& context, RowSet& rows,
                         std::vector<DecodeReject>& rejects) {
  if (payload.size() > kMessageBytesMax) {
    rejects.push_back({"message_too_large",
                       fmt::format("{} bytes; a message may have {}", payload.size(), kMessageBytesMax), 0});
    return;
  }
  if (payload.empty()) {
    rejects.push_back({"empty_message", "the payload is empty", 0});
    return;
  }
  begin_ = at_ = payload.data();
  end_ = begin_ + payload.size();
  Plan* const plan = find_plan(payload);
  if (plan == nullptr || !decode_row(*plan, context, rows)) rejects.push_back(mapper_.take_reject());
}

bool AvroDecoder::decode_row(Plan& plan, const MessageContext& context, RowSet& rows) {
  if (plan.paths > kPathsMax) {
    plan.root = std::make_unique<PathNode>();
    plan.paths = 0;
  }
  plan_ = &plan;
  keys_ = 0;
  texts_.clear();
  mapper_.begin_row();
  if (plan.schema->root().kind != Kind::kRecord) {
    return mapper_.refuse("not_a_record", "the schema of the message is not of a record");
  }
  if (!read_record(plan.schema->root(), *plan.root, 1)) return false;
  if (at_ != end_) return malformed("the message goes on after its record");
  return mapper_.add_row(context, rows);
}

bool AvroDecoder::read(const AvroType& type, PathNode& path, size_t depth) {
  switch (type.kind) {
    case Kind::kRecord:
      return read_record(type, path, depth);
    case Kind::kUnion:
      return read_union(type, path, depth);
    case Kind::kNull:
      return true;
    case Kind::kArray:
    case Kind::kMap:
      return mapper_.refuse("unsupported_value",
                            fmt::format("field '{}' is {}; send one value a field", path.name,
                                        type.kind == Kind::kMap ? "a map" : "an array"));
    default:
      return read_value(type, path);
  }
}

bool AvroDecoder::read_record(const AvroType& type, PathNode& path, size_t depth) {
  if (depth > kAvroDepthMax) {
    return mapper_.refuse("too_deep", fmt::format("records are nested deeper than {}", kAvroDepthMax));
  }
  for (size_t i = 0; i < type.types.size(); ++i) {
    if (++keys_ > kFieldsPerRowMax) {
      return mapper_.refuse("too_many_fields", fmt::format("a row may have {} keys", kFieldsPerRowMax));
    }
    const AvroType& field = plan_->schema->type(type.types[i]);
    PathNode* const place = child(path, i, type.types.size(), type.names[i], field);
    if (place == nullptr || !read(field, *place, depth + 1)) return false;
  }
  return true;
}

bool AvroDecoder::read_union(const AvroType& type, PathNode& path, size_t depth) {
  if (depth > kAvroDepthMax) {
    return mapper_.refuse("too_deep", fmt::format("types are nested deeper than {}", kAvroDepthMax));
  }
  int64_t index = 0;
  if (!take_varint(index)) return false;
  if (index < 0 || static_cast<size_t>(index) >= type.types.size()) {
    return malformed(
        fmt::format("field '{}' has branch {} of a union of {}", path.name, index, type.types.size()));
  }
  const AvroType& branch = plan_->schema->type(type.types[static_cast<size_t>(index)]);
  if (branch.kind == Kind::kNull) return true;
  PathNode* const place = child(path, static_cast<size_t>(index), type.types.size(), "", branch);
  return place != nullptr && read(branch, *place, depth + 1);
}

// The place below; a branch has the name of its union.
PathNode* AvroDecoder::child(PathNode& path, size_t index, size_t count, const std::string& name,
                             const AvroType& type) {
  if (path.children.empty()) path.children.resize(count);
  if (path.children[index] != nullptr) return path.children[index].get();
  auto made = std::make_unique<PathNode>();
  made->name = path.name;
  if (!made->name.empty() && !name.empty()) made->name += '_';
  made->name += name;
  made->role = mapper_.role_of(made->name);
  const bool is_column = type.kind != Kind::kRecord && type.kind != Kind::kUnion && type.kind != Kind::kNull;
  if ((is_column || made->name.size() > kNameBytesMax) && !mapper_.check_name(made->name, made->role)) {
    return nullptr;
  }
  ++plan_->paths;
  path.children[index] = std::move(made);
  return path.children[index].get();
}

bool AvroDecoder::read_value(const AvroType& type, const PathNode& path) {
  std::string_view bytes;
  int64_t index = 0;
  switch (type.kind) {
    case Kind::kBoolean: {
      if (!take_bytes(1, bytes)) return false;
      const char truth = bytes[0];
      if (truth != 0 && truth != 1) return malformed(fmt::format("field '{}' is no boolean", path.name));
      if (path.role == Role::kTime) {
        return mapper_.refuse("bad_time", fmt::format("time field '{}' is a boolean", path.name));
      }
      if (path.role != Role::kField)
        return mapper_.take_text(path.role, path.name, truth != 0 ? "true" : "false");
      mapper_.add_bool(path.name, truth != 0);
      return true;
    }
    case Kind::kInt:
    case Kind::kLong:
      return read_whole(type, path);
    case Kind::kFloat: {
      static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
      float value = 0;
      if (!take_bytes(sizeof value, bytes)) return false;
      std::memcpy(&value, bytes.data(), sizeof value);
      return add_double(path, static_cast<double>(value));
    }
    case Kind::kDouble: {
      double value = 0;
      if (!take_bytes(sizeof value, bytes)) return false;
      std::memcpy(&value, bytes.data(), sizeof value);
      return add_double(path, value);
    }
    case Kind::kString:
      return read_text(path);
    case Kind::kEnum:
      if (!take_varint(index)) return false;
      if (index < 0 || static_cast<size_t>(index) >= type.names.size()) {
        return malformed(
            fmt::format("field '{}' has symbol {} of an enum of {}", path.name, index, type.names.size()));
      }
      return add_text(path, type.names[static_cast<size_t>(index)]);
    default:
      return read_bytes(type, path);
  }
}

bool AvroDecoder::read_whole(const AvroType& type, const PathNode& path) {
  int64_t value = 0;
  if (!(type.kind == Kind::kInt ? take_int(value) : take_varint(value))) return false;
  if (path.role == Role::kTime && type.logical == Logical::kTime && mapper_.time_is_open()) {
    int64_t ns = 0;
    if (__builtin_mul_overflow(value, type.unit_ns, &ns)) {
      return mapper_.refuse(
          "bad_time", fmt::format("field '{}': {} is outside 1677-09-21 to 2262-04-11", path.name, value));
    }
    return mapper_.take_time_ns(path.name, ns);
  }
  return add_whole(path, value);
}

bool AvroDecoder::read_text(const PathNode& path) {
  std::string_view text;
  if (!take_length_and_bytes(text)) return false;
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return mapper_.refuse("invalid_utf8", fmt::format("field '{}' is not valid UTF-8", path.name));
  }
  return add_text(path, text);
}

bool AvroDecoder::read_bytes(const AvroType& type, const PathNode& path) {
  std::string_view bytes;
  const bool whole = type.kind == Kind::kFixed ? take_bytes(type.size, bytes) : take_length_and_bytes(bytes);
  if (!whole) return false;
  if (type.logical == Logical::kUuid) {
    std::string text;
    for (size_t i = 0; i < bytes.size(); ++i) {
      if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
      text += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
    }
    return add_text(path, keep(std::move(text)));
  }
  if (type.logical != Logical::kDecimal) {
    return mapper_.refuse("unsupported_value", fmt::format("field '{}' is bytes", path.name));
  }
  auto text = decimal_text(bytes, type.scale);
  if (!text) {
    return mapper_.refuse("out_of_range",
                          fmt::format("field '{}': a decimal has 1 to {} bytes and a scale of 0 to {}",
                                      path.name, kDecimalBytesMax, kDecimalScaleMax));
  }
  if (path.role != Role::kField) return add_text(path, keep(std::move(*text)));
  double number = 0;
  parse_decimal(*text, number);
  return add_double(path, number);
}

bool AvroDecoder::add_whole(const PathNode& path, int64_t value) {
  if (path.role != Role::kField) return mapper_.take_text(path.role, path.name, keep(fmt::to_string(value)));
  mapper_.add_int(path.name, value);
  return true;
}

bool AvroDecoder::add_double(const PathNode& path, double value) {
  if (path.role != Role::kField) return mapper_.take_text(path.role, path.name, keep(fmt::to_string(value)));
  mapper_.add_double(path.name, value);
  return true;
}

bool AvroDecoder::add_text(const PathNode& path, std::string_view text) {
  if (path.role != Role::kField) return mapper_.take_text(path.role, path.name, text);
  return mapper_.add_string(path.name, text);
}

bool AvroDecoder::take_varint(int64_t& value) {
  uint64_t bits = 0;
  for (unsigned shift = 0; at_ != end_; shift += 7) {
    const auto byte = static_cast<unsigned char>(*at_++);
    if (shift == 63 && byte > 1) return malformed("a number of more than 64 bits");
    bits |= static_cast<uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) != 0) continue;
    value = static_cast<int64_t>(bits >> 1U) ^ -static_cast<int64_t>(bits & 1U);
    return true;
  }
  return malformed("the message ends within a number");
}

bool AvroDecoder::take_int(int64_t& value) {
  if (!take_varint(value)) return false;
  return value >= INT32_MIN && value <= INT32_MAX ? true : malformed("an int of more than 32 bits");
}

bool AvroDecoder::take_bytes(uint64_t count, std::string_view& bytes) {
  if (count > static_cast<uint64_t>(end_ - at_)) return malformed("the message ends within a value");
  bytes = {at_, static_cast<size_t>(count)};
  at_ += count;
  return true;
}

bool AvroDecoder::take_length_and_bytes(std::string_view& bytes) {
  int64_t length = 0;
  if (!take_varint(length)) return false;
  return length < 0 ? malformed("a negative length") : take_bytes(static_cast<uint64_t>(length), bytes);
}

}  // namespace

Result<std::unique_ptr<Decoder>> make_avro_decoder(const DecodeMapping& mapping) {
  std::unique_ptr<SchemaSource> registry;
  if (!mapping.schema_registry.empty()) {
    VARVE_ASSIGN(registry,
                 with_context(open_schema_registry({mapping.schema_registry, mapping.schema_registry_auth}),
                              "schema_registry"));
  }
  return make_avro_decoder(mapping, std::move(registry));
}

Result<std::unique_ptr<Decoder>> make_avro_decoder(const DecodeMapping& mapping,
                                                   std::unique_ptr<SchemaSource> registry) {
  if (registry == nullptr && mapping.avro_schemas.empty()) {
    return invalid_argument("schema_registry: avro needs a registry, or files with schemas (avro_schemas)");
  }
  VARVE_ASSIGN(auto mapper, RowMapper::make(mapping));
  auto decoder = std::make_unique<AvroDecoder>(std::move(mapper), std::move(registry));
  for (const std::string& path : mapping.avro_schemas) {
    VARVE_ASSIGN(const std::string text, with_context(real_file_system().read_all(path), "avro_schemas"));
    VARVE_ASSIGN(auto schema, with_context(AvroSchema::parse(text), "avro_schemas: " + path));
    decoder->add_schema(std::make_shared<const AvroSchema>(std::move(schema)));
  }
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace varve
