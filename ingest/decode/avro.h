// Avro messages to rows: a record a message, read by the schema it was written with.
//   0x00, 4-byte big-endian id, data            Confluent framing; the schema is the registry's of that id
//   C3 01, 8-byte little-endian CRC-64-AVRO, data   single-object encoding; the schema is one of `avro_schemas`
// nested records        flatten with "_"; a union is the branch it has, null is absent
// boolean, int, long    bool, int64; float and double are double; string, enum and uuid are strings
// decimal               a double, rounded to nearest; a tag's text has every digit
// timestamp-*, date     the row's time in their own unit when time_format is "auto"; else the number they are
// Refused, besides what row_mapper.h says:
//   unsupported_value  an array, a map, or bytes that are no decimal
//   out_of_range       a decimal of more than 16 bytes        invalid_utf8   a string that is none
//   malformed_avro     data that ends early, goes on, or says what its schema has not
//   too_deep           records within records                  too_many_fields
//   unknown_framing    neither of the two                      unknown_schema  no such id, or fingerprint
//   bad_schema         the registry's answer cannot be read   not_a_record    the schema is of something else
//   unsupported_schema Protobuf or JSON Schema                 empty_message, message_too_large
//   schema_unavailable decode() without prepare()
// prepare() is kUnavailable while the registry cannot be asked.
// Why not libavro: its C library loses logical types when it re-serialises a schema, bounds schemas to 64 KiB and
// allocates by counts from the wire; what a row needs of Avro is small.
// Threads: a decoder keeps scratch memory; one thread at a time.
// Source: Apache Avro 1.11 specification, "Binary Encoding", "Single-object encoding"; Confluent's wire format.
#pragma once

#include <memory>

#include "ingest/decode/decoder.h"
#include "ingest/decode/schema_source.h"

namespace varve {

// kNotFound, kInvalidArgument naming a file of `avro_schemas` that cannot be used; kInvalidArgument for a bad URL, or
// when there is neither a registry nor a file.
Result<std::unique_ptr<Decoder>> make_avro_decoder(const DecodeMapping& mapping);
// With a source of the caller's in place of the registry; null = none.
Result<std::unique_ptr<Decoder>> make_avro_decoder(const DecodeMapping& mapping,
                                                   std::unique_ptr<SchemaSource> registry);

}  // namespace varve
