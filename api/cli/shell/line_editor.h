// Lines from a terminal with editing, history (arrow keys, Ctrl-R) and completion by Tab. The owner of libedit.
// Errors:  make: kUnavailable when the terminal cannot be used.
// Threads: one thread; one editor at a time in a process.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"

namespace varve {

class LineEditor {
 public:
  // The candidates for the word that ends at the cursor, where it begins in the line, and what follows it when it is the
  // only one; asked at each Tab.
  struct Candidates {
    size_t word_begin = 0;
    std::vector<std::string> words;
    std::string end = " ";
  };
  using Complete = std::function<Candidates(std::string_view before_cursor)>;

  enum class End { kLine, kInterrupted, kEndOfInput };

  static Result<std::unique_ptr<LineEditor>> make(Complete complete);
  ~LineEditor();

  // Ctrl-C gives kInterrupted, Ctrl-D on an empty line kEndOfInput.
  End read(const std::string& prompt, std::string& line);
  void remember(const std::string& entry);

 private:
  struct State;
  LineEditor();
  std::unique_ptr<State> state_;
};

}  // namespace varve
