// Output that goes to $PAGER (or `less` where there is one) once it is longer than the terminal; shorter output, and any
// output that goes elsewhere than to a terminal, is written as it is. PAGER= (empty) switches it off.
// Threads: one thread. SIGPIPE must be ignored by the program: a pager that is left early is no error.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <string_view>

namespace varve {

class PagedOutput {
 public:
  explicit PagedOutput(bool allowed);
  ~PagedOutput();  // waits for the pager to be left
  PagedOutput(const PagedOutput&) = delete;
  PagedOutput& operator=(const PagedOutput&) = delete;

  bool write(std::string_view text);  // false = the reader is gone, or standard output cannot be written
  bool finish();                      // what was held back goes out

 private:
  bool start_pager();
  bool put(std::string_view text);

  std::string command_;  // empty = no pager
  size_t rows_ = 0;
  size_t columns_ = 0;
  std::string held_;
  size_t held_lines_ = 0;
  bool straight_ = false;  // no more holding back
  std::FILE* pipe_ = nullptr;
  pid_t child_ = -1;
};

}  // namespace varve
