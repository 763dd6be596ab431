#include "storage/segment/format.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/checksum.h"

namespace varve {
namespace {

constexpr std::string_view kHeaderMagic = "VARVSEG1";
constexpr std::string_view kFooterMagic = "VARVEND1";

Error bad_version(uint32_t version) {
  return unsupported("format version " + std::to_string(version) + " is newer than this program reads (" +
                     std::to_string(kSegmentVersion) + ")");
}

}  // namespace

void append_segment_header(uint64_t segment_id, std::string& out) {
  std::string header;
  ByteWriter writer(header);
  writer.bytes(kHeaderMagic);
  writer.fixed(kSegmentVersion);
  writer.fixed(uint32_t{0});
  writer.fixed(segment_id);
  writer.fixed(checksum64(header, kSegmentHeaderSeed));
  VARVE_CHECK(header.size() == kSegmentHeaderBytes);
  out += header;
}

Result<uint64_t> parse_segment_header(std::string_view bytes) {
  ByteReader reader(bytes);
  if (bytes.size() != kSegmentHeaderBytes) return corruption("shorter than a segment header");
  if (reader.bytes(kHeaderMagic.size()) != kHeaderMagic)
    return corruption("not a segment: wrong magic at offset 0");
  const uint32_t version = reader.fixed<uint32_t>();
  reader.fixed<uint32_t>();
  const uint64_t segment_id = reader.fixed<uint64_t>();
  if (reader.fixed<uint64_t>() != checksum64(bytes.substr(0, kSegmentHeaderBytes - 8), kSegmentHeaderSeed)) {
    return corruption("header checksum mismatch");
  }
  if (version != kSegmentVersion) return bad_version(version);
  return segment_id;
}

void append_segment_footer(const SegmentFooter& footer, std::string& out) {
  std::string bytes;
  ByteWriter writer(bytes);
  writer.fixed(footer.index_offset);
  writer.fixed(footer.index_bytes);
  writer.fixed(footer.index_checksum);
  writer.fixed(footer.rows);
  writer.fixed(footer.time_min);
  writer.fixed(footer.time_max);
  writer.fixed(footer.segment_id);
  writer.fixed(kSegmentVersion);
  writer.fixed(uint32_t{0});
  writer.fixed(checksum64(bytes, kSegmentFooterSeed));
  writer.bytes(kFooterMagic);
  VARVE_CHECK(bytes.size() == kSegmentFooterBytes);
  out += bytes;
}

Result<SegmentFooter> parse_segment_footer(std::string_view bytes, uint64_t file_bytes) {
  constexpr size_t kChecked = kSegmentFooterBytes - 16;
  if (bytes.size() != kSegmentFooterBytes) return corruption("shorter than a segment footer");
  if (bytes.substr(kChecked + 8) != kFooterMagic)
    return corruption("no footer at the end: the file is cut or damaged");
  ByteReader reader(bytes);
  SegmentFooter footer;
  footer.index_offset = reader.fixed<uint64_t>();
  footer.index_bytes = reader.fixed<uint64_t>();
  footer.index_checksum = reader.fixed<uint64_t>();
  footer.rows = reader.fixed<uint64_t>();
  footer.time_min = reader.fixed<int64_t>();
  footer.time_max = reader.fixed<int64_t>();
  footer.segment_id = reader.fixed<uint64_t>();
  const uint32_t version = reader.fixed<uint32_t>();
  reader.fixed<uint32_t>();
  if (reader.fixed<uint64_t>() != checksum64(bytes.substr(0, kChecked), kSegmentFooterSeed)) {
    return corruption("footer checksum mismatch");
  }
  if (version != kSegmentVersion) return bad_version(version);
  const uint64_t index_end = file_bytes - kSegmentFooterBytes;
  if (footer.index_offset < kSegmentHeaderBytes || footer.index_offset > index_end ||
      footer.index_bytes != index_end - footer.index_offset) {
    return corruption("the footer's index does not fit the file: bytes are missing or added");
  }
  if (footer.rows == 0 || footer.rows > kSegmentRowsMax || footer.time_min > footer.time_max) {
    return corruption("impossible row count or time range in the footer");
  }
  return footer;
}

uint64_t index_checksum(std::string_view index, uint64_t segment_id) {
  return checksum64(index, kSegmentIndexSeed ^ segment_id);
}

uint32_t page_checksum(std::string_view page, uint64_t segment_id, size_t column, size_t block) {
  // Blocks are below 2^24, columns below 2^16 or so: no two pages of a segment share a seed.
  const uint64_t place = (uint64_t{column} << 24 | block) << 16;
  return static_cast<uint32_t>(checksum64(page, segment_id ^ place));
}

}  // namespace varve
