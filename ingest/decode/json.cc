#include "ingest/decode/json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <unordered_map>

#include "ingest/decode/big_decimal.h"
#include "ingest/decode/connect_schema.h"
#include "ingest/decode/decimal.h"
#include "ingest/decode/json_shape.h"
#include "ingest/decode/row_mapper.h"

namespace varve {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr size_t kParserBytesAtStart = 64 << 10;    // covers usual messages, so that the parser never grows
constexpr size_t kSlotsMax = 2 * kFieldsPerRowMax;  // keys remembered; streams with ever new keys start over
constexpr uint32_t kRootSlot = UINT32_MAX;

using Role = RowMapper::Role;

// A key at a place of the document, remembered from message to message. Messages of a stream repeat their
// keys in order, so the slot after the last one is tried first, by comparing raw bytes.
struct Slot {
  uint32_t parent = kRootSlot;
  Role role = Role::kField;
  uint64_t last_row = 0;  // the row that had it last, to see duplicates
  ConnectType type;       // of an envelope's schema
  std::string raw_key;    // as written, without quotes
  std::string_view name;  // unescaped and flattened; in names_
};

struct SlotKey {
  uint32_t parent;
  std::string_view raw_key;
  bool operator==(const SlotKey&) const = default;
};
struct OwnedSlotKey {
  uint32_t parent;
  std::string raw_key;
};
struct SlotHash {
  using is_transparent = void;
  size_t operator()(const SlotKey& key) const {
    return std::hash<std::string_view>{}(key.raw_key) ^ (size_t{key.parent} * 0x9E3779B97F4A7C15ULL);
  }
  size_t operator()(const OwnedSlotKey& key) const { return (*this)(SlotKey{key.parent, key.raw_key}); }
};
struct SlotEqual {
  using is_transparent = void;
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return a.parent == b.parent && std::string_view(a.raw_key) == std::string_view(b.raw_key);
  }
};

// An envelope begins with its schema, or its payload; looks no further than the first key.
bool may_be_envelope(std::string_view text) {
  const std::string_view key = trim_json(text.substr(1, 64));
  return text.front() == '{' && (key.starts_with("\"schema\"") || key.starts_with("\"payload\""));
}

class JsonDecoder : public Decoder {
 public:
  explicit JsonDecoder(RowMapper row) : mapper_(std::move(row)) {}

  void decode(std::string_view payload, const MessageContext& context, RowSet& rows,
              std::vector<DecodeReject>& rejects) override;

 private:
  // kRefused: the row is refused and the mapper says why; the message may go on. kBroken: so is the rest of the
  // message. kGivenUp: likewise, and it was told.
  enum class Outcome { kOk, kRefused, kBroken, kGivenUp };
  static Outcome outcome_of(bool taken) { return taken ? Outcome::kOk : Outcome::kRefused; }

  void decode_document(std::string_view text, const MessageContext& context, RowSet& rows,
                       std::vector<DecodeReject>& rejects, uint32_t line);
  Outcome decode_array(ondemand::array& array, const MessageContext& context, RowSet& rows,
                       std::vector<DecodeReject>& rejects, uint32_t line);
  Outcome decode_object(ondemand::document& document, const MessageContext& context, RowSet& rows);
  // Kafka Connect's envelope: what its schema says of the payload's values, then the payload.
  bool is_envelope(ondemand::document& document, std::string_view& schema);
  Outcome decode_envelope(ondemand::document& document, std::string_view schema,
                          const MessageContext& context, RowSet& rows, std::vector<DecodeReject>& rejects,
                          uint32_t line);
  Outcome use_schema(std::string_view schema);
  bool take_typed_number(const Slot& slot,
                         const ondemand::number& number);  // false: nothing special about it
  Outcome read_decimal(const Slot& slot, std::string_view text);
  Outcome check_end(ondemand::document& document);
  void begin_row();
  void forget_slots();
  Outcome read_object(ondemand::object& object, uint32_t parent, size_t depth);
  Outcome read_value(ondemand::value& value, uint32_t slot, size_t depth);
  Outcome read_number(ondemand::value& value, uint32_t slot);
  Outcome read_string(ondemand::value& value, uint32_t slot);
  Outcome read_bool(ondemand::value& value, uint32_t slot);
  Outcome find_slot(ondemand::field& field, uint32_t parent, uint32_t& slot);
  Outcome add_slot(ondemand::field& field, uint32_t parent, std::string_view raw_key, uint32_t& slot);

