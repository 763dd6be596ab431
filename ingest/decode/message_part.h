// Parts of a Kafka message beside its value, as `tags`, `fields` and `time` of a mapping name them:
//   $key  $topic  $partition  $offset  $timestamp  $header.NAME
// The column is named like the part without "$" ("$header.site" is site), or as said before "=":
// "device=$key". A null key, an absent header and a null header are absent values; of headers of one name the
// last one counts, as in Kafka's own clients.
// Errors: kInvalidArgument naming the text and the parts there are.
// Threads: values.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/error.h"

namespace varve {

class MessageHeaders {
 public:
  virtual ~MessageHeaders() = default;
  virtual std::optional<std::string_view> last(const std::string& name) const = 0;
  // All of them in their order; a null value is none.
  using Each = std::function<void(std::string_view name, std::optional<std::string_view> value)>;
  virtual void each(const Each& take) const = 0;
};

struct MessageContext {
  std::string_view topic = {};
  int64_t timestamp_ns = 0;  // the broker's, or now
  int32_t partition = 0;
  int64_t offset = 0;
  std::optional<std::string_view> key = {};
  const MessageHeaders* headers = nullptr;  // null = none
};

struct MessagePart {
  enum class Kind : uint8_t { kKey, kTopic, kPartition, kOffset, kTimestamp, kHeader } kind = Kind::kKey;
  std::string header;  // of kHeader
  std::string column;
};

// Whether the text names a part, known or not, rather than a field of the value.
bool names_message_part(std::string_view text);
Result<MessagePart> parse_message_part(std::string_view text);

// The part's text; numbers are written into `scratch`. Nothing when the message has none.
std::optional<std::string_view> part_text(const MessagePart& part, const MessageContext& context,
                                          std::string& scratch);

}  // namespace varve
