// The bytes of a log file, shared by writer and reader. Little-endian; no padding between records.
//
//   offset 0     file header, 40 bytes
//   offset 4096  the same header again: damage to one sector does not take the file with it
//   offset 4136  records, end to end; then zeros up to the reserved size
//
//   file header  8 "varvewal" | u32 version | u32 zero | u64 first lsn | u64 file id | u64 checksum of the 32
//   before record       u64 checksum of the next 20 bytes, seed: file id + offset of the record
//                u64 checksum of the payload,       seed: file id + lsn
//                u64 lsn | u32 payload bytes | payload
//
// A record header has its own checksum, so a damaged payload costs one record and its lsn is known. The file
// id is random: bytes inside a payload, or left from another file, never verify as a record. File name: the
// first lsn as 16 hexadecimal digits, then ".wal"; names sort as their records do. A file overrules those
// before it: a record whose lsn is not below the first lsn of a later file is void. Threads: pure functions.
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
constexpr uint64_t kWalRecordHeaderBytes = 28;
constexpr uint64_t kWalRecordBytesMax = 64ULL << 20;  // payload; a reader holds one in memory (guessed)
constexpr std::string_view kWalQuarantineFolder = "quarantine";  // in the log's folder

struct WalFileHeader {
  Lsn first_lsn = 0;
  uint64_t file_id = 0;
};

struct WalRecordHeader {
  uint64_t payload_checksum = 0;
  Lsn lsn = 0;
  uint32_t payload_bytes = 0;
};

std::string wal_file_name(Lsn first_lsn);
std::optional<Lsn> parse_wal_file_name(std::string_view name);

// The whole start of a file, up to kWalFirstRecordOffset.
std::string encode_wal_file_start(const WalFileHeader& header);
// kCorruption; kUnsupported for an intact header of another version.
Result<WalFileHeader> decode_wal_file_header(std::string_view bytes);

void append_wal_record(std::string& out, uint64_t file_id, uint64_t offset, Lsn lsn,
                       std::string_view payload);
// Nothing when `bytes`, at least kWalRecordHeaderBytes from `offset` of the file, are not a record header.
std::optional<WalRecordHeader> decode_wal_record_header(std::string_view bytes, uint64_t file_id,
                                                        uint64_t offset);
bool wal_payload_intact(const WalRecordHeader& header, uint64_t file_id, std::string_view payload);

}  // namespace varve
