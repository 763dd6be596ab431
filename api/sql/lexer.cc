#include "api/sql/lexer.h"

#include <fmt/format.h>

#include <array>

#include "api/sql/text.h"

namespace varve {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool starts_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}
bool continues_word(char c) {
  return starts_word(c) || is_digit(c);
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

constexpr std::array<std::string_view, 12> kLongOperators{"->>", "->", "<<", ">>", "<=", ">=",
                                                         "<>",  "!=", "==", "||", "!~", "::"};
constexpr std::string_view kOneByteOperators = "+-*/%<>=~(),.;&|";

}  // namespace

bool Token::is_word(std::string_view upper_case) const {
  return kind == TokenKind::kWord && equal_ignoring_case(text, upper_case);
}

std::string Token::unquoted() const {
  if (kind == TokenKind::kParameter) return std::string(text.substr(1));
  if (kind != TokenKind::kString && kind != TokenKind::kQuotedName) return std::string(text);
  const char quote = text.front();
  std::string out;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    out.push_back(text[i]);
    if (text[i] == quote) ++i;  // doubled
  }
  return out;
}

Token Lexer::take(TokenKind kind, size_t length) {
  const Token token{kind, sql_.substr(at_, length), at_};
  at_ += length;
  return token;
}

QueryResult<void> Lexer::skip_blank() {
  while (at_ < sql_.size()) {
    if (is_blank(sql_[at_])) {
      ++at_;
    } else if (sql_.substr(at_, 2) == "--") {
      const size_t line_end = sql_.find('\n', at_);
      at_ = line_end == std::string_view::npos ? sql_.size() : line_end + 1;
    } else if (sql_.substr(at_, 2) == "/*") {
      const size_t comment_end = sql_.find("*/", at_ + 2);
      if (comment_end == std::string_view::npos) {
        return tl::make_unexpected(invalid_query("sql_syntax", "this comment has no end (*/)", at_));
      }
      at_ = comment_end + 2;
    } else {
      break;
    }
  }
  return {};
}

QueryResult<Token> Lexer::quoted(TokenKind kind, std::string_view what) {
  const char quote = sql_[at_];
  for (size_t end = at_ + 1; end < sql_.size(); ++end) {
    if (sql_[end] != quote) continue;
    if (at(end + 1) != quote) {
      if (kind == TokenKind::kQuotedName && end == at_ + 1) {
        return tl::make_unexpected(invalid_query("sql_syntax", "a quoted name cannot be empty", at_));
      }
      return take(kind, end + 1 - at_);
    }
    ++end;
  }
  return tl::make_unexpected(
      invalid_query("sql_syntax", fmt::format("this {} has no closing quote", what), at_));
}

QueryResult<Token> Lexer::number() {
  size_t end = at_;
  bool whole = true;
  while (is_digit(at(end))) ++end;
  if (at(end) == '.') {
    whole = false;
    ++end;
    while (is_digit(at(end))) ++end;
  }
  if (at(end) == 'e' || at(end) == 'E') {
    const size_t digits = end + (at(end + 1) == '+' || at(end + 1) == '-' ? 2 : 1);
    if (is_digit(at(digits))) {
      whole = false;
      end = digits;
      while (is_digit(at(end))) ++end;
    }
  }
  if (end < sql_.size() && continues_word(sql_[end])) {
    while (end < sql_.size() && continues_word(sql_[end])) ++end;
    if (whole) return take(TokenKind::kDuration, end - at_);
    const std::string_view text = sql_.substr(at_, std::min<size_t>(end - at_, 40));
    return tl::make_unexpected(invalid_query("sql_syntax", fmt::format("'{}' is not a number", text), at_));
  }
  return take(whole ? TokenKind::kInteger : TokenKind::kNumber, end - at_);
}

QueryResult<Token> Lexer::next() {
  VARVE_QUERY_TRY(skip_blank());
  if (at_ >= sql_.size()) return Token{TokenKind::kEnd, {}, sql_.size()};
  const char c = sql_[at_];
  if (c == '\'') return quoted(TokenKind::kString, "string");
  if (c == '"' || c == '`') return quoted(TokenKind::kQuotedName, "name");
  if (is_digit(c) || (c == '.' && is_digit(at(at_ + 1)))) return number();
  const bool parameter = c == '$' && starts_word(at(at_ + 1));
  if (starts_word(c) || parameter) {
    size_t end = at_ + 1;
    while (end < sql_.size() && continues_word(sql_[end])) ++end;
    return take(parameter ? TokenKind::kParameter : TokenKind::kWord, end - at_);
  }
  for (const std::string_view symbol : kLongOperators) {
    if (sql_.substr(at_, symbol.size()) == symbol) return take(TokenKind::kOperator, symbol.size());
  }
  if (kOneByteOperators.find(c) != std::string_view::npos) return take(TokenKind::kOperator, 1);
  const auto byte = static_cast<unsigned char>(c);
  const std::string shown = byte > 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  const std::string_view hint = c == '&'   ? "conditions are joined by AND"
                                : c == '|' ? "conditions are joined by OR, strings by ||"
                                : c == '!' ? "negation is written NOT"
                                : c == '?' || c == ':' || c == '@' ? "parameters are written $name"
                                                                   : "";
  return tl::make_unexpected(
      invalid_query("sql_syntax", fmt::format("unexpected character '{}'", shown), at_, std::string(hint)));
}

}  // namespace varve
