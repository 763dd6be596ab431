#include "storage/segment/open_files.h"

namespace varve {

class SharedFileSource final : public ByteSource {
 public:
  SharedFileSource(std::shared_ptr<OpenFiles> files, std::string path)
      : files_(std::move(files)), path_(std::move(path)) {}
  ~SharedFileSource() override { files_->forget(this); }
  SharedFileSource(const SharedFileSource&) = delete;
  SharedFileSource& operator=(const SharedFileSource&) = delete;

  Result<void> open() {
    VARVE_ASSIGN(const auto file, files_->file(this, path_));
    VARVE_ASSIGN(size_, file->size());
    return {};
  }

  uint64_t size() const override { return size_; }
  Result<void> read(uint64_t offset, std::span<uint8_t> out) const override {
    VARVE_ASSIGN(const auto file, this->file());
    VARVE_ASSIGN(const size_t got, file->read(offset, out));
    if (got != out.size()) return read_ends_early(offset, out.size(), size_);
    return {};
  }
  Result<void> hold() const override {
    VARVE_ASSIGN(auto file, this->file());
    const std::lock_guard lock(held_mutex_);
    held_ = std::move(file);
    return {};
  }

 private:
  Result<std::shared_ptr<RandomAccessFile>> file() const {
    {
      const std::lock_guard lock(held_mutex_);
      if (held_ != nullptr) return held_;
    }
    return files_->file(this, path_);
  }

  const std::shared_ptr<OpenFiles> files_;
  const std::string path_;
  uint64_t size_ = 0;
  mutable std::mutex held_mutex_;
  mutable std::shared_ptr<RandomAccessFile> held_;
};

Result<std::shared_ptr<const ByteSource>> OpenFiles::source(const std::string& path) {
  auto source = std::make_shared<SharedFileSource>(shared_from_this(), path);
  VARVE_TRY(source->open());
  return std::shared_ptr<const ByteSource>(std::move(source));
}

size_t OpenFiles::open() const {
  const std::lock_guard lock(mutex_);
  return recent_.size();
}

Result<OpenFiles::File> OpenFiles::file(const void* owner, const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = places_.find(owner); known != places_.end()) {
      recent_.splice(recent_.begin(), recent_, known->second);
      return known->second->file;
    }
  }
  VARVE_ASSIGN(std::unique_ptr<RandomAccessFile> opened, file_system_.open_read(path));
  File file = std::move(opened);
  File closed;  // after the lock is gone
  const std::lock_guard lock(mutex_);
  if (const auto known = places_.find(owner); known != places_.end()) return known->second->file;
  if (recent_.size() >= open_max_) {
    closed = std::move(recent_.back().file);
    places_.erase(recent_.back().owner);
    recent_.pop_back();
  }
  recent_.push_front({owner, file});
  places_.emplace(owner, recent_.begin());
  return file;
}

void OpenFiles::forget(const void* owner) {
  File closed;
  const std::lock_guard lock(mutex_);
  const auto known = places_.find(owner);
  if (known == places_.end()) return;
  closed = std::move(known->second->file);
  recent_.erase(known->second);
  places_.erase(known);
}

}  // namespace varve
