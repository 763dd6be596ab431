#include "api/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "storage/base/clock.h"
#include "storage/base/units.h"

namespace varve {
namespace {

constexpr size_t kBarWidth = 30;
constexpr int64_t kPlainSeconds = 5;

}  // namespace

std::string visible(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return result;
}

void print_error(std::string_view message) {
  const bool colour = colours_on(STDERR_FILENO);
  fmt::print(stderr, "{}varve: {}{}\n", colour ? "\x1b[31m" : "", colour ? "\x1b[0m" : "", visible(message));
}

std::string grouped(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

TerminalSize terminal_size(int file) {
  winsize size{};
  if (ioctl(file, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_col, size.ws_row};
}

bool colours_on(int file) {
  const char* const refused = std::getenv("NO_COLOR");
  const char* const kind = std::getenv("TERM");
  return isatty(file) == 1 && (refused == nullptr || *refused == '\0') && kind != nullptr &&
         std::string_view(kind) != "dumb";
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

ByteProgress::ByteProgress(std::string_view done_word)
    : done_word_(done_word), began_ns_(real_clock().monotonic_ns()), progress_(kPlainSeconds) {}

void ByteProgress::show(uint64_t done, uint64_t total) {
  const double seconds = static_cast<double>(real_clock().monotonic_ns() - began_ns_) / kNsPerSecond;
  const double part = total == 0 ? 1 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const double rate = seconds <= 0 ? 0 : static_cast<double>(done) / seconds;
  const double left = rate <= 0 ? 0 : static_cast<double>(total - std::min(done, total)) / rate;
  const auto filled = static_cast<size_t>(part * kBarWidth);
  progress_.show(fmt::format("[{:=<{}}{:{}}] {:3.0f}% {} {} of {}, {}/s, {:.0f} s left", "", filled, "",
                             kBarWidth - filled, part * 100, done_word_, format_bytes(done),
                             format_bytes(total), format_bytes(static_cast<uint64_t>(rate)), left));
}

}  // namespace varve
