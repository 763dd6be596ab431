#include "ingest/decode/decoder.h"

#include <fmt/format.h>

#include "ingest/decode/avro.h"
#include "ingest/decode/csv.h"
#include "ingest/decode/json.h"
#include "ingest/decode/line_protocol.h"

namespace varve {

Result<std::unique_ptr<Decoder>> make_decoder(const DecodeMapping& mapping, const StoredTypes& stored_types) {
  switch (mapping.format) {
    case InputFormat::kJson:
      return make_json_decoder(mapping);
    case InputFormat::kLine:
      return make_line_decoder(mapping);
    case InputFormat::kCsv:
      return make_csv_decoder(mapping, stored_types);
    case InputFormat::kAvro:
      return make_avro_decoder(mapping);
  }
  return invalid_argument("unknown input format");
}

Result<void> Decoder::prepare(std::string_view, const MessageContext&) {
  return {};
}

DecodeReject more_refused(size_t count) {
  return {"more_refused", fmt::format("{} more rows of this message were refused", count), 0};
}

std::string_view table_name_fault(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > kNameBytesMax) return "it is longer than 255 bytes";
  if (name.starts_with(kReservedTablePrefix)) return "names beginning with varve_ are the store's own";
  return {};
}

}  // namespace varve
