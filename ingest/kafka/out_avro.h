// Stored rows as Avro messages of [[kafka_out]] with format = "avro". A record a row, of one schema a table:
//   {"type":"record","name":TABLE,"namespace":"varve.DATABASE","fields":[
//     {"name":"time","type":{"type":"long","logicalType":"timestamp-nanos"}},
//     {"name":TAG,"type":["null","string"],"default":null} ...,
//     {"name":FIELD,"type":["null","double"|"long"|"boolean"|"string"],"default":null} ...]}
// in the order in which the table got its columns. A column more, or one that widens from long to double, makes a new
// schema that readers of the old one can resolve. What an Avro name may not contain becomes "_" (a number is added when
// that name is taken); the column's own name is then the field's "doc".
// With a registry:  00, 4-byte big-endian id, data (Confluent framing). Subject TOPIC-value where a topic has one table
//                   of database varve, else TOPIC-varve.DATABASE.TABLE; registered when the first row needs it.
// Without:          C3 01, 8-byte little-endian CRC-64-AVRO, data (single-object encoding); schema() goes with each
//                   message as header avro.schema.
// Errors:  open: a URL that is none. begin: kUnavailable, kInvalidArgument: the registry is away, or refuses the schema.
// Threads: one at a time.
// Source: Apache Avro 1.12 specification, "Binary Encoding", "Single-object encoding"; Confluent's wire format and
//   Schema Registry API reference, POST /subjects/SUBJECT/versions.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ingest/http_client.h"
#include "storage/engine.h"

namespace varve {

struct OutAvroOptions {
  std::string registry;            // URL; empty = single-object encoding
  std::string registry_auth;       // "user:password"; empty = none
  bool one_table_a_topic = false;  // the topic's name tells the table
};

class OutAvro {
 public:
  static Result<std::unique_ptr<OutAvro>> open(OutAvroOptions options, const Engine& engine);

  // The rows to come are of this batch, which is borrowed.
  Result<void> begin(const std::string& topic, const RowBatch& batch);
  void write(size_t row, std::string& value) const;  // overwrites `value`
  // What a reader needs beside the messages; empty = the registry has it.
  const std::string& schema() const { return shown_schema_; }

 private:
  struct Column {
    std::string name;
    std::string avro_name;
    ColumnKind kind = ColumnKind::kField;
    FieldType type = FieldType::kString;
  };
  struct TableSchema {
    std::vector<Column> columns;  // without time
    std::string json;
    uint64_t fingerprint = 0;
    std::map<std::string, uint32_t> ids;  // by subject
  };
  struct Source {  // of a column's values in the batch; neither: no row has it
    const TagColumn* tag = nullptr;
    const FieldColumn* field = nullptr;
    FieldType type = FieldType::kString;  // as written
  };

  OutAvro(OutAvroOptions options, const Engine& engine, std::unique_ptr<HttpClient> client)
      : options_(std::move(options)), engine_(engine), client_(std::move(client)) {}
  static bool knows(const TableSchema& table, const RowBatch& batch);
  Result<void> learn(TableSchema& table, const RowBatch& batch);
  static void add_column(TableSchema& table, const std::string& name, ColumnKind kind, FieldType type);
  Result<uint32_t> register_schema(const std::string& subject, const std::string& schema);

  const OutAvroOptions options_;
  const Engine& engine_;
  const std::unique_ptr<HttpClient> client_;                           // null without a registry
  std::map<std::pair<std::string, std::string>, TableSchema> tables_;  // by database, table
  // Of the batch begun.
  const RowBatch* batch_ = nullptr;
  std::vector<Source> sources_;
  std::string prefix_;
  std::string shown_schema_;
};

}  // namespace varve
