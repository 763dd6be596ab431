// Keeps the files of segments open for reading, at most so many at once: a store may have more segments than the
// process may have descriptors. A file is opened when it is read, and the one read longest ago is closed for it.
// Errors:  kIo, kNotFound from opening again.
// Threads: every method from any thread.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "storage/base/error.h"
#include "storage/base/file.h"
#include "storage/segment/byte_source.h"

namespace varve {

// Half of the descriptors a process usually may have (1024); the other half is for connections and the log.
constexpr size_t kOpenSegmentFilesMax = 512;

class OpenFiles : public std::enable_shared_from_this<OpenFiles> {
 public:
  OpenFiles(FileSystem& file_system, size_t open_max) : file_system_(file_system), open_max_(open_max) {}

  // `path` has to stay what it is while the source lives, or until the source is held.
  Result<std::shared_ptr<const ByteSource>> source(const std::string& path);
  size_t open() const;

 private:
  friend class SharedFileSource;
  using File = std::shared_ptr<RandomAccessFile>;
  struct Entry {
    const void* owner;
    File file;
  };
  Result<File> file(const void* owner, const std::string& path);
  void forget(const void* owner);

  FileSystem& file_system_;
  const size_t open_max_;
  mutable std::mutex mutex_;  // guards what follows
  std::list<Entry> recent_;   // the last one read comes first
  std::unordered_map<const void*, std::list<Entry>::iterator> places_;
};

}  // namespace varve
