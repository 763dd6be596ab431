#include <algorithm>
#include <charconv>
#include <cmath>

#include "ingest/decode/line_protocol.h"

namespace varve {
namespace {

// False when `text` has no written form: readers end the line at LF, and take "\" at the end for an escape.
bool append_escaped(std::string& out, std::string_view text, bool escape_equals) {
  if (text.empty() || text.back() == '\\' || text.find('\n') != std::string_view::npos) return false;
  for (const char c : text) {
    if (c == ',' || c == ' ' || (c == '=' && escape_equals)) out.push_back('\\');
    out.push_back(c);
  }
  return true;
}

template <class Number>
void append_number(std::string& out, Number value) {
  char text[32];
  const auto written = std::to_chars(text, text + sizeof text, value);
  out.append(text, static_cast<size_t>(written.ptr - text));
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

bool has_equal_double(int64_t value) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  const auto nearest = static_cast<double>(value);
  return nearest < kTwoTo63 && static_cast<int64_t>(nearest) == value;
}

void append_value(const ColumnVector& data, size_t row, bool integers_as_floats, std::string& out) {
  switch (data.type) {
    case FieldType::kDouble:
      append_number(out, data.doubles[row]);
      break;
    case FieldType::kInt64:
      append_number(out, data.ints[row]);
      if (!integers_as_floats) out.push_back('i');
      break;
    case FieldType::kBool:
      out.append(data.bools[row] != 0 ? "true" : "false");
      break;
    case FieldType::kString:
      append_quoted(out, data.strings[row]);
      break;
  }
}

}  // namespace

LineProtocolWriter::LineProtocolWriter(const RowBatch& batch, bool integers_as_floats)
    : batch_(batch), integers_as_floats_(integers_as_floats) {
  const bool skipped_by_readers =
      !batch.table.empty() && std::string_view("#\t\0\r", 4).find(batch.table[0]) != std::string_view::npos;
  if (skipped_by_readers || !append_escaped(measurement_, batch.table, false)) measurement_.clear();
  for (const TagColumn& column : batch.tags) {
    Tag tag{",", &column, std::vector<std::string>(column.values.size()),
            std::vector<uint8_t>(column.values.size(), 0)};
    if (append_escaped(tag.key, column.name, true)) {
      tag.key.push_back('=');
    } else {
      tag.key.clear();
    }
    tags_.push_back(std::move(tag));
  }
  std::sort(tags_.begin(), tags_.end(),
            [](const Tag& a, const Tag& b) { return a.column->name < b.column->name; });
  for (const FieldColumn& column : batch.fields) {
    Field field{{}, &column};
    if (append_escaped(field.key, column.name, true)) {
      field.key.push_back('=');
    } else {
      field.key.clear();
    }
    fields_.push_back(std::move(field));
  }
}

bool LineProtocolWriter::append_tags(size_t row, std::string& out) {
  for (Tag& tag : tags_) {
    const uint32_t code = tag.column->codes[row];
    if (code == kAbsentTag || tag.column->values[code].empty()) continue;
    if (tag.state[code] == 0) {
      tag.state[code] = append_escaped(tag.values[code], tag.column->values[code], true) ? 1 : 2;
    }
    if (tag.key.empty() || tag.state[code] == 2) return false;
    out.append(tag.key).append(tag.values[code]);
  }
  return true;
}

bool LineProtocolWriter::append(size_t row, std::string& out) {
  const size_t start = out.size();
  out.append(measurement_);
  bool writable = !measurement_.empty() && append_tags(row, out);
  char separator = ' ';
  for (const Field& field : fields_) {
    const ColumnVector& data = field.column->data;
    if (!writable) break;
    if (!data.is_valid(row)) continue;
    if (data.type == FieldType::kDouble && !std::isfinite(data.doubles[row])) {
      ++skipped_values_;
      continue;
    }
    if (field.key.empty()) {
      writable = false;
      break;
    }
    out.push_back(separator);
    out.append(field.key);
    append_value(data, row, integers_as_floats_, out);
    if (integers_as_floats_ && data.type == FieldType::kInt64 && !has_equal_double(data.ints[row]))
      ++rounded_values_;
    separator = ',';
  }
  if (!writable || separator == ' ') {
    out.resize(start);
    return false;
  }
  out.push_back(' ');
  append_number(out, batch_.times[row]);
  out.push_back('\n');
  return true;
}

}  // namespace varve
