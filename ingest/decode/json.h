// JSON messages to rows: an object, an array of objects, or objects one a line (NDJSON).
//   nested objects   flatten with "_": {"gps":{"lat":1}} is the field gps_lat
//   keys in `tags`   become tags: strings as they are, numbers and booleans as their JSON text; "" is an
//   absent tag other scalars    become fields: integers int64, other numbers double, booleans bool, strings
//   string null             is absent, as if the key were not there
// An integer meeting doubles in the same column is widened by the batch and the store; nothing else is
// converted. What a column cannot hold refuses the row, by name, rather than storing something else than was
// sent:
//   unsupported_value  an array                       out_of_range       beyond int64 or double
//   duplicate_key      the same (flattened) name twice invalid_name       empty, too long, or "time" as a
//   field value_too_long     beyond the model's limits      type_conflict      a tag and a field of one name
//   no_time, bad_time  the field `time` names         no_table           the field the table template names
//   no_field           a row without any field        not_an_object      a message or array element that is
//   none
// Kafka Connect's {"schema":{...},"payload":...}, and no other key, is its payload, with the types of its schema
// (connect_schema.h); bad_schema when it cannot be read.
// What refuses the whole message (an array's elements, or lines, before the fault are kept):
//   malformed_json (invalid UTF-8 included), too_deep, too_many_fields, message_too_large,
//   empty_message (an empty payload)
// Threads: a decoder keeps scratch memory; one thread at a time.
#pragma once

#include <memory>

#include "ingest/decode/decoder.h"

namespace varve {

constexpr size_t kMessageBytesMax = 16 << 20;  // brokers allow 1 MiB by default; guessed room above it
constexpr size_t kJsonDepthMax = 64;
constexpr size_t kFieldsPerRowMax = 4096;  // as EngineOptions::columns_per_table_max

Result<std::unique_ptr<Decoder>> make_json_decoder(const DecodeMapping& mapping);

}  // namespace varve
