#include "ingest/decode/line_protocol.h"

#include <string>
#include <string_view>

#include "storage/base/check.h"
#include "tests/fuzz/targets.h"
#include "tests/support/batch_text.h"

namespace varve::fuzz {

void line_protocol(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  RowSet rows;
  std::vector<LineReject> rejects;
  size_t refused = 0;
  const size_t accepted = parse_line_protocol(text, {.now_ns = 5}, rows, rejects, &refused);
  VARVE_CHECK(accepted == rows.rows());
  VARVE_CHECK(refused == rejects.size() || rejects.size() == kLineRejectsMax);
  for (const RowBatch& batch : rows.take().batches) {
    LineProtocolWriter writer(batch);
    for (size_t row = 0; row < batch.rows(); ++row) {
      std::string line;
      if (!writer.append(row, line)) continue;
      RowSet again;
      std::vector<LineReject> none;
      VARVE_CHECK(parse_line_protocol(line, {}, again, none) == 1);
      VARVE_CHECK(take_texts(again).at(0) == row_text(batch, row));
    }
  }
}

}  // namespace varve::fuzz