  void push_reject(std::vector<DecodeReject>& rejects, uint32_t line, std::string_view place = {});
  Outcome refuse(std::string_view reason, std::string detail);
  Outcome broken(simdjson::error_code error);
  std::string_view name(uint32_t slot) const { return slots_[slot].name; }

  RowMapper mapper_;
  ondemand::parser parser_{kMessageBytesMax};
  std::vector<char> buffer_;  // the payload and simdjson's padding
  size_t buffer_bytes_ = 0;   // of them the payload

  std::vector<Slot> slots_;
  std::deque<std::string> names_;  // of the slots
  std::unordered_map<OwnedSlotKey, uint32_t, SlotHash, SlotEqual> slot_by_key_;
  uint32_t next_slot_ = 0;
  uint64_t row_ = 0;  // counts rows begun

  size_t keys_ = 0;
  size_t rejects_of_message_ = 0;

  std::string connect_schema_;  // as text; of the slots there are
  ConnectTypes connect_types_;
  std::deque<std::string> decimal_texts_;  // of the row's tags
};

JsonDecoder::Outcome JsonDecoder::refuse(std::string_view reason, std::string detail) {
  mapper_.refuse(reason, std::move(detail));
  return Outcome::kRefused;
}

JsonDecoder::Outcome JsonDecoder::broken(simdjson::error_code error) {
  refuse("malformed_json", fmt::format("the message is not valid JSON: {}", simdjson::error_message(error)));
  return Outcome::kBroken;
}

// The rest is counted by decode().
void JsonDecoder::push_reject(std::vector<DecodeReject>& rejects, uint32_t line, std::string_view place) {
  DecodeReject reject = mapper_.take_reject();
  if (++rejects_of_message_ > kRejectsPerMessageMax) return;
  reject.line = line;
  reject.detail.insert(0, place);
  rejects.push_back(std::move(reject));
}

void JsonDecoder::decode(std::string_view payload, const MessageContext& context, RowSet& rows,
                         std::vector<DecodeReject>& rejects) {
  if (payload.size() > kMessageBytesMax) {
    rejects.push_back({"message_too_large",
                       fmt::format("{} bytes; a message may have {}", payload.size(), kMessageBytesMax), 0});
    return;
  }
  if (buffer_.size() < payload.size() + simdjson::SIMDJSON_PADDING) {
    buffer_.resize(std::max(2 * payload.size(), kParserBytesAtStart) + simdjson::SIMDJSON_PADDING);
  }
  if (!payload.empty()) std::memcpy(buffer_.data(), payload.data(), payload.size());
  std::memset(buffer_.data() + payload.size(), 0, simdjson::SIMDJSON_PADDING);
  buffer_bytes_ = payload.size();

  const std::string_view text = trim_json({buffer_.data(), payload.size()});
  if (text.empty()) {
    rejects.push_back({"empty_message", "the payload is empty", 0});
    return;
  }
  rejects_of_message_ = 0;
  if (is_one_object_a_line(text)) {
    std::string_view rest(buffer_.data(), payload.size());
    for (uint32_t line = 1; !rest.empty(); ++line) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      const std::string_view object = trim_json(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (!object.empty()) decode_document(object, context, rows, rejects, line);
    }
  } else {
    decode_document(text, context, rows, rejects, 0);
  }
  if (rejects_of_message_ > kRejectsPerMessageMax) {
    rejects.push_back(more_refused(rejects_of_message_ - kRejectsPerMessageMax));
  }
}

