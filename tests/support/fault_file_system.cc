#include "tests/support/fault_file_system.h"

#include <algorithm>
#include <numeric>
#include <random>

namespace varve {
namespace {

constexpr size_t kSectorBytes = 512;

Error absent(const std::string& path) {
  return not_found(path + ": No such file or directory");
}
Error power_is_off(const std::string& path) {
  return {ErrorCode::kIo, path + ": the power was cut"};
}

// How much of the unsynced bytes of one file stays.
enum class Remains { kSectors, kNothing, kAll, kBeginning, kCount };

std::string mix(const std::string& durable, const std::string& now, std::mt19937_64& random) {
  if (durable == now) return now;
  switch (static_cast<Remains>(random() % static_cast<uint64_t>(Remains::kCount))) {
    case Remains::kNothing:
      return durable;
    case Remains::kAll:
      return now;
    case Remains::kBeginning: {  // the new bytes up to somewhere, at any length between the two
      const size_t shorter = std::min(durable.size(), now.size());
      const size_t longer = std::max(durable.size(), now.size());
      std::string mixed = durable;
      mixed.resize(shorter + random() % (longer - shorter + 1), '\0');
      const size_t until = random() % (std::min(mixed.size(), now.size()) + 1);
      std::copy_n(now.begin(), until, mixed.begin());
      return mixed;
    }
    default:
      break;
  }
  // Each sector of `now` or of `durable`, at either length.
  std::string mixed = random() % 2 == 0 ? durable : now;
  for (size_t at = 0; at < mixed.size(); at += kSectorBytes) {
    const std::string& from = random() % 2 == 0 ? durable : now;
    for (size_t i = at; i < std::min(at + kSectorBytes, mixed.size()); ++i)
      mixed[i] = i < from.size() ? from[i] : '\0';
  }
  return mixed;
}

}  // namespace

std::string_view file_call_name(FileCall call) {
  constexpr std::array<std::string_view, static_cast<size_t>(FileCall::kCount)> kNames = {
      "open",        "read",     "size",   "create",     "append",        "sync",
      "preallocate", "truncate", "rename", "remove",     "create folder", "sync folder",
      "list",        "exists",   "lock",   "disk space", "open in place", "write in place"};
  return kNames.at(static_cast<size_t>(call));
}

class FaultFileSystem::ReadFile : public RandomAccessFile {
 public:
  ReadFile(FaultFileSystem& fs, std::string path, std::shared_ptr<Inode> inode)
      : fs_(fs), path_(std::move(path)), inode_(std::move(inode)), power_cuts_(fs.power_cuts_) {}

  Result<size_t> read(uint64_t offset, std::span<uint8_t> out) const override {
    const std::lock_guard lock(fs_.mutex_);
    if (power_cuts_ != fs_.power_cuts_) return power_is_off(path_);
    return fs_.read(*inode_, path_, offset, out);
  }
  Result<uint64_t> size() const override {
    const std::lock_guard lock(fs_.mutex_);
    if (power_cuts_ != fs_.power_cuts_) return power_is_off(path_);
    if (auto verdict = fs_.judge(FileCall::kSize, path_); verdict.error) return *verdict.error;
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
    if (power_cuts_ != fs_.power_cuts_) return power_is_off(path_);
    return fs_.write(*inode_, FileCall::kAppend, path_, offset_, data);
  }
  Result<void> sync() override {
    const std::lock_guard lock(fs_.mutex_);
    if (power_cuts_ != fs_.power_cuts_) return power_is_off(path_);
    return fs_.sync(*inode_, path_);
  }
  Result<void> preallocate(uint64_t size) override {
    const std::lock_guard lock(fs_.mutex_);
    if (power_cuts_ != fs_.power_cuts_) return power_is_off(path_);
    const Verdict verdict = fs_.judge(FileCall::kPreallocate, path_);
    size = std::min(size, fs_.reserved_max_);
    if (verdict.acts && inode_->bytes.size() < size) inode_->bytes.resize(size, '\0');
    if (verdict.error) return *verdict.error;
    return {};
  }

 private:
  FaultFileSystem& fs_;
  const std::string path_;
  std::shared_ptr<Inode> inode_;
  const uint64_t power_cuts_;
  uint64_t offset_ = 0;
};

class FaultFileSystem::PlacedFile : public InPlaceFile {
 public:
  PlacedFile(FaultFileSystem& fs, std::string path, std::shared_ptr<Inode> inode)
      : fs_(fs), path_(std::move(path)), inode_(std::move(inode)), power_cuts_(fs.power_cuts_) {}

