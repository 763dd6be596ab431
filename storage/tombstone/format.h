// The bytes of a tombstone file: one delete that rows in segments still wait for. Immutable, little endian.
//
//   0    "VARVDEL1" | u32 version | u32 zero | u64 id | u64 lsn of the delete | u64 bytes of the body
//        u64 xxh3 of the body | u64 xxh3 of the 48 bytes before
//   56   body: row delete (model/row_delete.h)
//
// Checksums are XXH3-64, seeded with the id, so that a file under another's name does not verify.
// Crash promise: written by temp file, fsync, rename, fsync of the directory; listed in the catalog afterwards.
// Errors:  kCorruption says what is wrong, kUnsupported for a version of the future.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/base/error.h"
#include "storage/model/row_delete.h"
#include "storage/wal/lsn.h"

namespace varve {

constexpr uint32_t kTombstoneVersion = 1;
constexpr size_t kTombstoneHeaderBytes = 56;

struct TombstoneFile {
  uint64_t id = 0;
  Lsn lsn = 0;
  RowDelete rows;
};

std::string encode_tombstone(const TombstoneFile& tombstone);
Result<TombstoneFile> decode_tombstone(std::string_view bytes);
std::string tombstone_file_name(uint64_t id);  // 16 hex digits + ".del"

}  // namespace varve
