#include <memory>
#include <string_view>

#include "ingest/decode/decoder.h"
#include "storage/base/check.h"
#include "tests/fuzz/targets.h"

namespace varve::fuzz {
namespace {

std::unique_ptr<Decoder> decoder_with(bool header, char delimiter) {
  DecodeMapping mapping;
  mapping.format = InputFormat::kCsv;
  mapping.table = header ? "{field:k}" : "m";
  mapping.time = "t";
  mapping.tags = {"a"};
  mapping.csv_header = header;
  mapping.csv_delimiter = delimiter;
  if (!header) mapping.csv_columns = {"t", "a", "v"};
  return std::move(*make_decoder(mapping));
}

}  // namespace

void csv(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const bool header : {false, true}) {
    const auto decoder = decoder_with(header, size % 2 == 0 ? ',' : ';');
    for (int repeat = 0; repeat < 2;
         ++repeat) {  // pins and names of the first time are there the second time
      RowSet rows;
      std::vector<DecodeReject> rejects;
      decoder->decode(text, {.topic = "topic", .timestamp_ns = 1}, rows, rejects);
      const size_t count = rows.rows();
      size_t taken = 0;
      for (const RowBatch& batch : rows.take().batches) taken += batch.rows();
      VARVE_CHECK(taken == count);
      VARVE_CHECK(rejects.size() <= kRejectsPerMessageMax + 1);
      for (const DecodeReject& reject : rejects) VARVE_CHECK(!reject.reason.empty());
    }
  }
}

}  // namespace varve::fuzz