  Result<size_t> read(uint64_t offset, std::span<uint8_t> out) const override {
    const std::lock_guard lock(fs_.mutex_);
    if (power_cuts_ != fs_.power_cuts_) return power_is_off(path_);
    return fs_.read(*inode_, path_, offset, out);
  }
  Result<uint64_t> size() const override {
    const std::lock_guard lock(fs_.mutex_);
    if (power_cuts_ != fs_.power_cuts_) return power_is_off(path_);
    if (auto verdict = fs_.judge(FileCall::kSize, path_); verdict.error) return *verdict.error;
    return uint64_t{inode_->bytes.size()};
  }
  Result<void> write(uint64_t offset, std::string_view data) override {
    const std::lock_guard lock(fs_.mutex_);
    if (power_cuts_ != fs_.power_cuts_) return power_is_off(path_);
    return fs_.write(*inode_, FileCall::kWriteInPlace, path_, offset, data);
  }
  Result<void> truncate(uint64_t size) override {
    const std::lock_guard lock(fs_.mutex_);
    if (power_cuts_ != fs_.power_cuts_) return power_is_off(path_);
    const Verdict verdict = fs_.judge(FileCall::kTruncate, path_);
    if (verdict.acts) resize(*inode_, size);
    if (verdict.error) return *verdict.error;
    return {};
  }
  Result<void> sync() override {
    const std::lock_guard lock(fs_.mutex_);
    if (power_cuts_ != fs_.power_cuts_) return power_is_off(path_);
    return fs_.sync(*inode_, path_);
  }

 private:
  FaultFileSystem& fs_;
  const std::string path_;
  std::shared_ptr<Inode> inode_;
  const uint64_t power_cuts_;
};

class FaultFileSystem::Lock : public FileLock {
 public:
  Lock(FaultFileSystem& fs, std::string path)
      : fs_(fs), path_(std::move(path)), power_cuts_(fs.power_cuts_) {}
  ~Lock() override {
    const std::lock_guard lock(fs_.mutex_);
    if (power_cuts_ == fs_.power_cuts_) fs_.locks_.erase(path_);
  }

