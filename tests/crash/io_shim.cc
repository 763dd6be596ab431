// A library for LD_PRELOAD that makes the file calls of an unchanged program fail.
//   VARVE_SHIM_FAIL_SYNC=PART:N   the N-th fsync or fdatasync of a file with PART in its path answers EIO, once
//   VARVE_SHIM_SYNC_LOG=FILE      a line for that call, and for each later sync of such a file: "failed PATH", "after PATH"
//   VARVE_SHIM_FULL_WHILE=FILE    while FILE exists the disk is full: ENOSPC from writes and reservations, no room in statvfs
// Threads: any.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

template <class F>
F* next_of(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

std::string path_of(int fd) {
  char link[64];
  char path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t bytes = readlink(link, path, sizeof path);
  return bytes < 0 ? std::string() : std::string(path, static_cast<size_t>(bytes));
}

void note(const char* what, const std::string& path) {
  const char* const log = std::getenv("VARVE_SHIM_SYNC_LOG");
  if (log == nullptr) return;
  const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::string line = std::string(what) + " " + path + "\n";
  [[maybe_unused]] const auto written = write(fd, line.data(), line.size());
  close(fd);
}

// Whether this sync is the one to fail.
bool fails(int fd) {
  static const char* const wanted = std::getenv("VARVE_SHIM_FAIL_SYNC");
  static std::atomic<long> calls{0};
  if (wanted == nullptr) return false;
  const char* const colon = std::strrchr(wanted, ':');
  const std::string path = path_of(fd);
  if (colon == nullptr || path.find(std::string(wanted, colon)) == std::string::npos) return false;
  const long call = ++calls;
  const long failing = std::strtol(colon + 1, nullptr, 10);
  if (call >= failing) note(call == failing ? "failed" : "after", path);
  return call == failing;
}

bool disk_is_full() {
  static const char* const flag = std::getenv("VARVE_SHIM_FULL_WHILE");
  return flag != nullptr && access(flag, F_OK) == 0;
}

// Only files of the program's own: a socket or a terminal does not fill a disk.
bool is_regular(int fd) {
  return path_of(fd).starts_with("/") && lseek(fd, 0, SEEK_CUR) >= 0;
}

int sync_or_fail(int fd, int (*real)(int)) {
  if (fails(fd)) {
    errno = EIO;
    return -1;
  }
  return real(fd);
}

}  // namespace

extern "C" {

int fdatasync(int fd) {
  static auto* const real = next_of<int(int)>("fdatasync");
  return sync_or_fail(fd, real);
}

int fsync(int fd) {
  static auto* const real = next_of<int(int)>("fsync");
  return sync_or_fail(fd, real);
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  static auto* const real = next_of<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  if (disk_is_full() && is_regular(fd)) {
    errno = ENOSPC;
    return -1;
  }
  return real(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off_t offset) {
  return pwrite(fd, bytes, count, offset);
}

int posix_fallocate(int fd, off_t offset, off_t bytes) {
  static auto* const real = next_of<int(int, off_t, off_t)>("posix_fallocate");
  return disk_is_full() ? ENOSPC : real(fd, offset, bytes);
}

int posix_fallocate64(int fd, off_t offset, off_t bytes) {
  return posix_fallocate(fd, offset, bytes);
}

int statvfs(const char* path, struct statvfs* info) {
  static auto* const real = next_of<int(const char*, struct statvfs*)>("statvfs");
  const int outcome = real(path, info);
  if (outcome == 0 && disk_is_full()) info->f_bavail = info->f_bfree = 0;
  return outcome;
}
}
