#include "storage/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace varve {
namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

Error path_error(std::string_view call, std::string_view path, int errno_value) {
  Error error = io_error(std::string(call) + " " + std::string(path), errno_value);
  if (errno_value == ENOENT) error.code = ErrorCode::kNotFound;
  if (errno_value == ENOSPC || errno_value == EDQUOT || errno_value == EFBIG) {
    error = with_context(std::move(error), "the disk is full, or a quota or file size limit is reached");
    error.code = ErrorCode::kExhausted;
  }
  return error;
}

// For a sync, which is final whatever the reason.
Error sync_error(std::string_view call, std::string_view path, int errno_value) {
  return io_error(std::string(call) + " " + std::string(path), errno_value);
}

template <class Call>
auto retry_on_eintr(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<Descriptor> open_descriptor(const std::string& path, int flags) {
  const int fd = retry_on_eintr([&] { return ::open(path.c_str(), flags | O_CLOEXEC, kFileMode); });
  if (fd < 0) return path_error("open", path, errno);
  return Descriptor(fd);
}

class PosixRandomAccessFile : public RandomAccessFile {
 public:
  PosixRandomAccessFile(std::string path, Descriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<size_t> read(uint64_t offset, std::span<uint8_t> out) const override {
    size_t done = 0;
    while (done < out.size()) {
      const ssize_t n = retry_on_eintr([&] {
        return ::pread(fd_.get(), out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
      });
      if (n < 0) return path_error("read", path_, errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Result<uint64_t> size() const override {
    struct stat info {};
    if (::fstat(fd_.get(), &info) != 0) return path_error("stat", path_, errno);
    return static_cast<uint64_t>(info.st_size);
  }

 private:
  std::string path_;
  Descriptor fd_;
};

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(std::string path, Descriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<void> append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = retry_on_eintr(
          [&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset_)); });
      if (n < 0) return path_error("write", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(n));
      offset_ += static_cast<uint64_t>(n);
    }
    return {};
  }

  Result<void> sync() override {
    if (retry_on_eintr([&] { return ::fdatasync(fd_.get()); }) != 0)
      return sync_error("fdatasync", path_, errno);
    return {};
  }

  Result<void> preallocate(uint64_t bytes) override {
    const int failed = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(bytes));
    if (failed != 0) return path_error("preallocate", path_, failed);
    return {};
  }

 private:
  std::string path_;
  Descriptor fd_;
  uint64_t offset_ = 0;
};

class PosixFileLock : public FileLock {
 public:
  explicit PosixFileLock(Descriptor fd) : fd_(std::move(fd)) {}

 private:
  Descriptor fd_;  // closing it releases the lock
};

class PosixFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<RandomAccessFile>> open_read(const std::string& path) override {
    VARVE_ASSIGN(Descriptor fd, open_descriptor(path, O_RDONLY | O_NOFOLLOW));
    return std::make_unique<PosixRandomAccessFile>(path, std::move(fd));
  }

  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    VARVE_ASSIGN(Descriptor fd, open_descriptor(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
    return std::make_unique<PosixWritableFile>(path, std::move(fd));
  }

  Result<void> truncate(const std::string& path, uint64_t bytes) override {
    VARVE_ASSIGN(Descriptor fd, open_descriptor(path, O_WRONLY | O_NOFOLLOW));
    if (retry_on_eintr([&] { return ::ftruncate(fd.get(), static_cast<off_t>(bytes)); }) != 0) {
      return path_error("truncate", path, errno);
    }
    if (retry_on_eintr([&] { return ::fsync(fd.get()); }) != 0) return sync_error("fsync", path, errno);
    return {};
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return path_error("rename to " + to + " of", from, errno);
    return {};
  }

  Result<void> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return path_error("remove", path, errno);
    return {};
  }

  Result<void> link(const std::string& from, const std::string& to) override {
    if (::link(from.c_str(), to.c_str()) == 0) return {};
    Error error = path_error("link " + to + " to", from, errno);
    const bool never =
        errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP || errno == ENOSYS;
    if (never) error.code = ErrorCode::kUnsupported;
    return error;
  }

  Result<void> create_directories(const std::string& path) override {
    if (::mkdir(path.c_str(), kDirectoryMode) == 0) return sync_directory(parent_directory(path));
    if (errno == ENOENT) {
      const std::string parent = parent_directory(path);
      if (parent == path) return path_error("create folder", path, ENOENT);
      VARVE_TRY(create_directories(parent));
      if (::mkdir(path.c_str(), kDirectoryMode) == 0) return sync_directory(parent);
    }
    const int failed = errno;
    struct stat info {};
    if (failed == EEXIST && ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    return path_error("create folder", path, failed);
  }

  Result<void> sync_directory(const std::string& path) override {
    VARVE_ASSIGN(Descriptor fd, open_descriptor(path, O_RDONLY | O_DIRECTORY));
    if (retry_on_eintr([&] { return ::fsync(fd.get()); }) != 0)
      return sync_error("fsync folder", path, errno);
    return {};
  }

  Result<std::vector<std::string>> list(const std::string& path) override {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return path_error("list", path, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(directory)) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int failed = errno;
    ::closedir(directory);
    if (failed != 0) return path_error("list", path, failed);
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<bool> exists(const std::string& path) override {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return path_error("stat", path, errno);
  }

  Result<uint64_t> free_bytes(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return path_error("statvfs", path, errno);
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }

  Result<uint64_t> total_bytes(const std::string& path) override {
    struct statvfs info {};
    if (::statvfs(path.c_str(), &info) != 0) return path_error("statvfs", path, errno);
    return static_cast<uint64_t>(info.f_blocks) * info.f_frsize;
  }

  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    VARVE_ASSIGN(Descriptor fd, open_descriptor(path, O_RDWR | O_CREAT | O_NOFOLLOW));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno == EWOULDBLOCK) return unavailable(path + " is locked by another process");
      return path_error("lock", path, errno);
    }
    return std::make_unique<PosixFileLock>(std::move(fd));
  }
};

}  // namespace

Result<void> FileSystem::link(const std::string& from, const std::string&) {
  return unsupported("this file system has no links: " + from);
}

Result<std::string> FileSystem::read_all(const std::string& path) {
  VARVE_ASSIGN(auto file, open_read(path));
  VARVE_ASSIGN(const uint64_t bytes, file->size());
  std::string data(bytes, '\0');
  VARVE_ASSIGN(const size_t got, file->read(0, {reinterpret_cast<uint8_t*>(data.data()), data.size()}));
  data.resize(got);
  return data;
}

Result<void> FileSystem::write_atomically(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  VARVE_ASSIGN(const bool stale, exists(temporary));
  if (stale) VARVE_TRY(remove(temporary));
  const auto write = [&]() -> Result<void> {
    VARVE_ASSIGN(auto file, create(temporary));
    VARVE_TRY(file->append(bytes));
    return file->sync();
  };
  if (const auto written = write(); !written) {
    (void)remove(temporary);  // its space may be wanted; what stays goes at the next call
    return written;
  }
  VARVE_TRY(rename(temporary, path));
  return sync_directory(parent_directory(path));
}

FileSystem& real_file_system() {
  static PosixFileSystem instance;
  return instance;
}

std::string join_path(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty() && path.back() != '/') path += '/';
  path += name;
  return path;
}

std::string parent_directory(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace varve
