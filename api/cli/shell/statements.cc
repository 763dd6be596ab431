#include "api/cli/shell/statements.h"

#include <algorithm>

namespace varve {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

void Statements::add_line(std::string_view line) {
  text_ += line;
  text_.push_back('\n');
}

void Statements::clear() {
  text_.clear();
  at_ = 0;
  content_ = false;
  inside_ = Inside::kNothing;
}

bool Statements::empty() {
  scan();
  return inside_ == Inside::kNothing && !content_ && at_ >= text_.size();
}

void Statements::scan() {
  for (; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    const char after = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    switch (inside_) {
      case Inside::kNothing:
        if (c == ';') return;
        if ((c == '-' && after == '-') || (c == '/' && after == '*')) {
          inside_ = c == '-' ? Inside::kLineComment : Inside::kBlockComment;
          ++at_;
          break;
        }
        if (c == '\'') inside_ = Inside::kSingleQuote;
        if (c == '"') inside_ = Inside::kDoubleQuote;
        if (c == '`') inside_ = Inside::kBacktick;
        content_ = content_ || !is_blank(c);
        break;
      case Inside::kSingleQuote:
        if (c == '\'') inside_ = Inside::kNothing;  // a doubled quote opens again at once
        break;
      case Inside::kDoubleQuote:
        if (c == '"') inside_ = Inside::kNothing;
        break;
      case Inside::kBacktick:
        if (c == '`') inside_ = Inside::kNothing;
        break;
      case Inside::kLineComment:
        if (c == '\n') inside_ = Inside::kNothing;
        break;
      case Inside::kBlockComment:
        if (c == '*' && after == '/') {
          inside_ = Inside::kNothing;
          ++at_;
        }
        break;
    }
  }
}

std::optional<std::string> Statements::take(size_t end) {
  const std::string statement(text_, 0, end);
  const bool had_content = content_;
  const size_t taken = std::min(text_.size(), end + 1);  // with its ;
  const auto blanks = static_cast<size_t>(trimmed(statement).data() - statement.data());
  const auto lines = [](std::string_view part) {
    return static_cast<size_t>(std::count(part.begin(), part.end(), '\n'));
  };
  if (had_content) first_line_ = lines_taken_ + lines(std::string_view(statement).substr(0, blanks)) + 1;
  lines_taken_ += lines(std::string_view(text_).substr(0, taken));
  text_.erase(0, taken);
  at_ = 0;
  content_ = false;
  inside_ = Inside::kNothing;
  if (!had_content) return std::nullopt;
  return std::string(trimmed(statement));
}

std::optional<std::string> Statements::next() {
  while (true) {
    scan();
    if (at_ >= text_.size()) return std::nullopt;
    if (auto statement = take(at_)) return statement;
  }
}

std::optional<std::string> Statements::rest() {
  scan();
  return take(text_.size());
}

std::string one_line(std::string_view sql) {
  std::string line;
  char quote = 0;
  for (size_t at = 0; at < sql.size(); ++at) {
    const char c = sql[at];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (sql.substr(at, 2) == "--") {
      at = std::min(sql.find('\n', at), sql.size());
      line.push_back(' ');
      continue;
    } else if (c == '\'' || c == '"' || c == '`') {
      quote = c;
    }
    line.push_back(c == '\n' || c == '\r' ? ' ' : c);
  }
  return std::string(trimmed(line));
}

}  // namespace varve
