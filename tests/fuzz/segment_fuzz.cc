// A segment from any bytes. The fuzzer cannot guess checksums, so header and footer are sealed around what it
// made of data and index. Input: u16 bytes of data | u8 rows - 1 | u8 time max - 1 (time min is 1) | data |
// index.
#include <algorithm>

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/segment/reader.h"
#include "tests/fuzz/targets.h"

namespace varve::fuzz {

void segment(const uint8_t* data, size_t size) {
  if (size < 4) return;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)SegmentReader::open(memory_source(std::string(bytes)), "fuzz");

  ByteReader input(bytes);
  const uint16_t wanted = input.fixed<uint16_t>();
  constexpr uint64_t kId = 42;
  SegmentFooter footer;
  footer.rows = uint64_t{1} + input.u8();
  footer.time_min = 1;
  footer.time_max = 1 + input.u8();
  std::string image;
  append_segment_header(kId, image);
  image += input.bytes(std::min<size_t>(wanted, input.remaining()));
  const std::string_view index = input.bytes(input.remaining());
  footer.index_offset = image.size();
  footer.index_bytes = index.size();
  footer.index_checksum = index_checksum(index, kId);
  footer.segment_id = kId;
  image += index;
  append_segment_footer(footer, image);
  const auto reader = SegmentReader::open(memory_source(std::move(image)), "fuzz");
  if (!reader) return;
  const auto verified = (*reader)->verify();
  VARVE_CHECK(verified || verified.error().message.starts_with("fuzz: "));
}

}  // namespace varve::fuzz
