#include "tests/support/fault_file_system.h"

#include <algorithm>
#include <random>

namespace varve {
namespace {

constexpr size_t kSectorBytes = 512;

Error absent(const std::string& path) {
  return not_found(path + ": No such file or directory");
}
Error dead_handle() {
  return {ErrorCode::kIo, "the power was cut"};
}

// Each sector of `now` or of `durable`, at random.
std::string mix_sectors(const std::string& durable, const std::string& now, std::mt19937_64& random) {
  std::string mixed = random() % 2 == 0 ? durable : now;
  for (size_t at = 0; at < mixed.size(); at += kSectorBytes) {
    const std::string& from = random() % 2 == 0 ? durable : now;
    for (size_t i = at; i < std::min(at + kSectorBytes, mixed.size()); ++i)
      mixed[i] = i < from.size() ? from[i] : '\0';
  }
  return mixed;
}

}  // namespace

class FaultFileSystem::ReadFile : public RandomAccessFile {
 public:
  ReadFile(FaultFileSystem& fs, std::string path, std::shared_ptr<Inode> inode)
      : fs_(fs), path_(std::move(path)), inode_(std::move(inode)), power_cuts_(fs.power_cuts_) {}

  Result<size_t> read(uint64_t offset, std::span<uint8_t> out) const override {
    const std::lock_guard lock(fs_.mutex_);
    if (auto failed = fs_.count_call(FileCall::kRead, path_)) return *failed;
    if (power_cuts_ != fs_.power_cuts_) return dead_handle();
    const std::string& bytes = inode_->bytes;
    if (offset >= bytes.size()) return size_t{0};
    const size_t count = std::min<size_t>(out.size(), bytes.size() - offset);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
    return count;
  }
  Result<uint64_t> size() const override {
    const std::lock_guard lock(fs_.mutex_);
    return uint64_t{inode_->bytes.size()};
  }

 private:
  FaultFileSystem& fs_;
  const std::string path_;
  std::shared_ptr<Inode> inode_;
  const uint64_t power_cuts_;
};

class FaultFileSystem::WriteFile : public WritableFile {
 public:
  WriteFile(FaultFileSystem& fs, std::string path, std::shared_ptr<Inode> inode)
      : fs_(fs), path_(std::move(path)), inode_(std::move(inode)), power_cuts_(fs.power_cuts_) {}

  Result<void> append(std::string_view data) override {
    const std::lock_guard lock(fs_.mutex_);
    size_t written_first = 0;
    const auto failed = fs_.count_call(FileCall::kAppend, path_, &written_first);
    if (power_cuts_ != fs_.power_cuts_) return dead_handle();
    if (failed) data = data.substr(0, written_first);
    std::string& all = inode_->bytes;
    if (all.size() < offset_ + data.size()) all.resize(offset_ + data.size(), '\0');
    std::copy(data.begin(), data.end(), all.begin() + static_cast<std::ptrdiff_t>(offset_));
    offset_ += data.size();
    if (failed) return *failed;
    return {};
  }
  Result<void> sync() override {
    const std::lock_guard lock(fs_.mutex_);
    if (auto failed = fs_.count_call(FileCall::kSync, path_)) return *failed;
    if (power_cuts_ != fs_.power_cuts_) return dead_handle();
    inode_->durable = inode_->bytes;
    return {};
  }
  Result<void> preallocate(uint64_t size) override {
    const std::lock_guard lock(fs_.mutex_);
    if (auto failed = fs_.count_call(FileCall::kPreallocate, path_)) return *failed;
    if (power_cuts_ != fs_.power_cuts_) return dead_handle();
    if (inode_->bytes.size() < size) inode_->bytes.resize(size, '\0');
    return {};
  }

 private:
  FaultFileSystem& fs_;
  const std::string path_;
  std::shared_ptr<Inode> inode_;
  const uint64_t power_cuts_;
  uint64_t offset_ = 0;
};

class FaultFileSystem::Lock : public FileLock {
 public:
  Lock(FaultFileSystem& fs, std::string path) : fs_(fs), path_(std::move(path)) {}
  ~Lock() override {
    const std::lock_guard lock(fs_.mutex_);
    fs_.locks_.erase(path_);
  }

 private:
  FaultFileSystem& fs_;
  const std::string path_;
};

FaultFileSystem::FaultFileSystem() = default;
FaultFileSystem::~FaultFileSystem() = default;

void FaultFileSystem::fail(FileCall call, int nth, Error error, int count, size_t written_first) {
  const std::lock_guard lock(mutex_);
  faults_[static_cast<size_t>(call)] = {nth, count, std::move(error), written_first};
}

void FaultFileSystem::clear_faults() {
  const std::lock_guard lock(mutex_);
  faults_ = {};
}

int FaultFileSystem::calls(FileCall call) const {
  const std::lock_guard lock(mutex_);
  return calls_[static_cast<size_t>(call)];
}

std::optional<Error> FaultFileSystem::count_call(FileCall call, const std::string& path,
                                                 size_t* written_first) {
  ++calls_[static_cast<size_t>(call)];
  Fault& fault = faults_[static_cast<size_t>(call)];
  if (fault.nth == 0) return std::nullopt;
  if (fault.nth > 1) {
    --fault.nth;
    return std::nullopt;
  }
  if (--fault.count <= 0) fault.nth = 0;
  if (written_first != nullptr) *written_first = fault.written_first;
  return with_context(fault.error, path);
}

void FaultFileSystem::power_cut(std::optional<uint64_t> seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed.value_or(0));
  ++power_cuts_;
  Names kept = durable_names_;
  if (seed) {  // a name that was not synced may have reached the disk by itself
    for (const auto& [path, inode] : names_) {
      if (random() % 2 == 0) kept.insert_or_assign(path, inode);
    }
  }
  for (const auto& [path, inode] : kept) {
    inode->bytes = seed ? mix_sectors(inode->durable, inode->bytes, random) : inode->durable;
    inode->durable = inode->bytes;
  }
  names_ = durable_names_ = kept;
  locks_.clear();
}

