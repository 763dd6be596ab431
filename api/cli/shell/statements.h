// Text that comes line by line as SQL statements, ended by `;` outside of quotes and comments.
// Threads: one thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace varve {

class Statements {
 public:
  void add_line(std::string_view line);
  // The next whole statement, without its `;`; nullopt = more lines are needed. Empty ones are passed over.
  std::optional<std::string> next();
  // What is left as a statement without `;`, and begin anew; nullopt when that is blank or only a comment.
  std::optional<std::string> rest();
  void clear();
  // Nothing but blanks and comments waits: a line that begins with a backslash is then a command.
  bool empty();
  const std::string& waiting() const { return text_; }  // what was added and is no whole statement yet
  bool inside_quotes() const { return inside_ != Inside::kNothing && inside_ != Inside::kLineComment; }
  size_t line() const { return first_line_; }  // from 1, where the last statement returned began

 private:
  enum class Inside { kNothing, kSingleQuote, kDoubleQuote, kBacktick, kLineComment, kBlockComment };

  std::optional<std::string> take(size_t end);  // text up to `end`; nullopt when blank
  void scan();                                  // from at_ on to the end of a statement, or of the text

  std::string text_;
  size_t at_ = 0;         // scanned up to here
  bool content_ = false;  // something other than blanks and comments was seen in the statement begun
  Inside inside_ = Inside::kNothing;
  size_t lines_taken_ = 0;
  size_t first_line_ = 1;
};

// The same statement on one line without its comments, as for the history.
std::string one_line(std::string_view sql);

}  // namespace varve
