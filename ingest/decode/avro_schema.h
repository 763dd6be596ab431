// Avro schemas: parsed once, read by many messages; their Parsing Canonical Form and its fingerprint.
// What decoding needs is kept: types, names, symbols, sizes, and the logical types that say how to read a number:
//   timestamp-{millis,micros,nanos} and local-timestamp-*, date      kTime, with the unit
//   decimal (precision is not checked)                               kDecimal, with the scale
//   uuid                                                             kUuid
// and, where there is no logical type, the "connect.name" of a Kafka Connect or Debezium time (connect_schema.h).
// Errors: kInvalidArgument saying what is wrong with the schema; also beyond kAvroSchemaBytesMax, kAvroTypesMax and
//   kAvroDepthMax.
// Threads: immutable once parsed.
// Source: Apache Avro 1.11 specification, "Schema Declaration", "Parsing Canonical Form for Schemas".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"

namespace varve {

constexpr size_t kAvroSchemaBytesMax = 1 << 20;  // guessed: real ones are some KiB
constexpr size_t kAvroTypesMax = 20'000;         // guessed: five times the columns of a row
constexpr size_t kAvroDepthMax = 64;             // as kJsonDepthMax

struct AvroType {
  enum class Kind : uint8_t {
    kNull,
    kBoolean,
    kInt,
    kLong,
    kFloat,
    kDouble,
    kBytes,
    kString,
    kRecord,
    kEnum,
    kArray,
    kMap,
    kUnion,
    kFixed
  };
  enum class Logical : uint8_t { kNone, kTime, kDecimal, kUuid };
  Kind kind = Kind::kNull;
  Logical logical = Logical::kNone;
  int64_t unit_ns = 0;             // of kTime
  int64_t scale = 0;               // of kDecimal
  uint64_t size = 0;               // of kFixed, in bytes
  std::vector<std::string> names;  // of a record's fields, or an enum's symbols
  std::vector<uint32_t> types;     // of a record's fields, or a union's branches
};

class AvroSchema {
 public:
  // `references`: schemas whose named types this one uses, each before those that use it.
  static Result<AvroSchema> parse(std::string_view json, const std::vector<std::string>& references = {});

  const AvroType& root() const { return types_[root_]; }
  const AvroType& type(uint32_t index) const { return types_[index]; }
  const std::string& canonical() const { return canonical_; }
  uint64_t fingerprint() const;  // CRC-64-AVRO of the canonical form

 private:
  friend class AvroSchemaParser;
  std::vector<AvroType> types_;
  uint32_t root_ = 0;
  std::string canonical_;
};

uint64_t avro_fingerprint(std::string_view canonical_form);

}  // namespace varve
