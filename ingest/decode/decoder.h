// Turns one message into rows, by the mapping of its source.
// A message is input: anything wrong with it is a DecodeReject, never an exception or a crash.
// Threads: a decoder keeps scratch memory; one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ingest/decode/message_part.h"
#include "ingest/decode/row_set.h"
#include "storage/base/error.h"
#include "storage/model/types.h"

namespace varve {

enum class InputFormat { kJson, kCsv, kLine, kAvro };

// The mapping keys of a [[kafka]] section (see config/varve.toml).
struct DecodeMapping {
  InputFormat format = InputFormat::kJson;
  std::string database = std::string(kDefaultDatabase);
  // Line protocol names its own tags, time and (with "{measurement}") table; tags and fields may name parts of the
  // message all the same, and time_format the unit of its times.
  std::string table = "{topic}";  // fixed, "{topic}" or "{field:NAME}" (the field is consumed, not stored)
  std::string time = "ts";  // the (flattened) field holding the time; a row without it is refused (no_time)
  std::string time_format = "auto";  // auto | s | ms | us | ns | rfc3339 | strptime pattern (UTC)
  std::vector<std::string> tags;     // fields of the value, and parts of the message (message_part.h)
  std::vector<std::string> fields;   // parts of the message
  bool needs_field = true;           // false: a row may be of tags only, as in a list of devices

  bool csv_header = false;               // each message begins with a line of names ...
  std::vector<std::string> csv_columns;  // ... else they are these
  char csv_delimiter = ',';

  std::string schema_registry;            // URL, for Confluent framing; empty = none
  std::string schema_registry_auth;       // "user:password"; empty = none
  std::vector<std::string> avro_schemas;  // files, for single-object encoding
};

// The field types a table of the store has, so that what a format leaves open is read as it was before a restart.
using StoredTypes = std::function<std::vector<std::pair<std::string, FieldType>>(std::string_view database,
                                                                                 std::string_view table)>;

// Refusals named per message; of more, the last one (reason more_refused) tells how many.
constexpr size_t kRejectsPerMessageMax =
    100;  // guessed: enough to see what is wrong, too few to flood quarantine

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Whether decode() has all it needs. kUnavailable: not now, it would come out right later; the message must wait.
  virtual Result<void> prepare(std::string_view payload, const MessageContext& context);
  // Adds the message's rows to `rows` and what it refused to `rejects`.
  virtual void decode(std::string_view payload, const MessageContext& context, RowSet& rows,
                      std::vector<DecodeReject>& rejects) = 0;
};

// kInvalidArgument when the mapping contradicts itself (a bad table template, an unknown time format, a schema that is
// none).
Result<std::unique_ptr<Decoder>> make_decoder(const DecodeMapping& mapping,
                                              const StoredTypes& stored_types = {});

// Tables varve writes itself (varve_quarantine); input may not name them.
constexpr std::string_view kReservedTablePrefix = "varve_";

// The reject that stands for `count` others of a message.
DecodeReject more_refused(size_t count);

// Why input may not use this table name; empty = it may.
std::string_view table_name_fault(std::string_view name);

}  // namespace varve
