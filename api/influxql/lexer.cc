#include "api/influxql/lexer.h"

#include <algorithm>
#include <array>

namespace varve::influxql {
namespace {

constexpr std::array<std::string_view, 80> kKeywords{
    "ALL",           "ALTER",        "ANALYZE",     "AND",          "ANY",         "AS",       "ASC",
    "BEGIN",         "BY",           "CARDINALITY", "CONTINUOUS",   "CREATE",      "DATABASE", "DATABASES",
    "DEFAULT",       "DELETE",       "DESC",        "DESTINATIONS", "DIAGNOSTICS", "DISTINCT", "DROP",
    "DURATION",      "END",          "EVERY",       "EXACT",        "EXPLAIN",     "FALSE",    "FIELD",
    "FOR",           "FROM",         "GRANT",       "GRANTS",       "GROUP",       "GROUPS",   "IN",
    "INF",           "INSERT",       "INTO",        "KEY",          "KEYS",        "KILL",     "LIMIT",
    "MEASUREMENT",   "MEASUREMENTS", "NAME",        "OFFSET",       "ON",          "OR",       "ORDER",
    "PASSWORD",      "POLICIES",     "POLICY",      "PRIVILEGES",   "QUERIES",     "QUERY",    "READ",
    "REPLICATION",   "RESAMPLE",     "RETENTION",   "REVOKE",       "SELECT",      "SERIES",   "SET",
    "SHARD",         "SHARDS",       "SHOW",        "SLIMIT",       "SOFFSET",     "STATS",    "SUBSCRIPTION",
    "SUBSCRIPTIONS", "TAG",          "TO",          "TRUE",         "USER",        "USERS",    "VALUES",
    "WHERE",         "WITH",         "WRITE"};

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_word(char c) {
  return is_letter(c) || is_digit(c) || c == '_';
}
bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

bool is_keyword(const std::string& upper_case) {
  return std::binary_search(kKeywords.begin(), kKeywords.end(), std::string_view(upper_case));
}

}  // namespace

std::string Token::shown() const {
  if (kind == TokenKind::kEnd) return "EOF";
  if (kind == TokenKind::kParameter) return "$" + text;
  if (!text.empty()) return text;
  return kind == TokenKind::kString ? "STRING" : "IDENT";
}

void Lexer::step() {
  before_ = here_;
  if (text_[at_] == '\r' && at(1) == '\n') ++at_;
  const bool line_ends = text_[at_] == '\n' || text_[at_] == '\r';
  ++at_;
  while (!at_end() && continues_character(text_[at_])) ++at_;
  if (line_ends) {
    ++here_.line;
    here_.column = 0;
  } else {
    ++here_.column;
  }
}

void Lexer::steps(size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) step();
}

Token Lexer::start(TokenKind kind) const {
  Token token;
  token.kind = kind;
  token.position = at_;
  token.line = here_.line;
  token.column = here_.column;
  return token;
}

char Lexer::peek() {
  if (at_end()) read_end();
  return at();
}

Token Lexer::symbol(size_t length) {
  Token token = start(TokenKind::kOperator);
  token.text = text_.substr(at_, length);
  steps(length);
  return token;
}

Token Lexer::next() {
  if (at_end()) {
    Token token = start(TokenKind::kEnd);
    if (end_read_) ++token.column;
    read_end();
    return token;
  }
  const char c = at();
  if (is_space(c)) return space();
  if (is_letter(c) || c == '_') return word();
  if (is_digit(c) || (c == '.' && is_digit(at(1)))) return number();
  const char second = at(1);
  switch (c) {
    case '"':
    case '\'':
      return quoted(c);
    case '$':
      return parameter();
    case '-':
      return second == '-' ? comment() : symbol(1);
    case '/':
      return second == '*' ? comment() : symbol(1);
    case '=':
      return symbol(second == '~' ? 2 : 1);
    case '!':
      if (second == '=' || second == '~') return symbol(2);
      break;
    case '>':
      return symbol(second == '=' ? 2 : 1);
    case '<': {
      Token token = symbol(second == '=' || second == '>' ? 2 : 1);
      if (token.text == "<>") token.text = "!=";
      return token;
    }
    case ':':
      return symbol(second == ':' ? 2 : 1);
    case '.':
    case '+':
    case '*':
    case '%':
    case '&':
    case '|':
    case '^':
    case '(':
    case ')':
    case ',':
    case ';':
      return symbol(1);
    default:
      break;
  }
  Token token = start(TokenKind::kBad);
  step();
  token.text = text_.substr(token.position, at_ - token.position);
  return token;
}

