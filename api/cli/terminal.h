// Lines for people: errors, progress, numbers.
// Progress goes to stderr: on a terminal one line rewritten in place, else a plain line now and then.
// Threads: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace varve {

void print_error(std::string_view message);  // "varve: message", control bytes shown as "?"
std::string grouped(uint64_t number);        // 1234567 -> "1,234,567"
std::string visible(std::string_view text);  // control bytes as "?", so that no text steers the terminal

struct TerminalSize {
  size_t columns = 0;  // 0 = not known
  size_t rows = 0;
};
TerminalSize terminal_size(int file);
bool colours_on(int file);  // a terminal that can, and no NO_COLOR (https://no-color.org)

class Progress {
 public:
  // Not on a terminal, a line is printed at most every `plain_seconds`; 0 = never.
  explicit Progress(int64_t plain_seconds);
  ~Progress() { finish(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  bool on_terminal() const { return on_terminal_; }
  void show(const std::string& line);
  void finish();  // ends the line in place; what is printed next begins a new one

 private:
  const bool on_terminal_;
  const int64_t plain_ns_;
  int64_t last_plain_ns_;
  bool line_open_ = false;
};

// Work of a known size, on a terminal only: "[=====     ]  50% 1.0 GiB of 2.0 GiB checked, 400 MiB/s, 3 s left"; of an
// unknown one (total 0) how much and how fast.
class WorkProgress {
 public:
  // `unit`: what is counted, "messages"; empty = bytes.
  WorkProgress(std::string_view done_word, std::string_view unit);
  void show(uint64_t done, uint64_t total);
  void finish() { progress_.finish(); }

 private:
  std::string amount(uint64_t number) const;

  const std::string done_word_;
  const std::string unit_;
  const int64_t began_ns_;
  int64_t shown_ns_;
  Progress progress_;
};

}  // namespace varve
