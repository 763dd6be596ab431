#include "api/query/sqlite/token_text.h"

#include <algorithm>

namespace varve {
namespace {

std::string quoted_with(char quote, std::string_view text) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote) out += quote;
    out += c;
  }
  out += quote;
  return out;
}

}  // namespace

std::string quoted_name(std::string_view name) {
  return quoted_with('"', name);
}

std::string quoted_text(std::string_view text) {
  return quoted_with('\'', text);
}

QueryResult<TokenText> TokenText::read(std::string_view sql) {
  TokenText text;
  text.sql_ = sql;
  if (const size_t zero = sql.find('\0'); zero != std::string_view::npos) {
    return tl::make_unexpected(invalid_query("sql_syntax", "a statement cannot hold a zero byte", zero));
  }
  Lexer lexer(sql);
  std::vector<size_t> open;
  while (true) {
    VARVE_QUERY_ASSIGN(const Token token, lexer.next());
    const size_t index = text.tokens_.size();
    text.tokens_.push_back(token);
    if (token.kind == TokenKind::kEnd) break;
    text.closing_.push_back(SIZE_MAX);
    if (token.is_operator("(")) open.push_back(index);
    if (token.is_operator(")") && !open.empty()) {
      text.closing_[open.back()] = index;
      open.pop_back();
    }
  }
  for (const size_t index : open) text.closing_[index] = text.size();
  text.quoted_.resize(text.size());
  return text;
}

std::string_view TokenText::text(size_t from, size_t to) const {
  if (from >= to) return {};
  return sql_.substr(tokens_[from].position, tokens_[to - 1].end() - tokens_[from].position);
}

void TokenText::wrap(size_t from, size_t to, std::string_view before, std::string_view after) {
  edits_[from].before.insert(0, before);
  edits_[to - 1].after += after;
}

std::string TokenText::finish() {
  std::string out;
  places_.clear();
  for (size_t i = 0; i < size(); ++i) {
    const Token& token = tokens_[i];
    if (i > 0) out += ' ';
    places_.push_back({out.size(), token.position});
    const auto edit = edits_.find(i);
    if (edit != edits_.end()) out += edit->second.before;
    if (edit != edits_.end() && edit->second.replaced) {
      out += edit->second.text;
    } else if (quoted_[i] && token.kind == TokenKind::kWord) {
      out += quoted_name(token.text);
    } else {
      out += token.text;
    }
    if (edit != edits_.end()) out += edit->second.after;
  }
  return out;
}

size_t TokenText::position_of(size_t offset) const {
  const auto after = std::upper_bound(places_.begin(), places_.end(), offset,
                                      [](size_t wanted, const Place& place) { return wanted < place.offset; });
  return after == places_.begin() ? 0 : std::prev(after)->position;
}

}  // namespace varve
