// A tombstone from any bytes, and a delete from any bytes: the fuzzer cannot guess checksums, so the second is read
// without them. What decodes must encode to the same.
#include "storage/base/check.h"
#include "storage/tombstone/format.h"
#include "tests/fuzz/targets.h"

namespace varve::fuzz {

void tombstone(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto whole = decode_tombstone(bytes)) VARVE_CHECK(encode_tombstone(*whole) == bytes);
  ByteReader in(bytes);
  const auto rows = decode_row_delete(in);
  if (!rows) return;
  VARVE_CHECK(!rows->time.empty() && (!rows->all_series || rows->series.empty()));
  std::string again;
  ByteWriter out(again);
  encode_row_delete(*rows, out);
  ByteReader second(again);
  const auto same = decode_row_delete(second);
  VARVE_CHECK(same && second.at_end() && same->series == rows->series);
}

}  // namespace varve::fuzz