// `text` lies in buffer_ and is not empty.
void JsonDecoder::decode_document(std::string_view text, const MessageContext& context, RowSet& rows,
                                  std::vector<DecodeReject>& rejects, uint32_t line) {
  Outcome outcome = Outcome::kOk;
  const size_t offset = static_cast<size_t>(text.data() - buffer_.data());
  ondemand::document document;
  simdjson::error_code error = simdjson::SUCCESS;
  if (parser_.capacity() < text.size()) error = parser_.allocate(std::max(text.size(), kParserBytesAtStart));
  const simdjson::padded_string_view padded(text.data(), text.size(), buffer_.size() - offset);
  if (!error) error = parser_.iterate(padded).get(document);
  std::string_view schema;
  bool envelope = false;
  if (!error && may_be_envelope(text)) {
    envelope = is_envelope(document, schema);
    error = parser_.iterate(padded).get(document);
  }
  if (error) {
    outcome = broken(error);
  } else if (text.front() == '[') {
    ondemand::array array;
    error = document.get_array().get(array);
    outcome = error ? broken(error) : decode_array(array, context, rows, rejects, line);
    if (outcome == Outcome::kOk) outcome = check_end(document);
  } else if (text.front() == '{') {
    if (envelope) {
      outcome = decode_envelope(document, schema, context, rows, rejects, line);
    } else {
      outcome = use_schema({});
      if (outcome == Outcome::kOk) outcome = decode_object(document, context, rows);
    }
  } else {
    const bool scalar =
        text.front() == '"' || is_json_number(text) || text == "true" || text == "false" || text == "null";
    outcome = refuse(scalar ? "not_an_object" : "malformed_json",
                     "the message is neither a JSON object nor an array of objects");
  }
  if (outcome == Outcome::kRefused || outcome == Outcome::kBroken) push_reject(rejects, line);
}

JsonDecoder::Outcome JsonDecoder::decode_object(ondemand::document& document, const MessageContext& context,
                                                RowSet& rows) {
  ondemand::object object;
  begin_row();
  if (const auto error = document.get_object().get(object)) return broken(error);
  Outcome outcome = read_object(object, kRootSlot, 1);
  if (outcome == Outcome::kOk) outcome = check_end(document);
  return outcome == Outcome::kOk ? outcome_of(mapper_.add_row(context, rows)) : outcome;
}

// Leaves the document used up.
bool JsonDecoder::is_envelope(ondemand::document& document, std::string_view& schema) {
  ondemand::object object;
  size_t keys = 0;
  bool fits = !document.get_object().get(object);
  if (fits) {
    for (auto result : object) {
      ondemand::field field;
      ondemand::value value;
      ondemand::json_type type{};
      fits = !std::move(result).get(field) && ++keys <= 2;
      if (!fits) break;
      value = field.value();
      if (value.type().get(type)) {
        fits = false;
      } else if (field.key() == "schema" && type == ondemand::json_type::object) {
        ondemand::object schema_object;
        fits = !value.get_object().get(schema_object) && !schema_object.raw_json().get(schema) &&
               schema.find("\"type\"") != std::string_view::npos;
      } else if (field.key() == "schema") {
        bool is_null = false;
        fits = type == ondemand::json_type::null && !value.is_null().get(is_null) && is_null;
      } else {
        fits = field.key() == "payload" &&
               (type == ondemand::json_type::object || type == ondemand::json_type::array ||
                type == ondemand::json_type::null);
      }
      if (!fits) break;
    }
  }
  return fits && keys == 2;
}

