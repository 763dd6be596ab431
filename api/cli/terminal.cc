#include "api/cli/terminal.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "storage/base/clock.h"

namespace varve {

std::string visible(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return result;
}

void print_error(std::string_view message) {
  fmt::print(stderr, "varve: {}\n", visible(message));
}

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

Progress::Progress(int64_t plain_seconds)
    : on_terminal_(isatty(STDERR_FILENO) == 1),
      plain_ns_(plain_seconds * kNsPerSecond),
      last_plain_ns_(real_clock().monotonic_ns()) {}

void Progress::show(const std::string& line) {
  if (on_terminal_) {
    fmt::print(stderr, "\r\x1b[K{}", line);
    (void)std::fflush(stderr);
    line_open_ = true;
    return;
  }
  const int64_t now = real_clock().monotonic_ns();
  if (plain_ns_ == 0 || now - last_plain_ns_ < plain_ns_) return;
  last_plain_ns_ = now;
  fmt::print(stderr, "{}\n", line);
}

void Progress::finish() {
  if (line_open_) fmt::print(stderr, "\n");
  line_open_ = false;
}

}  // namespace varve
