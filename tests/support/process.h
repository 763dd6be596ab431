// Child processes of tests: started without a shell, stdout and stderr kept apart in files, always reaped.
// Errors:  throws std::runtime_error when a program cannot be started or does not end in time.
// Threads: one thread per Process. A child dies with the thread that started it (PR_SET_PDEATHSIG), so that a
//          crashed test leaves nothing running; do not start children from threads that end early.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/temp_dir.h"

namespace varve::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Process {
 public:
  struct Options {
    std::map<std::string, std::string> environment = {};  // added to ours
    std::filesystem::path folder = {};                    // working folder; empty = ours
  };

  // argv[0] is looked up in PATH unless it has a slash.
  explicit Process(std::vector<std::string> argv) : Process(std::move(argv), Options{}) {}
  Process(std::vector<std::string> argv, const Options& options);
  ~Process();  // SIGKILL if it still runs
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running() { return !wait(milliseconds(0)).has_value(); }

  // The exit code, or 128 + signal; nullopt when it still runs after `limit`.
  std::optional<int> wait(milliseconds limit);

  void signal(int number);
  int stop(milliseconds grace = seconds(10));  // SIGTERM, then SIGKILL after `grace`; returns as wait()
  int kill();                                  // SIGKILL; returns as wait()

  std::string out() const;
  std::string err() const;
  std::string log_tail() const;  // the last 4 KiB of both, for failure messages

 private:
  std::string command_;
  TempDir output_;
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

struct Finished {
  int exit_code;
  std::string out;
  std::string err;
};

// Runs to the end; throws (after killing it) when that takes longer than `limit`.
Finished run(std::vector<std::string> argv, milliseconds limit = seconds(60));

// Polls `condition` every 20 ms; false when it did not hold within `limit`.
bool wait_until(const std::function<bool()>& condition, milliseconds limit);

// A port of 127.0.0.1 that is free now and is never handed out twice by this process. Taken from below the
// range the kernel gives to outgoing connections: a client that keeps dialling a stopped server there could
// otherwise be connected to itself and hold the port against the restart.
uint16_t free_port();

}  // namespace varve::testing