std::string FaultFileSystem::bytes(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto inode = find(path);
  return inode ? (*inode)->bytes : std::string();
}

void FaultFileSystem::set_bytes(const std::string& path, std::string bytes) {
  const std::lock_guard lock(mutex_);
  auto inode = std::make_shared<Inode>();
  inode->bytes = inode->durable = std::move(bytes);
  names_[path] = durable_names_[path] = inode;
  for (std::string folder = parent_directory(path); folders_.insert(folder).second;)
    folder = parent_directory(folder);
}

Result<std::shared_ptr<FaultFileSystem::Inode>> FaultFileSystem::find(const std::string& path) const {
  const auto found = names_.find(path);
  if (found == names_.end()) return absent(path);
  return found->second;
}

Result<std::unique_ptr<RandomAccessFile>> FaultFileSystem::open_read(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kOpenRead, path)) return *failed;
  VARVE_ASSIGN(auto inode, find(path));
  return std::make_unique<ReadFile>(*this, path, std::move(inode));
}

Result<std::unique_ptr<WritableFile>> FaultFileSystem::create(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kCreate, path)) return *failed;
  if (!folders_.contains(parent_directory(path))) return absent(path);
  if (names_.contains(path)) return Error{ErrorCode::kIo, path + ": File exists"};
  auto inode = std::make_shared<Inode>();
  names_[path] = inode;
  return std::make_unique<WriteFile>(*this, path, std::move(inode));
}

Result<void> FaultFileSystem::truncate(const std::string& path, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kTruncate, path)) return *failed;
  VARVE_ASSIGN(const auto inode, find(path));
  inode->bytes.resize(bytes, '\0');
  inode->durable = inode->bytes;
  return {};
}

Result<void> FaultFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kRename, from)) return *failed;
  VARVE_ASSIGN(auto inode, find(from));
  if (!folders_.contains(parent_directory(to))) return absent(to);
  names_.erase(from);
  names_[to] = std::move(inode);
  return {};
}

Result<void> FaultFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kRemove, path)) return *failed;
  VARVE_TRY(find(path));
  names_.erase(path);
  return {};
}

Result<void> FaultFileSystem::create_directories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kCreateDirectories, path)) return *failed;
  for (std::string folder = path; folders_.insert(folder).second;) folder = parent_directory(folder);
  return {};
}

Result<void> FaultFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kSyncDirectory, path)) return *failed;
  if (!folders_.contains(path)) return absent(path);
  std::erase_if(durable_names_, [&](const auto& entry) {
    return parent_directory(entry.first) == path && !names_.contains(entry.first);
  });
  for (const auto& [name, inode] : names_) {
    if (parent_directory(name) == path) durable_names_[name] = inode;
  }
  return {};
}

Result<std::vector<std::string>> FaultFileSystem::list(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kList, path)) return *failed;
  if (!folders_.contains(path)) return absent(path);
  std::vector<std::string> inside;
  const auto add = [&](const std::string& entry) {
    if (entry != path && parent_directory(entry) == path)
      inside.push_back(entry.substr(entry.rfind('/') + 1));
  };
  for (const auto& [name, inode] : names_) add(name);
  for (const std::string& folder : folders_) add(folder);
  std::sort(inside.begin(), inside.end());
  return inside;
}

Result<bool> FaultFileSystem::exists(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kExists, path)) return *failed;
  return names_.contains(path) || folders_.contains(path);
}

void FaultFileSystem::set_disk(uint64_t free_bytes, uint64_t total_bytes) {
  const std::lock_guard lock(mutex_);
  free_bytes_ = free_bytes;
  total_bytes_ = total_bytes;
}

Result<uint64_t> FaultFileSystem::free_bytes(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kDiskSpace, path)) return *failed;
  return uint64_t{free_bytes_};
}

Result<uint64_t> FaultFileSystem::total_bytes(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kDiskSpace, path)) return *failed;
  return uint64_t{total_bytes_};
}

Result<std::unique_ptr<FileLock>> FaultFileSystem::lock(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto failed = count_call(FileCall::kLock, path)) return *failed;
  if (!locks_.insert(path).second) return unavailable(path + " is locked by another process");
  return std::make_unique<Lock>(*this, path);
}

}  // namespace varve
