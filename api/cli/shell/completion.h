// What may follow the words typed so far: shell commands after a backslash, tables behind FROM and the like, values of
// the tag that is compared in quotes; else keywords, functions, tables, and the columns of the tables the statement
// names (of all, while it names none).
// Threads: pure functions.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace varve {

struct KnownNames {
  std::map<std::string, std::vector<std::string>> columns;  // by table; others than varve's as database.table
  std::map<std::string, std::vector<std::string>> tags = {};  // of them, those that are tags
};

// A string that is being written, where it is compared with a tag.
struct ValuePlace {
  std::string table;
  std::string tag;
  size_t begin = 0;  // behind the quote
};

// Where the word ends at the cursor begins.
size_t word_begin(std::string_view before_cursor);
// Sorted, without repeats; each begins with the word (letter case aside). Functions end in "(". Keywords follow the case
// of what was typed.
std::vector<std::string> completions(std::string_view statement, std::string_view before_cursor,
                                     const KnownNames& names);
bool inside_quotes(std::string_view before_cursor);  // of a string
std::optional<ValuePlace> value_place(std::string_view statement, std::string_view before_cursor,
                                      const KnownNames& names);
// Those that begin with what was typed (letter case aside), their quotes doubled; sorted.
std::vector<std::string> value_completions(const std::vector<std::string>& values, std::string_view typed);
std::string common_beginning(const std::vector<std::string>& words);  // letter case aside, as in the first

}  // namespace varve
