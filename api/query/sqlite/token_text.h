// A statement as tokens that can be replaced and wrapped, and the text that comes of it, with the way back from a place
// in that text to the place in the statement.
// Errors:  the lexer's.
// Threads: a value; the statement must outlive it.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/sql/lexer.h"

namespace varve {

class TokenText {
 public:
  static QueryResult<TokenText> read(std::string_view sql);

  size_t size() const { return tokens_.size() - 1; }
  const Token& at(size_t token) const { return tokens_[std::min(token, size())]; }  // beyond the last: the end
  // Of an opening parenthesis its closing one; size() when it has none.
  size_t closing(size_t open) const { return closing_[open]; }
  std::string_view text(size_t from, size_t to) const;  // of tokens [from, to) as written

  void replace(size_t token, std::string text) { edits_[token].text = std::move(text), edits_[token].replaced = true; }
  void quote(size_t token) { quoted_[token] = true; }  // a name, whatever word it is
  // Around tokens [from, to); what is put around a part of them stays inside.
  void wrap(size_t from, size_t to, std::string_view before, std::string_view after);
  void append(size_t token, std::string_view text) { edits_[token].after += text; }

  std::string finish();
  // In the statement, of a byte in what finish() made.
  size_t position_of(size_t offset) const;

 private:
  struct Edit {
    std::string before;
    std::string text;
    std::string after;
    bool replaced = false;
  };
  struct Place {
    size_t offset = 0;
    size_t position = 0;
  };

  std::string_view sql_;
  std::vector<Token> tokens_;  // the last is the end
  std::vector<size_t> closing_;
  std::vector<bool> quoted_;
  std::unordered_map<size_t, Edit> edits_;
  std::vector<Place> places_;  // ascending
};

// As SQL writes them, quotes doubled.
std::string quoted_name(std::string_view name);
std::string quoted_text(std::string_view text);

}  // namespace varve
