// Turns one message into rows, by the mapping of its source.
// A message is input: anything wrong with it is a DecodeReject, never an exception or a crash.
// Threads: a decoder keeps scratch memory; one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/decode/row_set.h"
#include "storage/base/error.h"
#include "storage/model/types.h"

namespace varve {

enum class InputFormat { kJson, kLine };

// The mapping keys of a [[kafka]] section (see config/varve.toml).
struct DecodeMapping {
  InputFormat format = InputFormat::kJson;
  std::string database = std::string(kDefaultDatabase);
  // The rest is for JSON; line protocol names its own table, time and tags.
  std::string table = "{topic}";  // fixed, "{topic}" or "{field:NAME}" (the field is consumed, not stored)
  std::string time = "ts";  // the (flattened) field holding the time; a row without it is refused (no_time)
  std::string time_format = "auto";  // auto | s | ms | us | ns | rfc3339 | strptime pattern (UTC)
  std::vector<std::string> tags;
};

struct MessageContext {
  std::string_view topic;
  int64_t timestamp_ns = 0;  // the broker's, or now
};

// Refusals named per message; of more, the last one (reason more_refused) tells how many.
constexpr size_t kRejectsPerMessageMax =
    100;  // guessed: enough to see what is wrong, too few to flood quarantine

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Adds the message's rows to `rows` and what it refused to `rejects`.
  virtual void decode(std::string_view payload, const MessageContext& context, RowSet& rows,
                      std::vector<DecodeReject>& rejects) = 0;
};

// kInvalidArgument when the mapping contradicts itself (a bad table template, an unknown time format).
Result<std::unique_ptr<Decoder>> make_decoder(const DecodeMapping& mapping);

// Tables varve writes itself (varve_quarantine); input may not name them.
constexpr std::string_view kReservedTablePrefix = "varve_";

// The reject that stands for `count` others of a message.
DecodeReject more_refused(size_t count);

// Why input may not use this table name; empty = it may.
std::string_view table_name_fault(std::string_view name);

}  // namespace varve
