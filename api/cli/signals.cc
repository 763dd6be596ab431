#include "api/cli/signals.h"

#include "storage/base/clock.h"

namespace varve {

Signals::Signals() : set_() {
  sigemptyset(&set_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, signal);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  // A file at its size limit (ulimit -f) is an error of the write, as a full disk is, and not the end of the program.
  ::signal(SIGXFSZ, SIG_IGN);
}

std::optional<int> Signals::wait(int64_t timeout_ns) const {
  const timespec timeout{timeout_ns / kNsPerSecond, timeout_ns % kNsPerSecond};
  const int signal = sigtimedwait(&set_, nullptr, &timeout);
  if (signal < 0) return std::nullopt;  // timed out, or woken by something else
  return signal;
}

}  // namespace varve