JsonDecoder::Outcome JsonDecoder::decode_envelope(ondemand::document& document, std::string_view schema,
                                                  const MessageContext& context, RowSet& rows,
                                                  std::vector<DecodeReject>& rejects, uint32_t line) {
  if (const Outcome outcome = use_schema(schema); outcome != Outcome::kOk) return outcome;
  ondemand::object envelope;
  if (const auto error = document.get_object().get(envelope)) return broken(error);
  Outcome outcome = Outcome::kOk;
  bool has_row = false;
  for (auto result : envelope) {
    ondemand::field field;
    if (const auto error = std::move(result).get(field)) return broken(error);
    if (field.key() != "payload") continue;
    ondemand::value value = field.value();
    ondemand::object object;
    ondemand::array array;
    ondemand::json_type type{};
    if (const auto error = value.type().get(type)) return broken(error);
    if (type == ondemand::json_type::array) {
      if (const auto error = value.get_array().get(array)) return broken(error);
      outcome = decode_array(array, context, rows, rejects, line);
    } else if (type == ondemand::json_type::object) {
      if (const auto error = value.get_object().get(object)) return broken(error);
      begin_row();
      outcome = read_object(object, kRootSlot, 2);
      has_row = true;
    } else {
      outcome = refuse("empty_message", "the payload of the envelope is null");
    }
    if (outcome != Outcome::kOk) return outcome;
  }
  outcome = check_end(document);
  return outcome == Outcome::kOk && has_row ? outcome_of(mapper_.add_row(context, rows)) : outcome;
}

