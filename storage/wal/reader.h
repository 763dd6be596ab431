// Reads a log's records in order, at start-up and behind a running writer.
// A record is handed out only when both its checksums verify. Bytes that do not verify are passed over to the next
// record that does; what was lost is listed in damage(). Bytes of the last file without proof that they had been
// synced (format.h) are the end of the log for now: next() says false, and looks again when called again.
// Behind a writer, pass its durable_lsn() as `limit`: then nothing is read that is not written whole, and waiting
// costs no reads. The writer may take back what lies above the limit (a full disk, wal.h) and write other records under
// those lsns: bytes read early are read again, and a file that is gone is looked for under its name.
// Errors:  kIo; kUnsupported for a file of a newer version. Damage is not an error.
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"
#include "storage/base/file.h"
#include "storage/wal/format.h"

namespace varve {

struct WalRecordView {
  Lsn lsn = 0;
  std::string_view payload;  // valid until the next call of next()
  uint64_t bytes = 0;        // on disk, header included
  Lsn file_lsn = 0;          // its file: the first lsn that one can hold
  uint64_t end_offset = 0;   // in its file, just behind it
};

// Records that are in no file any more.
struct WalDamage {
  std::string file;     // path of the file that is damaged, or before which files are missing
  uint64_t offset = 0;  // of the first damaged byte
  uint64_t bytes = 0;   // damaged; 0 when files are missing
  Lsn first_lost = 0;
  Lsn last_lost = 0;
};

// Bytes at the end of the log that are not zero and not records: a write that a crash cut short.
struct WalTornTail {
  std::string file;
  uint64_t offset = 0;
  uint64_t bytes = 0;  // up to the last one that is not zero
};

class WalReader {
 public:
  // Starts at the first record kept whose lsn is at least `from_lsn`. A missing folder reads as an empty log.
  static Result<std::unique_ptr<WalReader>> open(FileSystem& file_system, std::string directory,
                                                 Lsn from_lsn);
  ~WalReader();

  // False: no record up to `limit` is there now.
  Result<bool> next(WalRecordView& record, Lsn limit = UINT64_MAX);
  Lsn position() const { return expected_; }  // the lsn next() will look for
  const std::vector<WalDamage>& damage() const { return damage_; }
  // After next() said false without a limit.
  Result<std::optional<WalTornTail>> torn_tail();

 private:
  class OpenFile;
  enum class Step { kRecord, kAgain, kEnd };

  WalReader(FileSystem& file_system, std::string directory, Lsn from_lsn);
  Result<std::vector<Lsn>> list_files();
  Result<bool> open_first_file();
  Result<void> open_file(const std::vector<Lsn>& files, size_t index);
  Result<Step> step(WalRecordView& record, Lsn limit);
  Result<Step> pass_mark(const WalRecordHeader& mark);
  Result<Step> pass_damage();
  Result<bool> was_synced(uint64_t from_offset);
  void report_lost(Lsn first_found);
  Result<Step> leave_file();
  void reopen();

  FileSystem& file_system_;
  const std::string directory_;
  Lsn expected_;
  std::unique_ptr<OpenFile> file_;
  Lsn final_lsn_ = 0;           // records up to here were final when file_'s window was read
  uint64_t offset_ = 0;         // in file_, of what is read next
  Lsn lsn_at_offset_ = 0;       // of the record that belongs there
  uint64_t damage_offset_ = 0;  // of the bytes passed over since the last valid record
  uint64_t damage_bytes_ = 0;
  std::vector<WalDamage> damage_;
};

}  // namespace varve
