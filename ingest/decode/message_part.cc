#include "ingest/decode/message_part.h"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <utility>

#include "storage/model/types.h"

namespace varve {

bool names_message_part(std::string_view text) {
  return text.starts_with('$') || text.find("=$") != std::string_view::npos;
}

Result<MessagePart> parse_message_part(std::string_view text) {
  using Kind = MessagePart::Kind;
  static constexpr std::array<std::pair<std::string_view, Kind>, 5> kWords = {
      {{"key", Kind::kKey},
       {"topic", Kind::kTopic},
       {"partition", Kind::kPartition},
       {"offset", Kind::kOffset},
       {"timestamp", Kind::kTimestamp}}};
  constexpr std::string_view kHeader = "header.";
  const size_t equals = text.starts_with('$') ? std::string_view::npos : text.find("=$");
  const std::string_view word = equals == std::string_view::npos ? text.substr(1) : text.substr(equals + 2);
  MessagePart part;
  bool known = false;
  for (const auto& [name, kind] : kWords) {
    if (word != name) continue;
    part.kind = kind;
    part.column = name;
    known = true;
  }
  if (word.starts_with(kHeader) && word.size() > kHeader.size()) {
    part.kind = Kind::kHeader;
    part.header = word.substr(kHeader.size());
    part.column = part.header;
    known = true;
  }
  if (!known) {
    return invalid_argument(
        fmt::format("'{}': there is no ${}; a message has $key, $topic, $partition, $offset, $timestamp and "
                    "$header.NAME",
                    text, word));
  }
  if (equals != std::string_view::npos) part.column = text.substr(0, equals);
  if (part.column.empty() || part.column.size() > kNameBytesMax || part.column == kTimeColumn) {
    return invalid_argument(fmt::format("'{}': '{}' cannot name a column; write COLUMN=${}", text,
                                        part.column.substr(0, kNameBytesMax), word));
  }
  return part;
}

std::optional<std::string_view> part_text(const MessagePart& part, const MessageContext& context,
                                          std::string& scratch) {
  using Kind = MessagePart::Kind;
  int64_t number = 0;
  switch (part.kind) {
    case Kind::kKey:
      return context.key;
    case Kind::kTopic:
      return context.topic;
    case Kind::kHeader:
      if (context.headers == nullptr) return std::nullopt;
      return context.headers->last(part.header);
    case Kind::kPartition:
      number = context.partition;
      break;
    case Kind::kOffset:
      number = context.offset;
      break;
    case Kind::kTimestamp:
      number = context.timestamp_ns;
      break;
  }
  scratch.clear();
  fmt::format_to(std::back_inserter(scratch), "{}", number);
  return std::string_view(scratch);
}

}  // namespace varve
