#include "ingest/kafka/out_avro.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ingest/decode/avro_schema.h"
#include "ingest/decode/printable.h"
#include "ingest/replay/json_text.h"

namespace varve {
namespace {

constexpr int64_t kRequestNs = 5 * kNsPerSecond;  // the sender waits this long at most (guessed)
constexpr size_t kMessageBytesShown = 300;
constexpr std::string_view kContentType = "application/vnd.schemaregistry.v1+json";

static_assert(std::endian::native == std::endian::little, "doubles are written as they lie in memory");

std::string avro_name(std::string_view text) {
  std::string name(text);
  for (char& c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
    if (!plain) c = '_';
  }
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) name.insert(name.begin(), '_');
  return name;
}

std::string_view avro_type(FieldType type) {
  switch (type) {
    case FieldType::kDouble:
      return "double";
    case FieldType::kInt64:
      return "long";
    case FieldType::kBool:
      return "boolean";
    case FieldType::kString:
      break;
  }
  return "string";
}

void put_long(std::string& out, int64_t value) {
  uint64_t rest = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  for (; rest >= 0x80; rest >>= 7) out.push_back(static_cast<char>(rest | 0x80));
  out.push_back(static_cast<char>(rest));
}

void put_text(std::string& out, std::string_view text) {
  put_long(out, static_cast<int64_t>(text.size()));
  out += text;
}

void put_double(std::string& out, double value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof bytes);
}

void put_value(std::string& out, const ColumnVector& data, size_t row, FieldType as) {
  switch (data.type) {
    case FieldType::kDouble:
      return put_double(out, data.doubles[row]);
    case FieldType::kInt64:
      if (as == FieldType::kDouble) return put_double(out, static_cast<double>(data.ints[row]));
      return put_long(out, data.ints[row]);
    case FieldType::kBool:
      return out.push_back(data.bools[row] != 0 ? 1 : 0);
    case FieldType::kString:
      return put_text(out, data.strings[row]);
  }
}

std::string full_name(const RowBatch& batch) {
  return fmt::format("varve.{}.{}", avro_name(batch.database), avro_name(batch.table));
}

}  // namespace

Result<std::unique_ptr<OutAvro>> OutAvro::open(OutAvroOptions options, const Engine& engine) {
  std::unique_ptr<HttpClient> client;
  if (!options.registry.empty()) {
    VARVE_ASSIGN(client, HttpClient::open({options.registry, options.registry_auth, kRequestNs}));
  }
  return std::unique_ptr<OutAvro>(new OutAvro(std::move(options), engine, std::move(client)));
}

bool OutAvro::knows(const TableSchema& table, const RowBatch& batch) {
  const auto known = [&](const std::string& name, ColumnKind kind, FieldType type) {
    return std::any_of(table.columns.begin(), table.columns.end(), [&](const Column& column) {
      return column.name == name && column.kind == kind &&
             (column.type == type || (column.type == FieldType::kDouble && type == FieldType::kInt64));
    });
  };
  return std::all_of(
             batch.tags.begin(), batch.tags.end(),
             [&](const TagColumn& tag) { return known(tag.name, ColumnKind::kTag, FieldType::kString); }) &&
         std::all_of(batch.fields.begin(), batch.fields.end(), [&](const FieldColumn& field) {
           return known(field.name, ColumnKind::kField, field.data.type);
         });
}

void OutAvro::add_column(TableSchema& table, const std::string& name, ColumnKind kind, FieldType type) {
  if (kind == ColumnKind::kTime) return;
  for (Column& column : table.columns) {
    if (column.name != name) continue;
    if (column.type == FieldType::kInt64 && type == FieldType::kDouble) column.type = type;
    return;
  }
  const auto taken = [&](const std::string& wanted) {
    return wanted == kTimeColumn ||
           std::any_of(table.columns.begin(), table.columns.end(),
                       [&](const Column& column) { return column.avro_name == wanted; });
  };
  const std::string plain = avro_name(name);
  std::string unique = plain;
  for (int i = 2; taken(unique); ++i) unique = fmt::format("{}_{}", plain, i);
  table.columns.push_back({name, unique, kind, type});
}

