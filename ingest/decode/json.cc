#include "ingest/decode/json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "ingest/decode/json_shape.h"
#include "ingest/decode/table_template.h"
#include "ingest/decode/time_format.h"

namespace varve {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr size_t kParserBytesAtStart = 64 << 10;    // covers usual messages, so that the parser never grows
constexpr size_t kSlotsMax = 2 * kFieldsPerRowMax;  // keys remembered; streams with ever new keys start over
constexpr uint32_t kRootSlot = UINT32_MAX;

enum class Role : uint8_t { kField, kTag, kTime, kTable };

// A key at a place of the document, remembered from message to message. Messages of a stream repeat their
// keys in order, so the slot after the last one is tried first, by comparing raw bytes.
struct Slot {
  uint32_t parent = kRootSlot;
  Role role = Role::kField;
  uint64_t last_row = 0;  // the row that had it last, to see duplicates
  std::string raw_key;    // as written, without quotes
  std::string name;       // unescaped and flattened
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

// A tag or field of the row being read. Text points into the parser's memory.
struct Item {
  uint32_t slot = 0;
  bool is_tag = false;
  FieldType type = FieldType::kDouble;
  bool boolean = false;
  union {
    double number = 0;
    int64_t whole;
  };
  std::string_view text;
};

class JsonDecoder : public Decoder {
 public:
  JsonDecoder(const DecodeMapping& mapping, TableTemplate table, TimeParser time_parser)
      : database_(mapping.database),
        table_(std::move(table)),
        time_name_(mapping.time),
        tags_(mapping.tags),
        time_parser_(std::move(time_parser)) {}

  void decode(std::string_view payload, const MessageContext& context, RowSet& rows,
              std::vector<DecodeReject>& rejects) override;

 private:
  // kRefused: the row is refused and reject_ says why; the message may go on. kBroken: so is the rest of the
  // message.
  enum class Outcome { kOk, kRefused, kBroken };

  void decode_document(std::string_view text, const MessageContext& context, RowSet& rows,
                       std::vector<DecodeReject>& rejects, uint32_t line);
  Outcome decode_array(ondemand::document& document, const MessageContext& context, RowSet& rows,
                       std::vector<DecodeReject>& rejects, uint32_t line);
  Outcome check_end(ondemand::document& document);
  void begin_row();
  Outcome read_object(ondemand::object& object, uint32_t parent, size_t depth);
  Outcome read_value(ondemand::value& value, uint32_t slot, size_t depth);
  Outcome read_number(ondemand::value& value, uint32_t slot);
  Outcome read_string(ondemand::value& value, uint32_t slot);
  Outcome read_bool(ondemand::value& value, uint32_t slot);
  Outcome take_time(uint32_t slot, std::string_view text);
  Outcome take_text(uint32_t slot, std::string_view text);  // of a tag, or the table's name
  Outcome find_slot(ondemand::field& field, uint32_t parent, uint32_t& slot);
  Outcome add_slot(ondemand::field& field, uint32_t parent, std::string_view raw_key, uint32_t& slot);
  Role role_of(std::string_view name) const;
  Outcome add_row(const MessageContext& context, RowSet& rows);

  void push_reject(std::vector<DecodeReject>& rejects, uint32_t line);
  Outcome refuse(std::string_view reason, std::string detail);
  Outcome broken(simdjson::error_code error);
  std::string_view name(uint32_t slot) const { return slots_[slot].name; }

  const std::string database_;
  const TableTemplate table_;
  const std::string time_name_;
  const std::vector<std::string> tags_;
  const TimeParser time_parser_;

  ondemand::parser parser_{kMessageBytesMax};
  std::vector<char> buffer_;  // the payload and simdjson's padding
  size_t buffer_bytes_ = 0;   // of them the payload

  std::vector<Slot> slots_;
  std::unordered_map<OwnedSlotKey, uint32_t, SlotHash, SlotEqual> slot_by_key_;
  uint32_t next_slot_ = 0;
  uint64_t row_ = 0;  // counts rows begun

