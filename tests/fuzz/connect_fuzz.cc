#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "ingest/decode/decoder.h"
#include "storage/base/check.h"
#include "tests/fuzz/targets.h"

namespace varve::fuzz {

void connect(const uint8_t* data, size_t size) {
  static const auto decoder = [] {
    DecodeMapping mapping;
    mapping.table = "m";
    mapping.time = "t";
    mapping.tags = {"a", "b_c"};
    return std::move(*make_decoder(mapping));
  }();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string message = "{\"schema\":" + std::string(text.substr(0, end)) +
                              ",\"payload\":" + std::string(text.substr(std::min(end + 1, text.size()))) +
                              "}";
  RowSet rows;
  std::vector<DecodeReject> rejects;
  decoder->decode(message, {.topic = "topic", .timestamp_ns = 1}, rows, rejects);
  const size_t count = rows.rows();
  size_t taken = 0;
  for (const RowBatch& batch : rows.take().batches) taken += batch.rows();
  VARVE_CHECK(taken == count);
  if (rejects.empty() && message.find('\n') == std::string::npos) {
    VARVE_CHECK(nlohmann::json::accept(message));
  }
}

}  // namespace varve::fuzz
