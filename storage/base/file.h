// The operating system's files behind one small interface, so that tests can fail any call.
// Only file.cc calls open, fsync, rename and their kin. EINTR and short transfers are retried inside; a short read
// means end of file.
// Errors: kIo with path and errno text; kNotFound when the path is absent; kExhausted when a call had no room (ENOSPC,
//         EDQUOT, EFBIG): it may be tried again once there is some. A sync is never kExhausted: see WritableFile.
// Crash promises: data is durable after sync(); a created, renamed or removed name after sync_directory().
// Threads: FileSystem and RandomAccessFile may be shared; a WritableFile belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"

namespace varve {

class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  // Bytes read; fewer than out.size() only at the end of the file.
  virtual Result<size_t> read(uint64_t offset, std::span<uint8_t> out) const = 0;
  virtual Result<uint64_t> size() const = 0;
};

class WritableFile {
 public:
  virtual ~WritableFile() = default;  // closes without syncing
  // Writes at the end of what this object wrote before.
  virtual Result<void> append(std::string_view bytes) = 0;
  // fdatasync. After an error, always kIo, what reached disk is unknown: never retry.
  virtual Result<void> sync() = 0;
  // Reserves disk space up to `bytes` from the start, filled with zeros, so that later syncs move no metadata.
  virtual Result<void> preallocate(uint64_t bytes) = 0;
};

// Held until destroyed.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<RandomAccessFile>> open_read(const std::string& path) = 0;
  virtual Result<std::unique_ptr<WritableFile>> create(
      const std::string& path) = 0;                                            // fails if it exists; 0600
  virtual Result<void> truncate(const std::string& path, uint64_t bytes) = 0;  // and syncs
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  // A second name of the same file. kUnsupported where there can be none: the caller copies.
  virtual Result<void> link(const std::string& from, const std::string& to);
  virtual Result<void> create_directories(const std::string& path) = 0;  // 0700; fine if it exists
  virtual Result<void> sync_directory(const std::string& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;  // names, sorted
  virtual Result<bool> exists(const std::string& path) = 0;
  // Of the file system that holds `path`: what an ordinary user may still write, and its size.
  virtual Result<uint64_t> free_bytes(const std::string& path) = 0;
  virtual Result<uint64_t> total_bytes(const std::string& path) = 0;
  // kUnavailable when another process holds it.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;

  // Conveniences on the calls above.
  Result<std::string> read_all(const std::string& path);
  // Temp file beside `path`, sync, rename, sync of the directory: readers see the old bytes or the new, never a mix.
  Result<void> write_atomically(const std::string& path, std::string_view bytes);
};

FileSystem& real_file_system();

std::string join_path(std::string_view directory, std::string_view name);
std::string parent_directory(std::string_view path);

}  // namespace varve
