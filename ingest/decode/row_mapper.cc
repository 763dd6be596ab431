#include "ingest/decode/row_mapper.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

namespace varve {

Result<RowMapper> RowMapper::make(const DecodeMapping& mapping) {
  VARVE_ASSIGN(auto table, parse_table_template(mapping.table));
  VARVE_ASSIGN(auto time, PinnedTime::make(mapping.time_format));
  RowMapper mapper(mapping, std::move(table), std::move(time));
  VARVE_TRY(mapper.read_names(mapping));
  return mapper;
}

Result<void> RowMapper::read_names(const DecodeMapping& mapping) {
  if (mapping.time.empty()) return invalid_argument("time = \"\": name the field that holds the time");
  if (names_message_part(mapping.time)) {
    VARVE_TRY(add_part(mapping.time, Role::kTime, "time"));
  } else {
    time_name_ = mapping.time;
  }
  const bool table_by_field = table_.kind == TableTemplate::Kind::kField;
  if (table_by_field && table_.name == mapping.time) {
    return invalid_argument(fmt::format("'{}' cannot name both the time and the table", mapping.time));
  }
  for (const std::string& tag : mapping.tags) {
    if (names_message_part(tag)) {
      VARVE_TRY(add_part(tag, Role::kTag, "tags"));
      continue;
    }
    const bool is_table = table_by_field && tag == table_.name;
    if (tag == mapping.time || is_table) {
      return invalid_argument(
          fmt::format("tags: '{}' already names the {}", tag, is_table ? "table" : "time"));
    }
    if (tag.empty() || tag == kTimeColumn)
      return invalid_argument(fmt::format("tags: '{}' cannot be a tag", tag));
    tags_.push_back(tag);
  }
  for (const std::string& field : mapping.fields) {
    if (!names_message_part(field)) {
      return invalid_argument(
          fmt::format("fields: '{}': fields of the message's value need no naming; this lists parts of the "
                      "message, such as $key",
                      field));
    }
    VARVE_TRY(add_part(field, Role::kField, "fields"));
  }
  for (const Part& entry : parts_) {
    if (entry.role == Role::kTime) continue;
    const auto same = std::count_if(parts_.begin(), parts_.end(), [&](const Part& other) {
      return other.role != Role::kTime && other.part.column == entry.part.column;
    });
    if (same > 1 || std::find(tags_.begin(), tags_.end(), entry.part.column) != tags_.end()) {
      return invalid_argument(fmt::format("tags: '{}' is named twice, counting fields", entry.part.column));
    }
  }
  return {};
}

Result<void> RowMapper::add_part(const std::string& text, Role role, std::string_view key) {
  using Kind = MessagePart::Kind;
  VARVE_ASSIGN(MessagePart part, with_context(parse_message_part(text), key));
  if (role == Role::kTime) {
    if (part.kind == Kind::kTopic || part.kind == Kind::kPartition || part.kind == Kind::kOffset) {
      return invalid_argument(
          fmt::format("time: '{}' is no time; use $timestamp, $key or $header.NAME", text));
    }
    time_part_ = text;
  }
  parts_.push_back({std::move(part), role, {}});
  return {};
}

RowMapper::Role RowMapper::role_of(std::string_view name) const {
  if (name == time_name_) return Role::kTime;
  if (table_.kind == TableTemplate::Kind::kField && name == table_.name) return Role::kTable;
  return std::find(tags_.begin(), tags_.end(), name) != tags_.end() ? Role::kTag : Role::kField;
}

bool RowMapper::check_name(std::string_view name, Role role) {
  if (name.empty() || name.size() > kNameBytesMax) {
    return refuse("invalid_name", fmt::format("key '{}': a name has 1 to {} bytes",
                                              name.substr(0, kNameBytesMax), kNameBytesMax));
  }
  if (name == kTimeColumn && role != Role::kTime && role != Role::kTable) {
    return refuse(
        "invalid_name",
        fmt::format("'{}' is the name of the time column; rename the key, or set time = \"{}\"", name, name));
  }
  return true;
}

bool RowMapper::add_string(std::string_view name, std::string_view value) {
  if (value.size() > kStringValueBytesMax) {
    return refuse("value_too_long", fmt::format("field '{}' has {} bytes; a string may have {}", name,
                                                value.size(), kStringValueBytesMax));
  }
  add_field(name, FieldType::kString).text = value;
  return true;
}

bool RowMapper::take_text(Role role, std::string_view name, std::string_view text) {
  if (role == Role::kTime) return take_time(name, text);
  if (role == Role::kTable) {
    if (has_table_) return refuse("duplicate_key", fmt::format("key '{}' is given twice", name));
    if (const std::string_view fault = table_name_fault(text); !fault.empty()) {
      return refuse("invalid_name", fmt::format("table '{}': {}", text.substr(0, kNameBytesMax), fault));
    }
    has_table_ = true;
    table_name_ = text;
    return true;
  }
  if (text.size() > kTagValueBytesMax) {
    return refuse("value_too_long", fmt::format("tag '{}' has {} bytes; a tag may have {}", name, text.size(),
                                                kTagValueBytesMax));
  }
  Item& item = items_.emplace_back();
  item.name = name;
  item.is_tag = true;
  item.text = text;
  return true;
}

bool RowMapper::take_time(std::string_view name, std::string_view text) {
  if (has_time_) return refuse("duplicate_key", fmt::format("key '{}' is given twice", name));
  const auto ns = time_.parse(text);
  if (!ns) return refuse("bad_time", fmt::format("field '{}': {}", name, ns.error().message));
  has_time_ = true;
  time_ns_ = *ns;
  return true;
}

bool RowMapper::take_time_ns(std::string_view name, int64_t ns) {
  if (has_time_) return refuse("duplicate_key", fmt::format("key '{}' is given twice", name));
  has_time_ = true;
  time_ns_ = ns;
  return true;
}

bool RowMapper::take_parts(const MessageContext& context) {
  const size_t fields = fields_;
  for (Part& entry : parts_) {
    if (!take_part(entry, context)) return false;
  }
  fields_ = fields;  // a row is not made of its envelope alone
  return true;
}

bool RowMapper::take_part(Part& entry, const MessageContext& context) {
  using Kind = MessagePart::Kind;
  const MessagePart& part = entry.part;
  if (part.kind == Kind::kTimestamp && entry.role == Role::kTime) {
    return take_time_ns(time_part_, context.timestamp_ns);
  }
  if (entry.role == Role::kField &&
      (part.kind == Kind::kPartition || part.kind == Kind::kOffset || part.kind == Kind::kTimestamp)) {
    add_int(part.column, part.kind == Kind::kPartition ? context.partition
                         : part.kind == Kind::kOffset  ? context.offset
                                                       : context.timestamp_ns);
    return true;
  }
  const std::optional<std::string_view> text = part_text(part, context, entry.scratch);
  if (!text) return true;
  if (!simdjson::validate_utf8(text->data(), text->size())) {
    return refuse("invalid_utf8", fmt::format("the message's {} is not valid UTF-8, so it cannot be the "
                                              "column '{}'",
                                              part.kind == Kind::kKey ? "key" : "header", part.column));
  }
  if (entry.role == Role::kField) return add_string(part.column, *text);
  return take_text(entry.role, entry.role == Role::kTime ? time_part_ : part.column, *text);
}

std::string_view RowMapper::table(const MessageContext& context) const {
  if (table_.kind == TableTemplate::Kind::kTopic) return context.topic;
  if (table_.kind == TableTemplate::Kind::kField) return has_table_ ? table_name_ : std::string_view{};
  return table_.name;
}

bool RowMapper::add_row(const MessageContext& context, RowSet& rows) {
  if (!parts_.empty() && !take_parts(context)) return false;
  if (!has_time_) {
    return refuse("no_time", fmt::format("the row has no '{}', which is its time",
                                         time_name_.empty() ? time_part_ : time_name_));
  }
  if (fields_ == 0 && needs_field_)
    return refuse("no_field", "the row has no field: every value is a tag, the time or null");
  const std::string_view table_of_row = table(context);
  if (table_of_row.empty())
    return refuse("no_table", fmt::format("the row has no '{}', which names its table", table_.name));

  std::string_view culprit;
  const auto fill = [&](RowBatchBuilder& builder) {
    for (const Item& item : items_) {
      using Add = RowBatchBuilder::Add;
      const Add outcome = item.is_tag ? builder.tag(item.name, item.text) : fill_field(builder, item);
      if (outcome != Add::kOk) {
        culprit = item.name;
        return outcome;
      }
    }
    return RowBatchBuilder::Add::kOk;
  };
  switch (rows.add_row(database_, table_of_row, time_ns_, fill)) {
    case RowBatchBuilder::Add::kOk:
      return true;
    case RowBatchBuilder::Add::kDuplicate:
      return refuse("duplicate_key",
                    fmt::format("key '{}' is given twice once nested keys are joined", culprit));
    case RowBatchBuilder::Add::kTypeConflict:
      break;
  }
  return refuse("type_conflict",
                fmt::format("field '{}' has another type than in the rows around it", culprit));
}

bool RowMapper::refuse(std::string_view reason, std::string detail) {
  reject_.reason = reason;
  reject_.detail = std::move(detail);
  return false;
}

DecodeReject RowMapper::take_reject() {
  DecodeReject taken = std::move(reject_);
  reject_ = {};
  return taken;
}

}  // namespace varve