 private:
  FaultFileSystem& fs_;
  const std::string path_;
  const uint64_t power_cuts_;
};

FaultFileSystem::FaultFileSystem() = default;
FaultFileSystem::~FaultFileSystem() = default;

// ---- faults ----

void FaultFileSystem::fail(FileCall call, int nth, Error error, int count, size_t written_first) {
  const std::lock_guard lock(mutex_);
  faults_[static_cast<size_t>(call)] = {nth, count, std::move(error), written_first};
}

void FaultFileSystem::fail(Rule rule) {
  const std::lock_guard lock(mutex_);
  rule_ = std::move(rule);
  struck_ = 0;
  struck_call_.clear();
}

int FaultFileSystem::struck() const {
  const std::lock_guard lock(mutex_);
  return struck_;
}

std::string FaultFileSystem::struck_call() const {
  const std::lock_guard lock(mutex_);
  return struck_call_;
}

void FaultFileSystem::clear_faults() {
  const std::lock_guard lock(mutex_);
  faults_ = {};
  rule_.reset();
}

int FaultFileSystem::calls(FileCall call) const {
  const std::lock_guard lock(mutex_);
  return calls_[static_cast<size_t>(call)];
}

int FaultFileSystem::all_calls() const {
  const std::lock_guard lock(mutex_);
  return std::accumulate(calls_.begin(), calls_.end(), 0);
}

void FaultFileSystem::lie(Matches lies) {
  const std::lock_guard lock(mutex_);
  lies_ = std::move(lies);
}

FaultFileSystem::Verdict FaultFileSystem::judge(FileCall call, const std::string& path, size_t write_bytes) {
  ++calls_[static_cast<size_t>(call)];
  if (cut_) return {.error = power_is_off(path), .acts = false, .written = 0};
  if (calls_until_cut_ > 0 && --calls_until_cut_ == 0) {
    cut_ = true;
    return {.error = power_is_off(path), .acts = true};
  }
  Fault& fault = faults_[static_cast<size_t>(call)];
  if (fault.nth > 1) {
    --fault.nth;
  } else if (fault.nth == 1) {
    if (--fault.count <= 0) fault.nth = 0;
    return {.error = with_context(fault.error, path), .acts = false, .written = fault.written_first};
  }
  if (rule_ && rule_->count > 0 && rule_->matches(call, path)) {
    if (rule_->nth > 1) {
      --rule_->nth;
    } else {
      --rule_->count;
      if (struck_++ == 0) struck_call_ = std::string(file_call_name(call)) + " " + path;
      return {.error = with_context(rule_->error, path),
              .acts = false,
              .written = rule_->half_written ? write_bytes / 2 : 0};
    }
  }
  if (lies_ && lies_(call, path)) return {.acts = false, .lies = true, .written = 0};
  return {};
}

Result<void> FaultFileSystem::write(Inode& inode, FileCall call, const std::string& path, uint64_t& offset,
                                    std::string_view bytes) {
  const Verdict verdict = judge(call, path, bytes.size());
  const size_t space = verdict.lies ? bytes.size() : 0;
  if (verdict.written) bytes = bytes.substr(0, *verdict.written);
  std::string& all = inode.bytes;
  if (all.size() < offset + std::max(space, bytes.size()))
    all.resize(offset + std::max(space, bytes.size()), '\0');
  std::copy(bytes.begin(), bytes.end(), all.begin() + static_cast<std::ptrdiff_t>(offset));
  offset += std::max(space, bytes.size());
  if (verdict.error) return *verdict.error;
  return {};
}

Result<void> FaultFileSystem::sync(Inode& inode, const std::string& path) {
  const Verdict verdict = judge(FileCall::kSync, path);
  if (verdict.error) {
    inode.unsyncable = !cut_ && !inode.in_place;  // a kill in the middle leaves the bytes for a later sync
    return *verdict.error;
  }
  if (!verdict.acts || inode.unsyncable) return {};
  inode.durable = inode.bytes;
  inode.untruncated.reset();
  return {};
}

Result<size_t> FaultFileSystem::read(const Inode& inode, const std::string& path, uint64_t offset,
                                     std::span<uint8_t> out) {
  if (auto verdict = judge(FileCall::kRead, path); verdict.error) return *verdict.error;
  const std::string& bytes = inode.bytes;
  if (offset >= bytes.size()) return size_t{0};
  const size_t count = std::min<size_t>(out.size(), bytes.size() - offset);
  std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
  return count;
}

// ---- power ----

void FaultFileSystem::resize(Inode& inode, uint64_t bytes) {
  if (bytes < inode.bytes.size()) {
    if (!inode.untruncated) inode.shortest = inode.untruncated.emplace(inode.bytes).size();
    inode.shortest = std::min<size_t>(inode.shortest, bytes);
  }
  inode.bytes.resize(bytes, '\0');
}

// A file cut shorter is so on disk or is not: no sector of the part cut off turns to zeros by itself.
std::string FaultFileSystem::remains(const Inode& inode, std::mt19937_64& random) {
  if (!inode.untruncated) return mix(inode.durable, inode.bytes, random);
  if (random() % 2 == 0) return mix(inode.durable, *inode.untruncated, random);
  return mix(inode.durable.substr(0, inode.shortest), inode.bytes, random);
}

void FaultFileSystem::cut_at(int nth) {
  const std::lock_guard lock(mutex_);
  calls_until_cut_ = nth;
}

void FaultFileSystem::cut_now() {
  const std::lock_guard lock(mutex_);
  cut_ = true;
}

bool FaultFileSystem::is_cut() const {
  const std::lock_guard lock(mutex_);
  return cut_;
}

void FaultFileSystem::power_cut(std::optional<uint64_t> seed) {
  const std::lock_guard lock(mutex_);
  std::mt19937_64 random(seed.value_or(0));
  ++power_cuts_;
  cut_ = false;
  calls_until_cut_ = 0;
  Names kept = durable_names_;
  if (seed) {  // a name made or removed without a sync of its folder may have reached the disk by itself
    for (const auto& [path, inode] : durable_names_) {
      if (!names_.contains(path) && random() % 2 == 0) kept.erase(path);
    }
    for (const auto& [path, inode] : names_) {
      const auto durable = durable_names_.find(path);
      if (durable != durable_names_.end() && durable->second == inode) continue;
      if (random() % 2 == 0) kept.insert_or_assign(path, inode);
    }
  }
  std::set<Inode*> settled;  // a rename that half happened leaves two names of one file
  for (const auto& [path, inode] : kept) {
    if (!settled.insert(inode.get()).second) continue;
    std::string left = seed ? remains(*inode, random) : inode->durable;
    const bool in_place = inode->in_place;
    *inode = Inode();
    inode->in_place = in_place;
    inode->bytes = left;
    inode->durable = std::move(left);
  }
  names_ = durable_names_ = kept;
  locks_.clear();
}

void FaultFileSystem::kill() {
  const std::lock_guard lock(mutex_);
  ++power_cuts_;
  cut_ = false;
  calls_until_cut_ = 0;
  locks_.clear();
}

// ---- bytes ----

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

FaultFileSystem::Image FaultFileSystem::image() const {
  const std::lock_guard lock(mutex_);
  Image image;
  for (const auto& [path, inode] : names_) image[path] = inode->bytes;
  return image;
}

void FaultFileSystem::limit_reserved(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  reserved_max_ = bytes;
}

Result<std::shared_ptr<FaultFileSystem::Inode>> FaultFileSystem::find(const std::string& path) const {
  const auto found = names_.find(path);
  if (found == names_.end()) return absent(path);
  return found->second;
}

// ---- FileSystem ----

Result<std::unique_ptr<InPlaceFile>> FaultFileSystem::open_in_place(const std::string& path, bool create) {
  const std::lock_guard lock(mutex_);
  const Verdict verdict = judge(FileCall::kOpenInPlace, path);
  if (verdict.error) return *verdict.error;
  if (!folders_.contains(parent_directory(path))) return absent(path);
  if (!names_.contains(path)) {
    if (!create) return absent(path);
    names_[path] = std::make_shared<Inode>();
  }
  names_[path]->in_place = true;
  return std::make_unique<PlacedFile>(*this, path, names_[path]);
}

Result<std::unique_ptr<RandomAccessFile>> FaultFileSystem::open_read(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto verdict = judge(FileCall::kOpenRead, path); verdict.error) return *verdict.error;
  VARVE_ASSIGN(auto inode, find(path));
  return std::make_unique<ReadFile>(*this, path, std::move(inode));
}

