// The bytes of a log file, shared by writer and reader. Little-endian; no padding between records.
//
//   offset 0     file header, 40 bytes
//   offset 4096  the same header again: damage to one sector does not take the file with it
//   offset 4136  records, end to end; then zeros up to the reserved size
//
//   file header  8 "varvewal" | u32 version | u32 zero | u64 first lsn | u64 file id
//                u64 checksum of the 32 bytes before
//   record       u64 checksum of the next 28 bytes, seed: file id + offset of the record
//                u64 checksum of the payload,       seed: file id + lsn
//                u64 lsn | u64 synced lsn | u32 payload bytes | payload
//   end mark     a record header alone, payload bytes = kWalEndMark: the file was closed in order
//
// A record header has its own checksum, so a damaged payload costs one record. The file id is random: bytes inside
// a payload, or left from another file, never verify as a record.
//
// synced lsn: the newest record known durable when this one was written. It tells damage from a crash: the sectors
// of an unsynced write may reach the disk in any order, so a whole record after a broken one proves nothing, but one
// that says the broken one had been synced does. Without that proof the log ends at the broken record, for a record
// may be replayed only if all before it are (it may say how far a stream was read).
// An earlier file was synced whole before a later one was made.
//
// File name: the first lsn as 16 hexadecimal digits, then ".wal"; names sort as their records do.
// A file overrules those before it: a record whose lsn is not below the first lsn of a later file is void.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base/error.h"
#include "storage/wal/lsn.h"

namespace varve {

constexpr uint32_t kWalVersion = 1;
constexpr uint64_t kWalFileHeaderBytes = 40;
constexpr uint64_t kWalHeaderCopyOffset = 4096;  // another sector and page than the first
constexpr uint64_t kWalFirstRecordOffset = kWalHeaderCopyOffset + kWalFileHeaderBytes;
constexpr uint64_t kWalRecordHeaderBytes = 36;
constexpr uint64_t kWalRecordBytesMax = 64ULL << 20;  // payload; a reader holds one in memory (guessed)
constexpr uint32_t kWalEndMark = UINT32_MAX;
constexpr std::string_view kWalQuarantineFolder = "quarantine";  // in the log's folder

struct WalFileHeader {
  Lsn first_lsn = 0;
  uint64_t file_id = 0;
};

struct WalRecordHeader {
  uint64_t payload_checksum = 0;
  Lsn lsn = 0;
  Lsn synced_lsn = 0;
  uint32_t payload_bytes = 0;

  bool is_end_mark() const { return payload_bytes == kWalEndMark; }
  uint64_t record_bytes() const { return kWalRecordHeaderBytes + (is_end_mark() ? 0 : payload_bytes); }
};

std::string wal_file_name(Lsn first_lsn);
std::optional<Lsn> parse_wal_file_name(std::string_view name);

// The whole start of a file, up to kWalFirstRecordOffset.
std::string encode_wal_file_start(const WalFileHeader& header);
// kCorruption; kUnsupported for an intact header of another version.
Result<WalFileHeader> decode_wal_file_header(std::string_view bytes);

// Where a record will stand, and what is known durable when it is written.
struct WalRecordPlace {
  uint64_t file_id = 0;
  uint64_t offset = 0;
  Lsn lsn = 0;  // of an end mark: the one a next record would have had
  Lsn synced_lsn = 0;
};
void append_wal_record(std::string& out, const WalRecordPlace& place, std::string_view payload);
void append_wal_end_mark(std::string& out, const WalRecordPlace& place);
// Nothing when `bytes`, at least kWalRecordHeaderBytes from `offset` of the file, are not a record header.
std::optional<WalRecordHeader> decode_wal_record_header(std::string_view bytes, uint64_t file_id,
                                                        uint64_t offset);
bool wal_payload_intact(const WalRecordHeader& header, uint64_t file_id, std::string_view payload);

}  // namespace varve
