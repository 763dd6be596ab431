// `varve backup`: a copy of a store, running or stopped, that opens like any other.
// Holds every write acknowledged before the call, and perhaps later ones: the catalog is copied first, then the segments
// it lists, then the log up to its end; DATA/hold keeps every file in place meanwhile (who unlinks files of a store takes
// it without waiting, and comes again later).
// Segments and closed log files never change, so they are linked; on another file system they are copied.
// Crash promise: the copy is made in TO.partial, synced, and renamed at the end: what is at TO is whole and durable.
// Errors:  kInvalidArgument when TO is not empty or TO.partial is in the way, kNotFound when DATA is no store,
//          kUnavailable when another backup holds it, kCorruption of the catalog, kIo, kExhausted. TO.partial may stay.
// Threads: one; the store may be in use by another process or another thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "storage/base/clock.h"
#include "storage/base/file.h"
#include "storage/wal/lsn.h"

namespace varve {

struct BackupProgress {
  uint64_t bytes_done = 0;
  uint64_t bytes_total = 0;
};

struct BackupOptions {
  std::string data_directory;
  std::string to;
  FileSystem* file_system = &real_file_system();
  std::string catalog_vfs;  // as EngineOptions
  int64_t hold_timeout_ns = 60 * kNsPerSecond;
  std::function<void(const BackupProgress&)> observer;  // may be empty
};

struct BackupReport {
  uint64_t tables = 0;
  uint64_t segments = 0;
  uint64_t rows = 0;  // in segments
  uint64_t linked_bytes = 0;
  uint64_t copied_bytes = 0;
  uint64_t log_files = 0;
  Lsn replay_from_lsn = 0;  // records from here on are in the log alone
  Lsn last_lsn = 0;         // the newest record in the copy
};

Result<BackupReport> back_up(const BackupOptions& options);

}  // namespace varve
