#include "storage/tombstone/format.h"

#include <fmt/format.h>

#include "storage/base/checksum.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "VARVDEL1";

}  // namespace

std::string encode_tombstone(const TombstoneFile& tombstone) {
  std::string body;
  ByteWriter rows(body);
  encode_row_delete(tombstone.rows, rows);
  std::string image;
  ByteWriter out(image);
  out.bytes(kMagic);
  out.fixed(kTombstoneVersion);
  out.fixed(uint32_t{0});
  out.fixed(tombstone.id);
  out.fixed(tombstone.lsn);
  out.fixed(uint64_t{body.size()});
  out.fixed(checksum64(body, tombstone.id));
  out.fixed(checksum64(image, tombstone.id));
  out.bytes(body);
  return image;
}

Result<TombstoneFile> decode_tombstone(std::string_view bytes) {
  ByteReader in(bytes);
  TombstoneFile tombstone;
  const std::string_view magic = in.bytes(kMagic.size());
  const auto version = in.fixed<uint32_t>();
  const auto zero = in.fixed<uint32_t>();
  tombstone.id = in.fixed<uint64_t>();
  tombstone.lsn = in.fixed<Lsn>();
  const auto body_bytes = in.fixed<uint64_t>();
  const auto body_checksum = in.fixed<uint64_t>();
  const size_t summed = in.offset();
  const auto header_checksum = in.fixed<uint64_t>();
  if (!in.ok()) return corruption(fmt::format("{} bytes are too few for a tombstone", bytes.size()));
  if (magic != kMagic) return corruption("not a tombstone file");
  if (header_checksum != checksum64(bytes.substr(0, summed), tombstone.id)) {
    return corruption("the tombstone's header does not match its checksum");
  }
  if (version != kTombstoneVersion) {
    return unsupported(fmt::format("tombstone version {}, this program reads {}; use a newer program",
                                   version, kTombstoneVersion));
  }
  if (zero != 0 || body_bytes != in.remaining()) {
    return corruption(fmt::format("the tombstone's header says {} bytes of rows, there are {}", body_bytes,
                                  in.remaining()));
  }
  if (body_checksum != checksum64(bytes.substr(in.offset()), tombstone.id)) {
    return corruption("the tombstone's rows do not match their checksum");
  }
  VARVE_ASSIGN(tombstone.rows, decode_row_delete(in));
  if (!in.at_end()) return corruption("the tombstone has bytes after its rows");
  return tombstone;
}

std::string tombstone_file_name(uint64_t id) {
  return fmt::format("{:016x}.del", id);
}

}  // namespace varve