// From the table as the store has it, which is ahead of the log: so the schema is the same after a restart.
Result<void> OutAvro::learn(TableSchema& table, const RowBatch& batch) {
  if (const auto info = engine_.describe(batch.database, batch.table)) {
    for (const ColumnInfo& column : info->columns) add_column(table, column.name, column.kind, column.type);
  }
  for (const TagColumn& tag : batch.tags) add_column(table, tag.name, ColumnKind::kTag, FieldType::kString);
  for (const FieldColumn& field : batch.fields) {
    add_column(table, field.name, ColumnKind::kField, field.data.type);
  }
  table.json = fmt::format(R"({{"type":"record","name":"{}","namespace":"varve.{}","fields":[)"
                           R"({{"name":"time","type":{{"type":"long","logicalType":"timestamp-nanos"}}}})",
                           avro_name(batch.table), avro_name(batch.database));
  for (const Column& column : table.columns) {
    table.json += fmt::format(R"(,{{"name":"{}","type":["null","{}"],"default":null)", column.avro_name,
                              avro_type(column.type));
    if (column.avro_name != column.name) {
      table.json += ",\"doc\":";
      append_raw_json_string(table.json, column.name);
    }
    table.json += '}';
  }
  table.json += "]}";
  table.ids.clear();
  VARVE_ASSIGN(const AvroSchema schema, with_context(AvroSchema::parse(table.json),
                                                     fmt::format("the Avro schema of {}", batch.table)));
  table.fingerprint = schema.fingerprint();
  return {};
}

Result<void> OutAvro::begin(const std::string& topic, const RowBatch& batch) {
  TableSchema& table = tables_[{batch.database, batch.table}];
  if (table.json.empty() || !knows(table, batch)) VARVE_TRY(learn(table, batch));
  if (!knows(table, batch)) {  // the store refuses such rows
    return invalid_argument(fmt::format("rows of {} have a column of another type than before", batch.table));
  }
  batch_ = &batch;
  sources_.clear();
  for (const Column& column : table.columns) {
    Source& source = sources_.emplace_back();
    source.type = column.type;
    for (const TagColumn& tag : batch.tags) {
      if (column.kind == ColumnKind::kTag && tag.name == column.name) source.tag = &tag;
    }
    for (const FieldColumn& field : batch.fields) {
      if (column.kind == ColumnKind::kField && field.name == column.name) source.field = &field;
    }
  }
  if (client_ == nullptr) {
    prefix_ = "\xC3\x01";
    for (int shift = 0; shift < 64; shift += 8)
      prefix_.push_back(static_cast<char>(table.fingerprint >> shift));
    shown_schema_ = table.json;
    return {};
  }
  const bool by_topic = options_.one_table_a_topic && batch.database == kDefaultDatabase;
  const std::string subject = by_topic ? topic + "-value" : topic + "-" + full_name(batch);
  auto known = table.ids.find(subject);
  if (known == table.ids.end()) {
    VARVE_ASSIGN(const uint32_t id, register_schema(subject, table.json));
    known = table.ids.emplace(subject, id).first;
  }
  prefix_.assign(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) prefix_.push_back(static_cast<char>(known->second >> shift));
  return {};
}

void OutAvro::write(size_t row, std::string& value) const {
  value = prefix_;
  put_long(value, batch_->times[row]);
  for (const Source& source : sources_) {
    const uint32_t code = source.tag == nullptr ? kAbsentTag : source.tag->codes[row];
    if (code != kAbsentTag && !source.tag->values[code].empty()) {
      put_long(value, 1);
      put_text(value, source.tag->values[code]);
    } else if (source.field != nullptr && source.field->data.is_valid(row)) {
      put_long(value, 1);
      put_value(value, source.field->data, row, source.type);
    } else {
      put_long(value, 0);
    }
  }
}

Result<uint32_t> OutAvro::register_schema(const std::string& subject, const std::string& schema) {
  using nlohmann::json;
  std::string body = "{\"schema\":";
  append_raw_json_string(body, schema);
  body += '}';
  const HttpAnswer answer =
      client_->post(fmt::format("/subjects/{}/versions", url_encoded(subject)), kContentType, body);
  const auto problem = [&](std::string_view why) {
    return fmt::format("the schema registry {}, subject {}: {}", options_.registry, subject, why);
  };
  if (answer.status == 0) return unavailable(problem(answer.text));
  const json told = json::parse(answer.text, nullptr, false);
  if (answer.status == 200 && told.is_object() && told.contains("id") && told["id"].is_number_unsigned() &&
      told["id"].get<uint64_t>() <= UINT32_MAX) {
    return told["id"].get<uint32_t>();
  }
  std::string why;
  if (told.is_object() && told.contains("message") && told["message"].is_string()) {
    why = printable(told["message"].get<std::string>(), kMessageBytesShown);
  }
  if (answer.status == 401 || answer.status == 403)
    why = "it wants other credentials (schema_registry_auth_env)";
  return invalid_argument(problem(fmt::format("status {} {}", answer.status, why)));
}

}  // namespace varve
