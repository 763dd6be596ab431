#include "api/cli/shell/completion.h"

#include <algorithm>
#include <array>
#include <set>

#include "api/query/aggregate.h"
#include "api/query/functions.h"
#include "api/sql/text.h"

namespace varve {
namespace {

constexpr std::array<std::string_view, 50> kKeywords{
    "ALL",    "AND",  "ANALYZE",  "AS",       "ASC",       "BETWEEN", "BY",       "CASE",   "CAST",
    "DELETE", "DESC", "DESCRIBE", "DISTINCT", "ELSE",      "END",     "ESCAPE",   "EXISTS", "EXPLAIN",
    "FALSE",  "FILL", "FROM",     "GROUP",    "HAVING",    "IN",      "INTERVAL", "IS",     "JOIN",
    "LATEST", "LEFT", "LIKE",     "LIMIT",    "LINEAR",    "NOT",     "NULL",     "NULLS",  "OFFSET",
    "ON",     "OR",   "ORDER",    "OVER",     "PARTITION", "PREV",    "SAMPLE",   "SELECT", "SHOW",
    "TABLES", "TRUE", "UNION",    "WHERE",    "WITH"};
constexpr std::array<std::string_view, 9> kCommands{"\\?",     "\\d",      "\\format", "\\i",    "\\q",
                                                    "\\spark", "\\timing", "\\x",      "\\watch"};

bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool begins_with(std::string_view text, std::string_view beginning) {
  return text.size() >= beginning.size() && equal_ignoring_case(text.substr(0, beginning.size()), beginning);
}

std::string cased_like(std::string_view keyword, std::string_view typed) {
  const bool lower = std::any_of(typed.begin(), typed.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  std::string word(keyword);
  if (lower) {
    for (char& c : word) c = ascii_lower(c);
  }
  return word;
}

bool names_table(std::string_view statement, std::string_view table) {
  for (size_t at = 0; at < statement.size();) {
    if (!is_word_character(statement[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < statement.size() && is_word_character(statement[end])) ++end;
    if (equal_ignoring_case(statement.substr(at, end - at), table)) return true;
    at = end;
  }
  return false;
}

// Where the string literal that is open at the end of the text begins, at its quote.
std::optional<size_t> open_quote(std::string_view text) {
  std::optional<size_t> begin;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (begin) {
      if (c != text[*begin]) continue;
      if (at + 1 < text.size() && text[at + 1] == c) {
        ++at;  // doubled: one in the string
      } else {
        begin.reset();
      }
    } else if (c == '\'' || c == '"' || c == '`') {
      begin = at;
    } else if (text.substr(at).starts_with("--")) {
      at = std::min(text.find('\n', at), text.size());
    }
  }
  return begin && text[*begin] == '\'' ? begin : std::nullopt;
}

// Takes things off the end of a text.
class Backwards {
 public:
  explicit Backwards(std::string_view text) : text_(text) { skip_blanks(); }

  bool take(std::string_view end) {
    if (text_.size() < end.size() || !equal_ignoring_case(text_.substr(text_.size() - end.size()), end)) {
      return false;
    }
    text_.remove_suffix(end.size());
    skip_blanks();
    return true;
  }
  bool take_word(std::string_view word) {
    Backwards ahead = *this;
    if (!equal_ignoring_case(ahead.take_name(), word)) return false;
    *this = ahead;
    return true;
  }
  bool take_string() {
    if (!text_.ends_with('\'')) return false;
    size_t at = text_.size() - 1;
    while (at > 0 && (text_[at - 1] != '\'' || (at > 1 && text_[at - 2] == '\''))) {
      at -= text_[at - 1] == '\'' ? 2 : 1;
    }
    if (at == 0) return false;
    text_ = text_.substr(0, at - 1);
    skip_blanks();
    return true;
  }
  // An identifier without its quotes and without the name of a table before it.
  std::string_view take_name() {
    std::string_view name;
    if (text_.ends_with('"')) {
      const size_t begin = text_.rfind('"', text_.size() - 2);
      if (text_.size() < 2 || begin == text_.npos) return {};
      name = text_.substr(begin + 1, text_.size() - begin - 2);
      text_ = text_.substr(0, begin);
    } else {
      size_t at = text_.size();
      while (at > 0 && is_word_character(text_[at - 1])) --at;
      name = text_.substr(at);
      if (const size_t dot = name.rfind('.'); dot != name.npos) name.remove_prefix(dot + 1);
      text_ = text_.substr(0, at);
    }
    skip_blanks();
    return name;
  }

 private:
  void skip_blanks() {
    while (!text_.empty() && (text_.back() == ' ' || text_.back() == '\t' || text_.back() == '\n')) {
      text_.remove_suffix(1);
    }
  }
  std::string_view text_;
};

bool wants_table(std::string_view before_word) {
  if (before_word.starts_with("\\d")) return true;
  Backwards text(before_word);
  return text.take_word("FROM") || text.take_word("JOIN") || text.take_word("DESCRIBE");
}

}  // namespace

bool inside_quotes(std::string_view before_cursor) {
  return open_quote(before_cursor).has_value();
}

std::optional<ValuePlace> value_place(std::string_view statement, std::string_view before_cursor,
                                      const KnownNames& names) {
  const auto quote = open_quote(before_cursor);
  if (!quote) return std::nullopt;
  Backwards text(before_cursor.substr(0, *quote));
  bool listed = false;
  while (text.take(",")) {
    if (!text.take_string()) return std::nullopt;
    listed = true;
  }
  if (text.take("(")) {
    if (!text.take_word("IN")) return std::nullopt;
    (void)text.take_word("NOT");
  } else if (listed || (!text.take("<>") && !text.take("!=") && !text.take("="))) {
    return std::nullopt;
  }
  const std::string_view tag = text.take_name();
  if (tag.empty()) return std::nullopt;
  std::optional<ValuePlace> place;
  for (const auto& [table, tags] : names.tags) {
    if (std::find(tags.begin(), tags.end(), tag) == tags.end()) continue;
    const bool named = names_table(statement, table);
    if (named || !place) place = ValuePlace{table, std::string(tag), *quote + 1};
    if (named) break;
  }
  return place;
}

std::vector<std::string> value_completions(const std::vector<std::string>& values, std::string_view typed) {
  std::set<std::string> found;
  for (const std::string& value : values) {
    std::string quoted;
    for (const char c : value) quoted.append(c == '\'' ? 2 : 1, c);
    if (begins_with(quoted, typed)) found.insert(std::move(quoted));
  }
  return {found.begin(), found.end()};
}

size_t word_begin(std::string_view before_cursor) {
  size_t at = before_cursor.size();
  while (at > 0 && is_word_character(before_cursor[at - 1])) --at;
  if (at > 0 && before_cursor[at - 1] == '\\') --at;
  return at;
}

std::vector<std::string> completions(std::string_view statement, std::string_view before_cursor,
                                     const KnownNames& names) {
  const std::string_view word = before_cursor.substr(word_begin(before_cursor));
  std::set<std::string> found;
  if (word.starts_with('\\')) {
    for (const std::string_view command : kCommands) {
      if (begins_with(command, word)) found.emplace(command);
    }
    return {found.begin(), found.end()};
  }
  const auto offer = [&](const std::string& text) {
    if (begins_with(text, word)) found.insert(text);
  };
  if (wants_table(before_cursor.substr(0, before_cursor.size() - word.size()))) {
    for (const auto& [table, columns] : names.columns) offer(table);
    return {found.begin(), found.end()};
  }
  if (before_cursor.starts_with('\\')) return {};  // on, 2s, a file: nothing of SQL
  bool any_named = false;
  for (const auto& [table, columns] : names.columns) {
    offer(table);
    any_named = any_named || names_table(statement, table);
  }
  for (const auto& [table, columns] : names.columns) {
    if (any_named && !names_table(statement, table)) continue;
    for (const std::string& column : columns) offer(column);
  }
  for (const std::string_view keyword : kKeywords) offer(cased_like(keyword, word));
  for (const std::string& function : function_names()) offer(function + "(");
  for (const std::string& aggregate : aggregate_names()) offer(aggregate + "(");
  return {found.begin(), found.end()};
}

std::string common_beginning(const std::vector<std::string>& words) {
  if (words.empty()) return {};
  size_t length = words.front().size();
  for (const std::string& word : words) {
    while (length > 0 && !begins_with(word, std::string_view(words.front()).substr(0, length))) --length;
  }
  return words.front().substr(0, length);
}

}  // namespace varve
