#include "storage/wal/format.h"

#include <fmt/format.h>

#include <charconv>

#include "storage/base/bytes.h"
#include "storage/base/checksum.h"

namespace varve {
namespace {

constexpr std::string_view kMagic = "varvewal";
constexpr std::string_view kSuffix = ".wal";
constexpr size_t kNameDigits = 16;
constexpr size_t kChecksummedHeaderBytes = kWalFileHeaderBytes - sizeof(uint64_t);

static_assert(kMagic.size() + 2 * sizeof(uint32_t) + 2 * sizeof(uint64_t) == kChecksummedHeaderBytes);
static_assert(2 * sizeof(uint64_t) + 2 * sizeof(Lsn) + sizeof(uint32_t) == kWalRecordHeaderBytes);
static_assert(kWalRecordBytesMax < kWalEndMark);

void append_header(std::string& out, const WalRecordPlace& place, uint64_t payload_checksum,
                   uint32_t payload_bytes) {
  std::string header;
  ByteWriter writer(header);
  writer.fixed<uint64_t>(payload_checksum);
  writer.fixed<Lsn>(place.lsn);
  writer.fixed<Lsn>(place.synced_lsn);
  writer.fixed<uint32_t>(payload_bytes);
  ByteWriter(out).fixed<uint64_t>(checksum64(header, place.file_id + place.offset));
  out += header;
}

}  // namespace

std::string wal_file_name(Lsn first_lsn) {
  return fmt::format("{:016x}{}", first_lsn, kSuffix);
}

std::optional<Lsn> parse_wal_file_name(std::string_view name) {
  if (name.size() != kNameDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  Lsn lsn = 0;
  const auto [end, failed] = std::from_chars(name.data(), name.data() + kNameDigits, lsn, 16);
  if (failed != std::errc() || end != name.data() + kNameDigits || wal_file_name(lsn) != name)
    return std::nullopt;
  return lsn;
}

std::string encode_wal_file_start(const WalFileHeader& header) {
  std::string bytes;
  ByteWriter out(bytes);
  out.bytes(kMagic);
  out.fixed<uint32_t>(kWalVersion);
  out.fixed<uint32_t>(0);
  out.fixed<uint64_t>(header.first_lsn);
  out.fixed<uint64_t>(header.file_id);
  out.fixed<uint64_t>(checksum64(bytes));
  std::string start = bytes;
  start.resize(kWalHeaderCopyOffset, '\0');
  return start + bytes;
}

Result<WalFileHeader> decode_wal_file_header(std::string_view bytes) {
  ByteReader in(bytes);
  const std::string_view magic = in.bytes(kMagic.size());
  const auto version = in.fixed<uint32_t>();
  in.fixed<uint32_t>();
  WalFileHeader header;
  header.first_lsn = in.fixed<uint64_t>();
  header.file_id = in.fixed<uint64_t>();
  const auto checksum = in.fixed<uint64_t>();
  if (!in.ok() || magic != kMagic || checksum != checksum64(bytes.substr(0, kChecksummedHeaderBytes))) {
    return corruption("log file header is damaged");
  }
  if (version != kWalVersion) {
    return unsupported(fmt::format("log file has version {}, this program reads {}; use a newer program",
                                   version, kWalVersion));
  }
  return header;
}

void append_wal_record(std::string& out, const WalRecordPlace& place, std::string_view payload) {
  append_header(out, place, checksum64(payload, place.file_id + place.lsn),
                static_cast<uint32_t>(payload.size()));
  out += payload;
}

void append_wal_end_mark(std::string& out, const WalRecordPlace& place) {
  append_header(out, place, 0, kWalEndMark);
}

std::optional<WalRecordHeader> decode_wal_record_header(std::string_view bytes, uint64_t file_id,
                                                        uint64_t offset) {
  ByteReader in(bytes);
  const auto checksum = in.fixed<uint64_t>();
  WalRecordHeader header;
  header.payload_checksum = in.fixed<uint64_t>();
  header.lsn = in.fixed<Lsn>();
  header.synced_lsn = in.fixed<Lsn>();
  header.payload_bytes = in.fixed<uint32_t>();
  // The cheap tests first: a search for the next record after damage comes here at every byte.
  if (header.lsn == 0 || header.synced_lsn >= header.lsn) return std::nullopt;
  if (header.payload_bytes > kWalRecordBytesMax && !header.is_end_mark()) return std::nullopt;
  const std::string_view covered = bytes.substr(sizeof checksum, kWalRecordHeaderBytes - sizeof checksum);
  if (checksum64(covered, file_id + offset) != checksum) return std::nullopt;
  return header;
}

bool wal_payload_intact(const WalRecordHeader& header, uint64_t file_id, std::string_view payload) {
  return checksum64(payload, file_id + header.lsn) == header.payload_checksum;
}

}  // namespace varve
