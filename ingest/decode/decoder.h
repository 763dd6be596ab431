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
  std::string table = "{topic}";      // fixed, "{topic}" or "{field:NAME}"
  std::string time = "ts";            // the field holding the time; a row without it is refused (no_time)
  std::string time_format = "auto";   // auto | s | ms | us | ns | rfc3339 | strptime pattern (UTC)
  std::vector<std::string> tags;
};

struct MessageContext {
  std::string_view topic;
  int64_t timestamp_ns = 0;  // the broker's, or now
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Adds the message's rows to `rows` and what it refused to `rejects`.
  virtual void decode(std::string_view payload, const MessageContext& context, RowSet& rows,
                      std::vector<DecodeReject>& rejects) = 0;
};

// kInvalidArgument when the mapping contradicts itself (a bad table template, an unknown time format).
Result<std::unique_ptr<Decoder>> make_decoder(const DecodeMapping& mapping);

}  // namespace varve
