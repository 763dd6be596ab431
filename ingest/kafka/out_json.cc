#include "ingest/kafka/out_json.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "ingest/replay/json_text.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == ',' || c == ' ' || c == '=') out.push_back('\\');
    out.push_back(c);
  }
}

void append_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value);
  const std::string_view number(text, static_cast<size_t>(written.ptr - text));
  out += number;
  if (number.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void append_field(std::string& out, const ColumnVector& data, size_t row) {
  switch (data.type) {
    case FieldType::kDouble:
      append_double(out, data.doubles[row]);
      break;
    case FieldType::kInt64:
      out += std::to_string(data.ints[row]);
      break;
    case FieldType::kBool:
      out += data.bools[row] != 0 ? "true" : "false";
      break;
    case FieldType::kString:
      append_raw_json_string(out, data.strings[row]);
      break;
  }
}

void append_name(std::string& out, std::string_view name) {
  out.push_back(',');
  append_raw_json_string(out, name);
  out.push_back(':');
}

// Empty = absent.
std::string_view tag_value(const TagColumn& tag, size_t row) {
  return tag.codes[row] == kAbsentTag ? std::string_view() : tag.values[tag.codes[row]];
}

}  // namespace

OutRows::OutRows(const RowBatch& batch) : batch_(batch) {
  append_escaped(table_, batch.table);
  for (const TagColumn& tag : batch.tags) tags_.push_back(&tag);
  std::sort(tags_.begin(), tags_.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
}

void OutRows::write_key(size_t row, std::string& key) const {
  key = table_;
  for (const TagColumn* tag : tags_) {
    const std::string_view text = tag_value(*tag, row);
    if (text.empty()) continue;
    key.push_back(',');
    append_escaped(key, tag->name);
    key.push_back('=');
    append_escaped(key, text);
  }
}

void OutRows::write_value(size_t row, std::string& value) const {
  value = "{\"time\":\"";
  append_timestamp(value, batch_.times[row]);
  value.push_back('"');
  for (const TagColumn* tag : tags_) {
    const std::string_view text = tag_value(*tag, row);
    if (text.empty()) continue;
    append_name(value, tag->name);
    append_raw_json_string(value, text);
  }
  for (const FieldColumn& field : batch_.fields) {
    if (!field.data.is_valid(row)) continue;
    append_name(value, field.name);
    append_field(value, field.data, row);
  }
  value.push_back('}');
}

std::string out_topic(std::string_view topic_template, std::string_view table) {
  constexpr std::string_view kTable = "{table}";
  std::string topic(topic_template);
  const size_t at = topic.find(kTable);
  if (at == std::string::npos) return topic;
  std::string name(table);
  for (char& c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       c == '.' || c == '_' || c == '-';
    if (!plain) c = '_';
  }
  return topic.replace(at, kTable.size(), name);
}

}  // namespace varve
