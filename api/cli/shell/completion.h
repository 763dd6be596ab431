// What may follow the words typed so far: shell commands after a backslash, else keywords, functions, tables, and the
// columns of the tables the statement names (of all, while it names none).
// Threads: pure functions.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace varve {

struct KnownNames {
  std::map<std::string, std::vector<std::string>> columns;  // by table; others than varve's as database.table
};

// Where the word ends at the cursor begins.
size_t word_begin(std::string_view before_cursor);
// Sorted, without repeats; each begins with the word (letter case aside). Functions end in "(". Keywords follow the case
// of what was typed.
std::vector<std::string> completions(std::string_view statement, std::string_view before_cursor,
                                     const KnownNames& names);
std::string common_beginning(const std::vector<std::string>& words);  // letter case aside, as in the first

}  // namespace varve
