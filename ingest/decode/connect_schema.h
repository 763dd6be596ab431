// The schema half of Kafka Connect's JSON envelope, {"schema":{...},"payload":{...}}: what it says about a value that
// its JSON does not.
//   float, double                                      a double, also where the JSON is a whole number
//   org.apache.kafka.connect.data.Timestamp, Date      ms and days since 1970, when they are the row's time
//   org.apache.kafka.connect.data.Decimal              base64 of a decimal: a double, or a tag's text
//   io.debezium.time.{Timestamp,MicroTimestamp,NanoTimestamp,Date}   ms, us, ns, days
// Everything else is as its JSON says.
// Errors: kInvalidArgument when it is no such schema.
// Threads: pure functions.
// Source: Apache Kafka, connect/json JsonConverter and JsonSchema; Debezium's documentation of its time types.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/error.h"

namespace varve {

struct ConnectType {
  enum class Kind : uint8_t { kAsWritten, kDouble, kTime, kDecimal } kind = Kind::kAsWritten;
  int64_t unit_ns = 0;  // of kTime
  int64_t scale = 0;    // of kDecimal
};

// By flattened name; what is as written is left out.
using ConnectTypes = std::map<std::string, ConnectType, std::less<>>;
Result<ConnectTypes> parse_connect_schema(std::string_view json);

// The unit of a type of this name; nothing when it names no time since 1970.
std::optional<int64_t> connect_time_unit_ns(std::string_view name);

}  // namespace varve
