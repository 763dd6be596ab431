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

}  // namespace

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
  bool any_named = false;
  for (const auto& [table, columns] : names.columns) {
    offer(table);
    any_named = any_named || names_table(statement, table);
  }
  for (const auto& [table, columns] : names.columns) {
    if (any_named && !names_table(statement, table)) continue;
    for (const std::string& column : columns) offer(column);
  }
  const bool command = before_cursor.starts_with('\\');  // \d wants a table, not a keyword
  if (!command) {
    for (const std::string_view keyword : kKeywords) offer(cased_like(keyword, word));
    for (const std::string& function : function_names()) offer(function + "(");
    for (const std::string& aggregate : aggregate_names()) offer(aggregate + "(");
  }
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
