// Preloaded into a child process: once the file named by VARVE_FAIL_SYNC exists, every fdatasync fails with EIO.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

extern "C" int fdatasync(int fd) {
  const char* const sign = std::getenv("VARVE_FAIL_SYNC");
  if (sign != nullptr && ::access(sign, F_OK) == 0) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
