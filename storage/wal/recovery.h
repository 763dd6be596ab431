// Start-up: every valid record of the log, in order, and an account of what is not there.
//   torn tail  bytes at the end that were never known durable: a write the crash cut short; ignored, left in place
//   damage     bytes that were durable and do not verify, or missing lsns: records are lost. The file is copied to
//              quarantine/ once, stays where it is, and its other records are replayed.
// Nothing valid is ever removed. Both are logged.
// Errors: kIo, kUnsupported, and the visitor's own, which stops the replay.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"
#include "storage/base/file.h"
#include "storage/wal/reader.h"

namespace varve {

struct WalRecovery {
  Lsn next_lsn = 1;  // for Wal::open(): after every record found, and not below from_lsn
  uint64_t records = 0;
  uint64_t bytes = 0;
  std::optional<WalTornTail> torn_tail;
  std::vector<WalDamage> damage;
  std::vector<std::string> quarantined;  // paths of copies made now
  std::string quarantine_failure;        // why a copy could not be made; empty otherwise
};

struct WalSpan {
  bool folder = false;  // there is one: a store that ran once keeps it, if empty
  uint64_t files = 0;
  Lsn oldest_lsn = 0;  // the first one the files can hold
};
Result<WalSpan> wal_span(FileSystem& file_system, const std::string& directory);

// A file gets records only after its header is durable: bytes beyond an unreadable header are damage.
bool wal_tail_is_damage(const WalTornTail& tail);

using WalVisitor = std::function<Result<void>(Lsn lsn, std::string_view payload)>;

// Records below `from_lsn` are not visited and not missed.
Result<WalRecovery> recover_wal(FileSystem& file_system, const std::string& directory, Lsn from_lsn,
                                const WalVisitor& visitor);

}  // namespace varve