// Slots carry the types of one schema.
JsonDecoder::Outcome JsonDecoder::use_schema(std::string_view schema) {
  if (schema == connect_schema_) return Outcome::kOk;
  ConnectTypes types;
  if (!schema.empty()) {
    auto parsed = parse_connect_schema(schema);
    if (!parsed) return refuse("bad_schema", "the schema of the envelope: " + parsed.error().message);
    types = std::move(*parsed);
  }
  connect_schema_ = schema;
  connect_types_ = std::move(types);
  forget_slots();
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::decode_array(ondemand::array& array, const MessageContext& context,
                                               RowSet& rows, std::vector<DecodeReject>& rejects,
                                               uint32_t line) {
  size_t index = 0;
  for (auto element : array) {
    ondemand::value value;
    ondemand::object object;
    ondemand::json_type type{};
    if (const auto error = element.get(value)) return broken(error);
    if (const auto error = value.type().get(type)) return broken(error);
    begin_row();
    Outcome outcome = Outcome::kOk;
    if (type != ondemand::json_type::object) {
      outcome = refuse("not_an_object", "it is not a JSON object");
    } else if (const auto error = value.get_object().get(object)) {
      return broken(error);
    } else {
      outcome = read_object(object, kRootSlot, 2);
    }
    if (outcome == Outcome::kOk) outcome = outcome_of(mapper_.add_row(context, rows));
    if (outcome != Outcome::kOk) push_reject(rejects, line, fmt::format("array element {}: ", index));
    if (outcome == Outcome::kBroken) return Outcome::kGivenUp;
    ++index;
  }
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::check_end(ondemand::document& document) {
  const char* place = nullptr;
  if (document.current_location().get(place) == simdjson::OUT_OF_BOUNDS) return Outcome::kOk;
  refuse("malformed_json", "the message goes on after the end of its JSON value; put objects one a line");
  return Outcome::kBroken;
}

void JsonDecoder::forget_slots() {
  slots_.clear();
  slot_by_key_.clear();
  names_.clear();
}

void JsonDecoder::begin_row() {
  if (slots_.size() > kSlotsMax) forget_slots();
  ++row_;
  next_slot_ = 0;
  mapper_.begin_row();
  decimal_texts_.clear();
  keys_ = 0;
}

JsonDecoder::Outcome JsonDecoder::read_object(ondemand::object& object, uint32_t parent, size_t depth) {
  if (depth > kJsonDepthMax) {
    refuse("too_deep", fmt::format("objects are nested deeper than {}", kJsonDepthMax));
    return Outcome::kBroken;
  }
  for (auto result : object) {
    ondemand::field field;
    if (const auto error = std::move(result).get(field)) return broken(error);
    if (++keys_ > kFieldsPerRowMax) {
      refuse("too_many_fields", fmt::format("a row may have {} keys", kFieldsPerRowMax));
      return Outcome::kBroken;
    }
    uint32_t slot = 0;
    if (const Outcome outcome = find_slot(field, parent, slot); outcome != Outcome::kOk) return outcome;
    if (slots_[slot].last_row == row_) {
      return refuse("duplicate_key", fmt::format("key '{}' is given twice", name(slot)));
    }
    slots_[slot].last_row = row_;
    if (const Outcome outcome = read_value(field.value(), slot, depth); outcome != Outcome::kOk)
      return outcome;
  }
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::find_slot(ondemand::field& field, uint32_t parent, uint32_t& slot) {
  const char* raw = field.key().raw();
  const auto left = static_cast<size_t>(buffer_.data() + buffer_bytes_ - raw);
  if (next_slot_ < slots_.size()) {
    const Slot& guess = slots_[next_slot_];
    const size_t bytes = guess.raw_key.size();
    if (guess.parent == parent && bytes < left && raw[bytes] == '"' &&
        std::memcmp(raw, guess.raw_key.data(), bytes) == 0) {
      slot = next_slot_++;
      return Outcome::kOk;
    }
  }
  size_t end = 0;
  while (end < left && raw[end] != '"') end += raw[end] == '\\' ? 2 : 1;
  const std::string_view raw_key(raw, std::min(end, left));
  const auto known = slot_by_key_.find(SlotKey{parent, raw_key});
  if (known != slot_by_key_.end()) {
    slot = known->second;
  } else if (const Outcome outcome = add_slot(field, parent, raw_key, slot); outcome != Outcome::kOk) {
    return outcome;
  }
  next_slot_ = slot + 1;
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::add_slot(ondemand::field& field, uint32_t parent, std::string_view raw_key,
                                           uint32_t& slot) {
  std::string_view key;
  if (const auto error = field.unescaped_key().get(key)) return broken(error);
  std::string full;
  if (parent != kRootSlot) full = fmt::format("{}_", name(parent));
  if (key.empty() || full.size() + key.size() > kNameBytesMax) {
    return refuse("invalid_name", fmt::format("key '{}{}': a name has 1 to {} bytes", full,
                                              key.substr(0, kNameBytesMax), kNameBytesMax));
  }
  full += key;
  const Role role = mapper_.role_of(full);
  if (!mapper_.check_name(full, role)) return Outcome::kRefused;
  slot = static_cast<uint32_t>(slots_.size());
  const auto type = connect_types_.find(full);
  slots_.push_back({parent, role, 0, type == connect_types_.end() ? ConnectType{} : type->second,
                    std::string(raw_key), names_.emplace_back(std::move(full))});
  slot_by_key_.emplace(OwnedSlotKey{parent, std::string(raw_key)}, slot);
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::read_value(ondemand::value& value, uint32_t slot, size_t depth) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return broken(error);
  switch (type) {
    case ondemand::json_type::number:
      return read_number(value, slot);
    case ondemand::json_type::string:
      return read_string(value, slot);
    case ondemand::json_type::boolean:
      return read_bool(value, slot);
    case ondemand::json_type::null: {
      bool is_null = false;
      const auto error = value.is_null().get(is_null);
      return error || !is_null ? broken(error ? error : simdjson::N_ATOM_ERROR) : Outcome::kOk;
    }
    case ondemand::json_type::object: {
      ondemand::object object;
      if (const auto error = value.get_object().get(object)) return broken(error);
      return read_object(object, slot, depth + 1);
    }
    case ondemand::json_type::array:
      break;
  }
  return refuse("unsupported_value",
                fmt::format("field '{}' is an array; send one value a field", name(slot)));
}

JsonDecoder::Outcome JsonDecoder::read_number(ondemand::value& value, uint32_t slot) {
  const std::string_view text = trim_json(value.raw_json_token());
  ondemand::number number;
  if (const auto error = value.get_number().get(number)) {
    if (error != simdjson::NUMBER_ERROR || !is_json_number(text)) return broken(error);
    if (slots_[slot].role == Role::kTime)
      return refuse("bad_time", fmt::format("time '{}' is out of range", text));
    return refuse("out_of_range", fmt::format("field '{}': {} does not fit", name(slot), text));
  }
  if (slots_[slot].type.kind != ConnectType::Kind::kAsWritten && take_typed_number(slots_[slot], number)) {
    return Outcome::kOk;
  }
  const Role role = slots_[slot].role;
  if (role != Role::kField) return outcome_of(mapper_.take_text(role, name(slot), text));
  if (number.get_number_type() == ondemand::number_type::signed_integer) {
    mapper_.add_int(name(slot), number.get_int64());
  } else if (number.get_number_type() == ondemand::number_type::floating_point_number) {
    mapper_.add_double(name(slot), number.get_double());
  } else {
    return refuse("out_of_range",
                  fmt::format("field '{}': {} is more than the largest int64; send it as text or as a "
                              "decimal number",
                              name(slot), text));
  }
  return Outcome::kOk;
}

bool JsonDecoder::take_typed_number(const Slot& slot, const ondemand::number& number) {
  if (number.get_number_type() != ondemand::number_type::signed_integer) return false;
  const int64_t whole = number.get_int64();
  if (slot.type.kind == ConnectType::Kind::kDouble && slot.role == Role::kField) {
    mapper_.add_double(slot.name, static_cast<double>(whole));
    return true;
  }
  int64_t ns = 0;
  return slot.type.kind == ConnectType::Kind::kTime && slot.role == Role::kTime && mapper_.time_is_open() &&
         !__builtin_mul_overflow(whole, slot.type.unit_ns, &ns) && mapper_.take_time_ns(slot.name, ns);
}

JsonDecoder::Outcome JsonDecoder::read_decimal(const Slot& slot, std::string_view text) {
  const auto bytes = from_base64(text);
  const auto decimal = bytes ? decimal_text(*bytes, slot.type.scale) : std::nullopt;
  if (!decimal) {
    return refuse("out_of_range", fmt::format("field '{}': not a decimal of at most {} bytes in base64",
                                              slot.name, kDecimalBytesMax));
  }
  double number = 0;
  if (slot.role != Role::kField) {
    return outcome_of(mapper_.take_text(slot.role, slot.name, decimal_texts_.emplace_back(*decimal)));
  }
  parse_decimal(*decimal, number);
  mapper_.add_double(slot.name, number);
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::read_string(ondemand::value& value, uint32_t slot) {
  std::string_view text;
  if (const auto error = value.get_string().get(text)) return broken(error);
  if (slots_[slot].type.kind == ConnectType::Kind::kDecimal) return read_decimal(slots_[slot], text);
  const Role role = slots_[slot].role;
  if (role == Role::kField) return outcome_of(mapper_.add_string(name(slot), text));
  return outcome_of(mapper_.take_text(role, name(slot), text));
}

JsonDecoder::Outcome JsonDecoder::read_bool(ondemand::value& value, uint32_t slot) {
  bool truth = false;
  if (const auto error = value.get_bool().get(truth)) return broken(error);
  const Role role = slots_[slot].role;
  if (role == Role::kTime) return refuse("bad_time", fmt::format("time field '{}' is a boolean", name(slot)));
  if (role != Role::kField) return outcome_of(mapper_.take_text(role, name(slot), truth ? "true" : "false"));
  mapper_.add_bool(name(slot), truth);
  return Outcome::kOk;
}

}  // namespace

Result<std::unique_ptr<Decoder>> make_json_decoder(const DecodeMapping& mapping) {
  VARVE_ASSIGN(auto mapper, RowMapper::make(mapping));
  return std::unique_ptr<Decoder>(std::make_unique<JsonDecoder>(std::move(mapper)));
}

}  // namespace varve
