// A file system in memory that keeps apart what is written and what is durable, and fails calls when told.
//   durable:      a file's bytes after its sync(); a name after sync_directory() of its folder; folders at once
//   power_cut():  what is not durable goes (or, with a seed, a random part of it stays, in 512-byte sectors);
//                 every open handle is dead afterwards
// A sync that fails drops what it should have kept: the file stays readable, and no later sync makes it durable.
// It can also lie: claim success and do nothing, as a broken disk or a program that forgot a call would.
// Threads: any.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "storage/base/file.h"

namespace varve {

enum class FileCall {
  kOpenRead,
  kRead,
  kSize,
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
  kOpenInPlace,
  kWriteInPlace,
  kCount
};

std::string_view file_call_name(FileCall call);  // "append" ...

// A file read and written at any place, as a database does.
class InPlaceFile : public RandomAccessFile {
 public:
  virtual Result<void> write(uint64_t offset, std::string_view bytes) = 0;
  virtual Result<void> truncate(uint64_t bytes) = 0;  // durable after sync()
  virtual Result<void> sync() = 0;
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
  // The same over all calls that `matches` (called with the lock held) picks. `half_written`: a write that fails
  // has written half of its bytes.
  using Matches = std::function<bool(FileCall call, std::string_view path)>;
  struct Rule {
    Matches matches;
    int nth = 1;
    int count = 1;
    Error error{ErrorCode::kIo, "injected failure"};
    bool half_written = false;
  };
  void fail(Rule rule);
  int struck() const;               // how many calls the rule has failed
  std::string struck_call() const;  // the first of them: "append /d/wal/1.wal"
  void clear_faults();
  int calls(FileCall call) const;  // since the start
  int all_calls() const;

  // Calls picked by `lies` succeed and do nothing (a write loses its bytes but takes its space). Empty: no lies.
  void lie(Matches lies);

  // ---- power ----
  // The `nth` call from now is under way when the power goes: what it changes is not durable, and it and every later
  // call fail until power_cut() says what stayed. 0 = no cut.
  void cut_at(int nth);
  void cut_now();
  bool is_cut() const;
  void power_cut(std::optional<uint64_t> seed = std::nullopt);
  void set_disk(uint64_t free_bytes, uint64_t total_bytes);  // what the calls of these names say
  // The program was killed and the machine runs on: open handles and locks go, what is written stays, not yet durable.
  void kill();

  // ---- bytes, for tests to look at and damage; durable at once ----
  std::string bytes(const std::string& path) const;
  void set_bytes(const std::string& path, std::string bytes);
  using Image = std::map<std::string, std::string>;  // by path
  Image image() const;                               // as a reader sees it now
  // preallocate() reserves no more than this, so that a small test is not about megabytes of zeros.
  void limit_reserved(uint64_t bytes);

  // For a database's own file layer. `create`: made when missing.
  Result<std::unique_ptr<InPlaceFile>> open_in_place(const std::string& path, bool create);

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
    std::optional<std::string> untruncated;  // as it was before it was cut shorter, while that is not durable
    size_t shortest = 0;                     // what it was cut to, at the least
    bool in_place = false;    // a database: it writes its pages again, so a failed sync is not for ever
    bool unsyncable = false;  // a sync failed; until the next power cut
  };
  struct Fault {
    int nth = 0;  // calls until it strikes; 0 = none
    int count = 0;
    Error error{ErrorCode::kIo, ""};
    size_t written_first = 0;
  };
  // What a call does: its error, and how much of its work is done all the same.
  struct Verdict {
    std::optional<Error> error{};
    bool acts = true;   // changes what is written (never what is durable, when there is an error)
    bool lies = false;  // claims success
    std::optional<size_t> written{};  // bytes of a write that happen; nothing = all
  };
  class ReadFile;
  class WriteFile;
  class PlacedFile;
  class Lock;
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  Verdict judge(FileCall call, const std::string& path, size_t write_bytes = 0);
  Result<void> write(Inode& inode, FileCall call, const std::string& path, uint64_t& offset,
                     std::string_view bytes);
  Result<void> sync(Inode& inode, const std::string& path);
  static void resize(Inode& inode, uint64_t bytes);
  static std::string remains(const Inode& inode, std::mt19937_64& random);
  Result<size_t> read(const Inode& inode, const std::string& path, uint64_t offset, std::span<uint8_t> out);
  Result<std::shared_ptr<Inode>> find(const std::string& path) const;

  mutable std::mutex mutex_;  // guards everything
  Names names_;
  Names durable_names_;
  std::set<std::string> folders_;
  std::set<std::string> locks_;
  std::array<int, static_cast<size_t>(FileCall::kCount)> calls_{};
  std::array<Fault, static_cast<size_t>(FileCall::kCount)> faults_{};
  std::optional<Rule> rule_;
  int struck_ = 0;
  std::string struck_call_;
  Matches lies_;
  int calls_until_cut_ = 0;  // 0 = no cut is planned
  bool cut_ = false;
  uint64_t reserved_max_ = UINT64_MAX;
  uint64_t power_cuts_ = 0;  // a handle from before the last one is dead
  uint64_t free_bytes_ = uint64_t{1} << 40;
  uint64_t total_bytes_ = uint64_t{1} << 41;
};

}  // namespace varve