  std::vector<Item> items_;
  bool has_time_ = false;
  int64_t time_ns_ = 0;
  std::string_view table_name_;  // of table template {field:NAME}; empty = not seen
  size_t keys_ = 0;
  size_t fields_ = 0;
  DecodeReject reject_;
  size_t rejects_of_message_ = 0;
};

JsonDecoder::Outcome JsonDecoder::refuse(std::string_view reason, std::string detail) {
  reject_.reason = reason;
  reject_.detail = std::move(detail);
  return Outcome::kRefused;
}

JsonDecoder::Outcome JsonDecoder::broken(simdjson::error_code error) {
  refuse("malformed_json", fmt::format("the message is not valid JSON: {}", simdjson::error_message(error)));
  return Outcome::kBroken;
}

// The rest is counted by decode().
void JsonDecoder::push_reject(std::vector<DecodeReject>& rejects, uint32_t line) {
  if (++rejects_of_message_ > kRejectsPerMessageMax) return;
  reject_.line = line;
  rejects.push_back(std::move(reject_));
  reject_ = {};
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
    rejects.push_back({"empty_message", "the payload is empty or null (a tombstone)", 0});
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
  if (!error) {
    error = parser_.iterate(simdjson::padded_string_view(text.data(), text.size(), buffer_.size() - offset))
                .get(document);
  }
  if (error) {
    outcome = broken(error);
  } else if (text.front() == '[') {
    outcome = decode_array(document, context, rows, rejects, line);
  } else if (text.front() == '{') {
    ondemand::object object;
    begin_row();
    error = document.get_object().get(object);
    outcome = error ? broken(error) : read_object(object, kRootSlot, 1);
    if (outcome == Outcome::kOk) outcome = check_end(document);
    if (outcome == Outcome::kOk) outcome = add_row(context, rows);
  } else {
    const bool scalar =
        text.front() == '"' || is_json_number(text) || text == "true" || text == "false" || text == "null";
    outcome = refuse(scalar ? "not_an_object" : "malformed_json",
                     "the message is neither a JSON object nor an array of objects");
  }
  if (outcome != Outcome::kOk) push_reject(rejects, line);
}

JsonDecoder::Outcome JsonDecoder::decode_array(ondemand::document& document, const MessageContext& context,
                                               RowSet& rows, std::vector<DecodeReject>& rejects,
                                               uint32_t line) {
  ondemand::array array;
  if (const auto error = document.get_array().get(array)) return broken(error);
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
    if (outcome == Outcome::kOk) outcome = add_row(context, rows);
    if (outcome != Outcome::kOk) reject_.detail = fmt::format("array element {}: {}", index, reject_.detail);
    if (outcome == Outcome::kBroken) return outcome;
    if (outcome == Outcome::kRefused) push_reject(rejects, line);
    ++index;
  }
  return check_end(document);
}

JsonDecoder::Outcome JsonDecoder::check_end(ondemand::document& document) {
  const char* place = nullptr;
  if (document.current_location().get(place) == simdjson::OUT_OF_BOUNDS) return Outcome::kOk;
  refuse("malformed_json", "the message goes on after the end of its JSON value; put objects one a line");
  return Outcome::kBroken;
}

void JsonDecoder::begin_row() {
  if (slots_.size() > kSlotsMax) {
    slots_.clear();
    slot_by_key_.clear();
  }
  ++row_;
  next_slot_ = 0;
  items_.clear();
  has_time_ = false;
  table_name_ = {};
  keys_ = 0;
  fields_ = 0;
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
  const Role role = role_of(full);
  if (full == kTimeColumn && role != Role::kTime && role != Role::kTable) {
    return refuse(
        "invalid_name",
        fmt::format("'{}' is the name of the time column; rename the key, or set time = \"{}\"", full, full));
  }
  slot = static_cast<uint32_t>(slots_.size());
  slots_.push_back({parent, role, 0, std::string(raw_key), std::move(full)});
  slot_by_key_.emplace(OwnedSlotKey{parent, std::string(raw_key)}, slot);
  return Outcome::kOk;
}

Role JsonDecoder::role_of(std::string_view name) const {
  if (name == time_name_) return Role::kTime;
  if (table_.kind == TableTemplate::Kind::kField && name == table_.name) return Role::kTable;
  return std::find(tags_.begin(), tags_.end(), name) != tags_.end() ? Role::kTag : Role::kField;
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
  const Role role = slots_[slot].role;
  if (role == Role::kTime) return take_time(slot, text);
  if (role != Role::kField) return take_text(slot, text);
  Item& item = items_.emplace_back();
  ++fields_;
  item.slot = slot;
  if (number.get_number_type() == ondemand::number_type::signed_integer) {
    item.type = FieldType::kInt64;
    item.whole = number.get_int64();
  } else if (number.get_number_type() == ondemand::number_type::floating_point_number) {
    item.number = number.get_double();
  } else {
    return refuse("out_of_range",
                  fmt::format("field '{}': {} is more than the largest int64; send it as text or as a "
                              "decimal number",
                              name(slot), text));
  }
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::read_string(ondemand::value& value, uint32_t slot) {
  std::string_view text;
  if (const auto error = value.get_string().get(text)) return broken(error);
  const Role role = slots_[slot].role;
  if (role == Role::kTime) return take_time(slot, text);
  if (role != Role::kField) return take_text(slot, text);
  if (text.size() > kStringValueBytesMax) {
    return refuse("value_too_long", fmt::format("field '{}' has {} bytes; a string may have {}", name(slot),
                                                text.size(), kStringValueBytesMax));
  }
  Item& item = items_.emplace_back();
  ++fields_;
  item.slot = slot;
  item.type = FieldType::kString;
  item.text = text;
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::read_bool(ondemand::value& value, uint32_t slot) {
  bool truth = false;
  if (const auto error = value.get_bool().get(truth)) return broken(error);
  const Role role = slots_[slot].role;
  if (role == Role::kTime) return refuse("bad_time", fmt::format("time field '{}' is a boolean", name(slot)));
  if (role != Role::kField) return take_text(slot, truth ? "true" : "false");
  Item& item = items_.emplace_back();
  ++fields_;
  item.slot = slot;
  item.type = FieldType::kBool;
  item.boolean = truth;
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::take_time(uint32_t slot, std::string_view text) {
  if (has_time_) return refuse("duplicate_key", fmt::format("key '{}' is given twice", name(slot)));
  const auto ns = time_parser_.parse(text);
  if (!ns) return refuse("bad_time", fmt::format("field '{}': {}", name(slot), ns.error().message));
  has_time_ = true;
  time_ns_ = *ns;
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::take_text(uint32_t slot, std::string_view text) {
  if (slots_[slot].role == Role::kTable) {
    if (!table_name_.empty())
      return refuse("duplicate_key", fmt::format("key '{}' is given twice", name(slot)));
    if (const std::string_view fault = table_name_fault(text); !fault.empty()) {
      return refuse("invalid_name", fmt::format("table '{}': {}", text.substr(0, kNameBytesMax), fault));
    }
    table_name_ = text;
    return Outcome::kOk;
  }
  if (text.size() > kTagValueBytesMax) {
    return refuse("value_too_long", fmt::format("tag '{}' has {} bytes; a tag may have {}", name(slot),
                                                text.size(), kTagValueBytesMax));
  }
  Item& item = items_.emplace_back();
  item.slot = slot;
  item.is_tag = true;
  item.text = text;
  return Outcome::kOk;
}

JsonDecoder::Outcome JsonDecoder::add_row(const MessageContext& context, RowSet& rows) {
  if (!has_time_) return refuse("no_time", fmt::format("the row has no '{}', which is its time", time_name_));
  if (fields_ == 0) return refuse("no_field", "the row has no field: every value is a tag, the time or null");
  std::string_view table = table_.name;
  if (table_.kind == TableTemplate::Kind::kTopic) table = context.topic;
  if (table_.kind == TableTemplate::Kind::kField) table = table_name_;
  if (table.empty())
    return refuse("no_table", fmt::format("the row has no '{}', which names its table", table_.name));

  uint32_t slot = 0;  // of the item at fault
  const auto fill = [&](RowBatchBuilder& builder) {
    for (const Item& item : items_) {
      using Add = RowBatchBuilder::Add;
      const std::string_view column = slots_[item.slot].name;
      Add outcome = Add::kOk;
      if (item.is_tag) {
        outcome = builder.tag(column, item.text);
      } else {
        switch (item.type) {
          case FieldType::kDouble:
            outcome = builder.field_double(column, item.number);
            break;
          case FieldType::kInt64:
            outcome = builder.field_int(column, item.whole);
            break;
          case FieldType::kBool:
            outcome = builder.field_bool(column, item.boolean);
            break;
          case FieldType::kString:
            outcome = builder.field_string(column, item.text);
            break;
        }
      }
      if (outcome != Add::kOk) {
        slot = item.slot;
        return outcome;
      }
    }
    return RowBatchBuilder::Add::kOk;
  };
  switch (rows.add_row(database_, table, time_ns_, fill)) {
    case RowBatchBuilder::Add::kOk:
      return Outcome::kOk;
    case RowBatchBuilder::Add::kDuplicate:
      return refuse("duplicate_key",
                    fmt::format("key '{}' is given twice once nested keys are joined", name(slot)));
    case RowBatchBuilder::Add::kTypeConflict:
      break;
  }
  return refuse("type_conflict",
                fmt::format("field '{}' has another type than in the rows around it", name(slot)));
}

}  // namespace

Result<std::unique_ptr<Decoder>> make_json_decoder(const DecodeMapping& mapping) {
  VARVE_ASSIGN(auto table, parse_table_template(mapping.table));
  VARVE_ASSIGN(auto time_parser, TimeParser::make(mapping.time_format));
  if (mapping.time.empty()) return invalid_argument("time = \"\": name the field that holds the time");
  if (table.kind == TableTemplate::Kind::kField && table.name == mapping.time) {
    return invalid_argument(fmt::format("'{}' cannot name both the time and the table", mapping.time));
  }
  for (const std::string& tag : mapping.tags) {
    const bool is_table = table.kind == TableTemplate::Kind::kField && tag == table.name;
    if (tag == mapping.time || is_table) {
      return invalid_argument(
          fmt::format("tags: '{}' already names the {}", tag, is_table ? "table" : "time"));
    }
    if (tag.empty() || tag == kTimeColumn)
      return invalid_argument(fmt::format("tags: '{}' cannot be a tag", tag));
  }
  return std::unique_ptr<Decoder>(
      std::make_unique<JsonDecoder>(mapping, std::move(table), std::move(time_parser)));
}

}  // namespace varve