Token Lexer::space() {
  Token token = start(TokenKind::kSpace);
  while (!at_end() && is_space(at())) step();
  if (at_end()) read_end();
  token.text = text_.substr(token.position, at_ - token.position);
  return token;
}

Token Lexer::comment() {
  Token token = start(TokenKind::kSpace);
  token.text = " ";
  if (at() == '-') {
    while (!at_end() && at() != '\n') step();
    if (!at_end()) step();
    return token;
  }
  steps(2);
  while (!at_end() && !(at() == '*' && at(1) == '/')) step();
  if (at_end()) {
    token.kind = TokenKind::kBad;
    token.text = "/*";
    return token;
  }
  steps(2);
  return token;
}

Token Lexer::word() {
  Token token = start(TokenKind::kName);
  while (!at_end() && is_word(at())) step();
  if (at_end()) read_end();
  token.text = text_.substr(token.position, at_ - token.position);
  if (at() == '"') {  // a"b" is the name b
    Token rest = quoted('"');
    if (rest.kind != TokenKind::kName) return rest;
    token.text = std::move(rest.text);
    return token;
  }
  if (std::string as_keyword = upper(token.text); is_keyword(as_keyword)) {
    token.kind = TokenKind::kKeyword;
    token.text = std::move(as_keyword);
  }
  return token;
}

Token Lexer::quoted(char quote) {
  Token token = start(quote == '"' ? TokenKind::kName : TokenKind::kString);
  const Mark told = before_;
  if (quote == '\'') {
    token.line = told.line;
    token.column = told.column;
  }
  step();
  while (!at_end() && at() != quote) {
    if (at() == '\n') break;
    if (at() != '\\') {
      const size_t from = at_;
      step();
      token.text.append(text_.substr(from, at_ - from));
      continue;
    }
    step();
    const char escaped = at();
    if (escaped != 'n' && escaped != '\\' && escaped != '"' && escaped != '\'') {
      Token bad = start(TokenKind::kBad);
      const size_t from = at_;
      if (!at_end()) step();
      bad.text = "\\" + std::string(text_.substr(from, at_ - from));
      return bad;
    }
    token.text += escaped == 'n' ? '\n' : escaped;
    step();
  }
  if (at() != quote) {
    token.kind = TokenKind::kBad;
    token.line = told.line;
    token.column = told.column;
    if (at_end()) {
      read_end();
    } else {
      step();
    }
    if (token.text.empty()) token.text = "BADSTRING";
    return token;
  }
  step();
  return token;
}

Token Lexer::number() {
  Token token = start(TokenKind::kInteger);
  const auto digits = [&] {
    while (is_digit(at())) step();
  };
  // The micro sign, U+00B5.
  const auto micro = [&] { return at() == '\xc2' && at(1) == '\xb5'; };
  digits();
  if (at() == '.') {
    token.kind = TokenKind::kNumber;
    step();
    digits();
  } else if (is_letter(at()) || micro()) {
    token.kind = TokenKind::kDuration;
    while (is_letter(at()) || is_digit(at()) || micro()) step();
  }
  token.text = text_.substr(token.position, at_ - token.position);
  return token;
}

Token Lexer::parameter() {
  Token token = start(TokenKind::kParameter);
  step();
  if (at() == '"') {
    Token name = quoted('"');
    if (name.kind != TokenKind::kName) return name;
    token.text = std::move(name.text);
    return token;
  }
  const size_t from = at_;
  while (!at_end() && is_word(at())) step();
  if (at_end()) read_end();
  token.text = text_.substr(from, at_ - from);
  return token;
}

Token Lexer::regex() {
  Token token = start(TokenKind::kRegex);
  token.line = before_.line;
  token.column = before_.column;
  step();
  while (!at_end() && at() != '/') {
    if (at() == '\n') break;
    if (at() == '\\' && at(1) == '/') step();
    const size_t from = at_;
    step();
    token.text.append(text_.substr(from, at_ - from));
  }
  if (at() != '/') {
    token.kind = TokenKind::kBadRegex;
    token.text.clear();
    return token;
  }
  step();
  return token;
}

}  // namespace varve::influxql
