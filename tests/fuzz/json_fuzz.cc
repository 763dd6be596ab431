#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "ingest/decode/decoder.h"
#include "storage/base/check.h"
#include "tests/fuzz/targets.h"

namespace varve::fuzz {
namespace {

std::unique_ptr<Decoder> decoder_with(const char* table, const char* time_format) {
  DecodeMapping mapping;
  mapping.table = table;
  mapping.time = "t";
  mapping.time_format = time_format;
  mapping.tags = {"a", "b_c"};
  return std::move(*make_decoder(mapping));
}

}  // namespace

void json(const uint8_t* data, size_t size) {
  static const auto fixed = decoder_with("m", "auto");
  static const auto by_field = decoder_with("{field:k}", "%Y-%m-%dT%H:%M:%S%z");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (Decoder* decoder : {fixed.get(), by_field.get()}) {
    RowSet rows;
    std::vector<DecodeReject> rejects;
    decoder->decode(text, {"topic", 1}, rows, rejects);
    const size_t count = rows.rows();
    size_t taken = 0;
    for (const RowBatch& batch : rows.take().batches) taken += batch.rows();
    VARVE_CHECK(taken == count);
    if (rejects.empty() && text.find('\n') == std::string_view::npos)
      VARVE_CHECK(nlohmann::json::accept(text));
  }
}

}  // namespace varve::fuzz
