#include <string>
#include <string_view>

#include "ingest/decode/avro.h"
#include "storage/base/check.h"
#include "tests/fuzz/targets.h"

namespace varve::fuzz {
namespace {

struct OneSchema : SchemaSource {
  explicit OneSchema(AvroSchema schema) : schema_(std::make_shared<const AvroSchema>(std::move(schema))) {}
  Result<std::shared_ptr<const AvroSchema>> find(uint32_t) override { return schema_; }

 private:
  std::shared_ptr<const AvroSchema> schema_;
};

}  // namespace

void avro(const uint8_t* data, size_t size) {
  if (size < 2) return;
  const std::string_view text(reinterpret_cast<const char*>(data + 2), size - 2);
  const size_t schema_bytes = std::min<size_t>(data[0] | static_cast<size_t>(data[1]) << 8U, text.size());
  auto schema = AvroSchema::parse(text.substr(0, schema_bytes));
  if (!schema) return;
  DecodeMapping mapping;
  mapping.format = InputFormat::kAvro;
  mapping.table = "{field:k}";
  mapping.time = "t";
  mapping.tags = {"a", "b_c"};
  const auto decoder =
      std::move(*make_avro_decoder(mapping, std::make_unique<OneSchema>(std::move(*schema))));
  const std::string message = std::string(5, '\0') + std::string(text.substr(schema_bytes));
  for (int repeat = 0; repeat < 2; ++repeat) {  // the second time, places in the schema are known
    RowSet rows;
    std::vector<DecodeReject> rejects;
    VARVE_CHECK(decoder->prepare(message, {}).has_value());
    decoder->decode(message, {.topic = "topic", .timestamp_ns = 1}, rows, rejects);
    VARVE_CHECK(rows.rows() + rejects.size() == 1);
    size_t taken = 0;
    for (const RowBatch& batch : rows.take().batches) taken += batch.rows();
    VARVE_CHECK(taken + rejects.size() == 1);
  }
}

}  // namespace varve::fuzz
