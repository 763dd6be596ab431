// A file system in memory that keeps apart what is written and what is durable, and fails calls when told.
//   durable:      a file's bytes after its sync(); a name after sync_directory() of its folder; folders at once
//   power_cut():  what is not durable goes (or, with a seed, a random part of it stays, in 512-byte sectors);
//                 every open handle is dead afterwards
// Threads: any.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "storage/base/file.h"

namespace varve {

enum class FileCall {
  kOpenRead,
  kRead,
  kCreate,
  kAppend,
  kSync,
  kPreallocate,
  kTruncate,
  kRename,
  kRemove,
  kCreateDirectories,
  kSyncDirectory,
  kList,
  kExists,
  kLock,
  kDiskSpace,  // free_bytes, total_bytes
  kCount
};

class FaultFileSystem : public FileSystem {
 public:
  FaultFileSystem();
  ~FaultFileSystem() override;

  // ---- faults ----
  // The `nth` call of this kind from now (1 = the next) fails with `error`, having done nothing; an append
  // first writes `written_first` bytes. `count` calls in a row fail.
  void fail(FileCall call, int nth, Error error = {ErrorCode::kIo, "injected failure"}, int count = 1,
            size_t written_first = 0);
  void clear_faults();
  int calls(FileCall call) const;  // since the start
  void power_cut(std::optional<uint64_t> seed = std::nullopt);
  void set_disk(uint64_t free_bytes, uint64_t total_bytes);  // what the calls of these names say

  // ---- bytes, for tests to look at and damage; durable at once ----
  std::string bytes(const std::string& path) const;
  void set_bytes(const std::string& path, std::string bytes);

  // ---- FileSystem ----
  Result<std::unique_ptr<RandomAccessFile>> open_read(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override;
  Result<void> truncate(const std::string& path, uint64_t bytes) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> create_directories(const std::string& path) override;
  Result<void> sync_directory(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<uint64_t> free_bytes(const std::string& path) override;
  Result<uint64_t> total_bytes(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

 private:
  struct Inode {
    std::string bytes;
    std::string durable;
  };
  struct Fault {
    int nth = 0;  // calls until it strikes; 0 = none
    int count = 0;
    Error error{ErrorCode::kIo, ""};
    size_t written_first = 0;
  };
  class ReadFile;
  class WriteFile;
  class Lock;
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  std::optional<Error> count_call(FileCall call, const std::string& path, size_t* written_first = nullptr);
  Result<std::shared_ptr<Inode>> find(const std::string& path) const;

  mutable std::mutex mutex_;  // guards everything
  Names names_;
  Names durable_names_;
  std::set<std::string> folders_;
  std::set<std::string> locks_;
  std::array<int, static_cast<size_t>(FileCall::kCount)> calls_{};
  std::array<Fault, static_cast<size_t>(FileCall::kCount)> faults_{};
  uint64_t power_cuts_ = 0;  // a handle from before the last one is dead
  uint64_t free_bytes_ = uint64_t{1} << 40;
  uint64_t total_bytes_ = uint64_t{1} << 41;
};

}  // namespace varve
