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
constexpr int64_t kShowEveryNs = 100 * kNsPerMs;  // faster than anyone reads

std::string time_left(double seconds) {
  const auto whole = static_cast<uint64_t>(std::min(seconds + 0.5, 1e9));
  if (whole < 100) return fmt::format("{} s", whole);
  if (whole < 100 * 60) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", grouped(whole / 3600), whole / 60 % 60);
}

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
    const size_t columns = terminal_size(STDERR_FILENO).columns;  // a line that wraps could not be rewritten
    fmt::print(stderr, "\r\x1b[K{}",
               columns < 2 ? std::string_view(line) : std::string_view(line).substr(0, columns - 1));
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

WorkProgress::WorkProgress(std::string_view done_word, std::string_view unit)
    : done_word_(done_word),
      unit_(unit),
      began_ns_(real_clock().monotonic_ns()),
      shown_ns_(began_ns_ - kShowEveryNs),
      progress_(0) {}

std::string WorkProgress::amount(uint64_t number) const {
  return unit_.empty() ? format_bytes(number) : grouped(number);
}

void WorkProgress::show(uint64_t done, uint64_t total) {
  const int64_t now = real_clock().monotonic_ns();
  if (!progress_.on_terminal() || now - shown_ns_ < kShowEveryNs) return;
  shown_ns_ = now;
  const double seconds = static_cast<double>(now - began_ns_) / kNsPerSecond;
  const double rate = seconds <= 0 ? 0 : static_cast<double>(done) / seconds;
  const std::string speed =
      fmt::format("{}{}/s", amount(static_cast<uint64_t>(rate)), unit_.empty() ? "" : " " + unit_);
  if (total == 0) return progress_.show(fmt::format("{} {}, {}", amount(done), done_word_, speed));
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  std::string line =
      fmt::format("{:3.0f}% {} of {} {}, {}", part * 100, amount(done), amount(total), done_word_, speed);
  if (rate > 0) {
    const double left = static_cast<double>(total - std::min(done, total)) / rate;
    line += fmt::format(", {} left", time_left(left));
  }
  // On a narrow terminal the bar gives way to the numbers.
  const size_t columns = terminal_size(STDERR_FILENO).columns;
  const size_t taken = line.size() + 4;  // "[", "] " and the last column
  const size_t bar = columns == 0 ? kBarWidth : std::min(kBarWidth, columns - std::min(columns, taken));
  if (bar > 0) {
    const auto filled = static_cast<size_t>(part * static_cast<double>(bar));
    line = fmt::format("[{:=<{}}{:{}}] {}", "", filled, "", bar - filled, line);
  }
  progress_.show(line);
}

}  // namespace varve
