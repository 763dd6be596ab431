#include "tests/support/terminal.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

namespace varve::test {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kLook{20};

// Without escape sequences (CSI and two-byte ones), carriage returns and bells.
std::string plain(const std::string& raw) {
  std::string out;
  for (size_t at = 0; at < raw.size(); ++at) {
    const char c = raw[at];
    if (c == '\x1b') {
      if (at + 1 < raw.size() && raw[at + 1] == '[') {
        at += 2;
        while (at < raw.size() && (raw[at] < '@' || raw[at] > '~')) ++at;
      } else {
        ++at;
      }
    } else if (c != '\r' && c != '\a') {
      out.push_back(c);
    }
  }
  return out;
}

}  // namespace

Terminal::Terminal(std::vector<std::string> argv, const std::map<std::string, std::string>& environment,
                   Size size) {
  std::vector<char*> pointers;
  for (std::string& word : argv) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  winsize window{};
  window.ws_col = size.columns;
  window.ws_row = size.rows;
  const pid_t parent = getpid();
  pid_ = forkpty(&master_, nullptr, nullptr, &window);
  if (pid_ < 0) throw std::runtime_error(std::string("forkpty: ") + std::strerror(errno));
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("NO_COLOR");
    for (const auto& [name, value] : environment) setenv(name.c_str(), value.c_str(), 1);
    execvp(pointers[0], pointers.data());
    _exit(127);
  }
}

Terminal::~Terminal() {
  if (!exit_code_) {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  ::close(master_);
}

void Terminal::type(const std::string& keys) {
  for (size_t at = 0; at < keys.size();) {
    const ssize_t written = ::write(master_, keys.data() + at, keys.size() - at);
    if (written < 0 && errno != EINTR) throw std::runtime_error("the terminal takes no keys");
    if (written > 0) at += static_cast<size_t>(written);
  }
}

void Terminal::read_some(milliseconds limit) {
  pollfd ready{master_, POLLIN, 0};
  if (poll(&ready, 1, static_cast<int>(limit.count())) <= 0) return;
  char buffer[4096];
  const ssize_t got = ::read(master_, buffer, sizeof(buffer));
  if (got > 0) raw_.append(buffer, static_cast<size_t>(got));
  if (got <= 0) usleep(1000);  // EIO: the other side is closed
}

bool Terminal::see(const std::string& text, milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (true) {
    const std::string all = shown();
    if (const size_t at = all.find(text, seen_); at != std::string::npos) {
      seen_ = at + text.size();
      return true;
    }
    if (Clock::now() >= end) return false;
    read_some(kLook);
  }
}

std::optional<int> Terminal::wait(milliseconds limit) {
  const auto end = Clock::now() + limit;
  while (!exit_code_) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      break;
    }
    if (Clock::now() >= end) return std::nullopt;
    read_some(kLook);
  }
  for (size_t before = raw_.size() + 1; before != raw_.size();) {
    before = raw_.size();
    read_some(kLook);
  }
  return exit_code_;
}

std::string Terminal::shown() const {
  return plain(raw_);
}

}  // namespace varve::test