Result<std::unique_ptr<WritableFile>> FaultFileSystem::create(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Verdict verdict = judge(FileCall::kCreate, path);
  if (!verdict.acts && verdict.error) return *verdict.error;
  if (!folders_.contains(parent_directory(path))) return absent(path);
  if (names_.contains(path)) return Error{ErrorCode::kIo, path + ": File exists"};
  auto inode = std::make_shared<Inode>();
  names_[path] = inode;
  if (verdict.error) return *verdict.error;
  return std::make_unique<WriteFile>(*this, path, std::move(inode));
}

Result<void> FaultFileSystem::truncate(const std::string& path, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const Verdict verdict = judge(FileCall::kTruncate, path);
  if (!verdict.acts && verdict.error) return *verdict.error;
  VARVE_ASSIGN(const auto inode, find(path));
  if (verdict.acts) resize(*inode, bytes);
  if (verdict.error) return *verdict.error;
  if (verdict.acts) {
    inode->durable = inode->bytes;
    inode->untruncated.reset();
  }
  return {};
}

Result<void> FaultFileSystem::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  const Verdict verdict = judge(FileCall::kRename, from);
  if (!verdict.acts && verdict.error) return *verdict.error;
  VARVE_ASSIGN(auto inode, find(from));
  if (!folders_.contains(parent_directory(to))) return absent(to);
  if (verdict.acts) {
    names_.erase(from);
    names_[to] = std::move(inode);
  }
  if (verdict.error) return *verdict.error;
  return {};
}

Result<void> FaultFileSystem::remove(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Verdict verdict = judge(FileCall::kRemove, path);
  if (!verdict.acts && verdict.error) return *verdict.error;
  VARVE_TRY(find(path));
  if (verdict.acts) names_.erase(path);
  if (verdict.error) return *verdict.error;
  return {};
}

Result<void> FaultFileSystem::create_directories(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto verdict = judge(FileCall::kCreateDirectories, path); verdict.error) return *verdict.error;
  for (std::string folder = path; folders_.insert(folder).second;) folder = parent_directory(folder);
  return {};
}

Result<void> FaultFileSystem::sync_directory(const std::string& path) {
  const std::lock_guard lock(mutex_);
  const Verdict verdict = judge(FileCall::kSyncDirectory, path);
  if (verdict.error) return *verdict.error;
  if (!folders_.contains(path)) return absent(path);
  if (!verdict.acts) return {};
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
  if (auto verdict = judge(FileCall::kList, path); verdict.error) return *verdict.error;
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
  if (auto verdict = judge(FileCall::kExists, path); verdict.error) return *verdict.error;
  return names_.contains(path) || folders_.contains(path);
}

void FaultFileSystem::set_disk(uint64_t free_bytes, uint64_t total_bytes) {
  const std::lock_guard lock(mutex_);
  free_bytes_ = free_bytes;
  total_bytes_ = total_bytes;
}

Result<uint64_t> FaultFileSystem::free_bytes(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto verdict = judge(FileCall::kDiskSpace, path); verdict.error) return *verdict.error;
  return uint64_t{free_bytes_};
}

Result<uint64_t> FaultFileSystem::total_bytes(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto verdict = judge(FileCall::kDiskSpace, path); verdict.error) return *verdict.error;
  return uint64_t{total_bytes_};
}

Result<std::unique_ptr<FileLock>> FaultFileSystem::lock(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (auto verdict = judge(FileCall::kLock, path); verdict.error) return *verdict.error;
  if (!locks_.insert(path).second) return unavailable(path + " is locked by another process");
  return std::make_unique<Lock>(*this, path);
}

}  // namespace varve
