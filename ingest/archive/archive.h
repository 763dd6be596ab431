// Keeps the untouched messages of a source in Avro files (container.h), so that they can be decoded again
// (`varve replay`). Messages are gathered by add() and durable after sync(): the source calls it before it hands the log
// a write with their positions, so no message whose position is durable is missing. At least once: what was synced and
// not yet in the log when a process died is read from Kafka and archived again, with the same offset.
//   DIR/TOPIC-20260102T030405.000000006Z-PARTITION-OFFSET.avro    of its first message; topic cut to kTopicBytesMax
//   ....avro.part     being written: renamed when it has roll_bytes, is roll_age old, or the source stops
// After a crash, open() cuts a .part behind its last whole block and renames it. A file that could not be written or
// synced is not touched again but cut and closed, and its block goes to a new one.
// A rename is taken to be atomic when the power goes, as file systems with a journal have it.
// Errors: kUnavailable when another process uses the folder; sync(): kIo, kExhausted; nothing is dropped, call it again.
// Threads: one thread. Memory: what was added since the last sync().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "ingest/archive/container.h"
#include "storage/base/clock.h"
#include "storage/base/file.h"

namespace varve {

struct ArchiveOptions {
  std::string directory;  // empty = no archive
  uint64_t roll_bytes = 256ULL << 20;
  int64_t roll_age_ns = 3600 * kNsPerSecond;
  ArchiveCodec codec = ArchiveCodec::kDeflate;
};

class RawArchive {
 public:
  static constexpr size_t kTopicBytesMax = 160;  // of a topic in a file name: names are 255 bytes at most

  static Result<std::unique_ptr<RawArchive>> open(ArchiveOptions options,
                                                  FileSystem& files = real_file_system(),
                                                  const Clock& clock = real_clock());
  ~RawArchive();  // finishes the files, as far as the disk lets it

  void add(const ArchivedMessage& message);
  Result<void> sync();
  // Finishes files that are due by age; call it now and then.
  Result<void> roll_aged();

  uint64_t messages() const { return messages_; }  // synced by this object
  uint64_t bytes() const { return bytes_; }        // of synced blocks

 private:
  struct File {
    std::string path;  // with .part until it is renamed; empty = none is open
    std::unique_ptr<WritableFile> file;
    uint64_t bytes = 0;  // durable
    int64_t began_ns = 0;
    SyncMarker marker{};
    bool broken = false;  // a write failed: cut to `bytes` before anything else
    // Not yet written.
    std::string records;
    uint64_t count = 0;
    int32_t first_partition = 0;
    int64_t first_offset = 0;
  };

  RawArchive(ArchiveOptions options, FileSystem& files, const Clock& clock)
      : options_(std::move(options)), files_(files), clock_(clock) {}
  Result<void> recover();
  Result<void> create(const std::string& topic, File& file);
  Result<void> write(File& file);
  Result<void> finish(File& file);

  const ArchiveOptions options_;
  FileSystem& files_;
  const Clock& clock_;
  std::unique_ptr<FileLock> lock_;
  std::map<std::string, File, std::less<>> topics_;
  int64_t last_name_ns_ = 0;
  uint64_t messages_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace varve
