// Cuts InfluxQL into tokens, as InfluxDB 1.x does to the letter: its error messages name line and character, so white
// space is a token and positions are counted as its reader counts them (a quoted string is told one character early,
// the end of the text sometimes one late).
//   words a_1, "quoted \"names\"", 'strings \'', 12, 1.5, 10s, 1h30m, $name, operators, -- and /* */ comments, /regex/
// A regex and a division look alike: the parser asks for a regex where one may stand.
// Threads: a value; the text must outlive it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace varve::influxql {

enum class TokenKind {
  kEnd,
  kSpace,  // or a comment
  kName,
  kKeyword,
  kString,
  kInteger,
  kNumber,
  kDuration,
  kRegex,
  kParameter,  // text without the $
  kOperator,
  kBad,  // a stray character, an unfinished string or an unknown escape
  kBadRegex,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;     // what it means: unquoted, keywords in upper case
  size_t position = 0;  // first byte in the text
  uint32_t line = 0;    // from 0, as told in errors
  uint32_t column = 0;  // the same, in characters

  bool is_operator(std::string_view symbol) const { return kind == TokenKind::kOperator && text == symbol; }
  bool is_keyword(std::string_view upper_case) const {
    return kind == TokenKind::kKeyword && text == upper_case;
  }
  std::string shown() const;  // in "found X"
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Token next();
  Token regex();  // call it where peek() is '/'
  char peek();    // the next byte, not taken; 0 at the end

 private:
  struct Mark {
    uint32_t line = 0;
    uint32_t column = 0;
  };

  char at(size_t offset = 0) const { return at_ + offset < text_.size() ? text_[at_ + offset] : '\0'; }
  bool at_end() const { return at_ >= text_.size(); }
  void step();               // over one character
  void steps(size_t bytes);  // ASCII ones
  void read_end() {
    end_read_ = true;
  }  // the end was taken for a character, after which it lies one further on
  Token start(TokenKind kind) const;
  Token symbol(size_t length);
  Token space();
  Token comment();
  Token word();
  Token quoted(char quote);
  Token number();
  Token parameter();

  std::string_view text_;
  size_t at_ = 0;
  Mark here_;
  Mark before_;  // of the character before
  bool end_read_ = false;
};

}  // namespace varve::influxql
