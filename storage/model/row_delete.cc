#include "storage/model/row_delete.h"

#include "storage/model/series_key.h"

namespace varve {

void encode_row_delete(const RowDelete& rows, ByteWriter& out) {
  out.string(rows.database);
  out.string(rows.table);
  out.fixed(rows.time.min);
  out.fixed(rows.time.max);
  out.u8(rows.all_series ? 1 : 0);
  out.varint(rows.series.size());
  for (const std::string& key : rows.series) out.string(key);
}

Result<RowDelete> decode_row_delete(ByteReader& in) {
  RowDelete rows;
  rows.database = in.string();
  rows.table = in.string();
  rows.time.min = in.fixed<int64_t>();
  rows.time.max = in.fixed<int64_t>();
  const uint8_t all_series = in.u8();
  const uint64_t count = in.varint();
  if (!in.ok()) return corruption("delete ends early");
  if (rows.time.empty()) return corruption("delete of an empty range of time");
  if (all_series > 1 || (all_series == 1 && count != 0)) return corruption("delete with a bad series flag");
  if (count > in.remaining()) return corruption("delete with more series than bytes");
  rows.all_series = all_series == 1;
  rows.series.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    const std::string_view key = in.string();
    if (!in.ok()) return corruption("delete ends early");
    if (!rows.series.empty() && rows.series.back() >= key)
      return corruption("delete with series out of order");
    VARVE_TRY(with_context(decode_series_key(key), "delete"));
    rows.series.emplace_back(key);
  }
  return rows;
}

}  // namespace varve
