// A program on a terminal of its own (a pty), as a person uses it: keys in, what is shown out.
// Errors:  throws std::runtime_error when there is no pty or the program cannot be started.
// Threads: one thread. The child dies with the thread that started it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace varve::test {

class Terminal {
 public:
  struct Size {
    unsigned short columns = 100;
    unsigned short rows = 40;
  };
  Terminal(std::vector<std::string> argv, const std::map<std::string, std::string>& environment)
      : Terminal(std::move(argv), environment, Size{}) {}
  Terminal(std::vector<std::string> argv, const std::map<std::string, std::string>& environment, Size size);
  ~Terminal();  // SIGKILL if it still runs
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void type(const std::string& keys);  // "\r" is Enter, "\x03" Ctrl-C, "\x04" Ctrl-D, "\x1b[A" up
  // Waits until `text` is shown after what the last see() found; false when that did not come in time.
  bool see(const std::string& text, std::chrono::milliseconds limit = std::chrono::seconds(60));
  std::optional<int> wait(
      std::chrono::milliseconds limit = std::chrono::seconds(60));  // exit code or 128 + signal

  const std::string& raw() const { return raw_; }  // with escape sequences
  std::string shown() const;                       // without; from the start

 private:
  void read_some(std::chrono::milliseconds limit);

  int master_ = -1;
  pid_t pid_ = -1;
  std::string raw_;
  size_t seen_ = 0;  // of shown()
  std::optional<int> exit_code_;
};

}  // namespace varve::test
