#include <fmt/format.h>
#include <simdjson.h>

#include "ingest/decode/json.h"
#include "ingest/decode/line_protocol.h"
#include "ingest/decode/table_template.h"

namespace varve {
namespace {

constexpr std::string_view kByMeasurement = "{measurement}";

class LineDecoder : public Decoder {
 public:
  LineDecoder(std::string database, int64_t precision_ns) {
    options_.database = std::move(database);
    options_.precision_ns = precision_ns;
    options_.number_rows = false;
  }
  void set_table(TableTemplate table) { table_ = std::move(table); }
  void add_tag(MessagePart part) { parts_.push_back(std::move(part)); }

  void decode(std::string_view payload, const MessageContext& context, RowSet& rows,
              std::vector<DecodeReject>& rejects) override {
    if (payload.empty()) {
      rejects.push_back({"empty_message", "the payload is empty", 0});
      return;
    }
    if (payload.size() > kMessageBytesMax) {
      rejects.push_back({"message_too_large",
                         fmt::format("{} bytes; a message may have {}", payload.size(), kMessageBytesMax),
                         0});
      return;
    }
    options_.now_ns = context.timestamp_ns;
    if (table_) {
      options_.table = table_->kind == TableTemplate::Kind::kTopic ? context.topic : table_->name;
    }
    if (!take_parts(context, rejects)) return;
    refused_lines_.clear();
    size_t refused = 0;
    parse_line_protocol(payload, options_, rows, refused_lines_, &refused);
    for (size_t i = 0; i < std::min(refused, kRejectsPerMessageMax); ++i) {
      LineReject& line = refused_lines_[i];
      rejects.push_back({std::move(line.reason), std::move(line.detail), line.line});
    }
    if (refused > kRejectsPerMessageMax) rejects.push_back(more_refused(refused - kRejectsPerMessageMax));
  }

 private:
  bool take_parts(const MessageContext& context, std::vector<DecodeReject>& rejects) {
    options_.more_tags.clear();
    texts_.resize(parts_.size());
    for (size_t i = 0; i < parts_.size(); ++i) {
      const std::optional<std::string_view> text = part_text(parts_[i], context, texts_[i]);
      if (!text) continue;
      if (text->size() > kTagValueBytesMax) {
        rejects.push_back({"value_too_long",
                           fmt::format("tag '{}' has {} bytes; a tag may have {}", parts_[i].column,
                                       text->size(), kTagValueBytesMax),
                           0});
        return false;
      }
      if (!simdjson::validate_utf8(text->data(), text->size())) {
        rejects.push_back({"invalid_utf8", fmt::format("tag '{}' is not valid UTF-8", parts_[i].column), 0});
        return false;
      }
      options_.more_tags.emplace_back(parts_[i].column, *text);
    }
    return true;
  }

  LineProtocolOptions options_;
  std::optional<TableTemplate> table_;  // none: each line's measurement
  std::vector<MessagePart> parts_;      // tags
  std::vector<std::string> texts_;
  std::vector<LineReject> refused_lines_;
};

}  // namespace

Result<std::unique_ptr<Decoder>> make_line_decoder(const DecodeMapping& mapping) {
  const auto precision = precision_from_name(mapping.time_format == "auto" ? "ns" : mapping.time_format);
  if (!precision) {
    return invalid_argument(
        fmt::format("time format '{}': line protocol has times in s, ms, us or ns", mapping.time_format));
  }
  auto decoder = std::make_unique<LineDecoder>(mapping.database, *precision);
  if (mapping.table != kByMeasurement) {
    VARVE_ASSIGN(auto table, parse_table_template(mapping.table));
    if (table.kind == TableTemplate::Kind::kField) {
      return invalid_argument(
          fmt::format("table = \"{}\": line protocol has a measurement; use \"{{measurement}}\", "
                      "\"{{topic}}\" or a fixed name",
                      mapping.table));
    }
    decoder->set_table(std::move(table));
  }
  for (const std::string& tag : mapping.tags) {
    if (!names_message_part(tag)) {
      return invalid_argument(fmt::format(
          "tags: '{}': line protocol says its own tags; this lists parts of the message, such as $key", tag));
    }
    VARVE_ASSIGN(MessagePart part, with_context(parse_message_part(tag), "tags"));
    decoder->add_tag(std::move(part));
  }
  if (!mapping.fields.empty()) {
    return invalid_argument("fields: line protocol says its own fields; parts of the message can be tags");
  }
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace varve
