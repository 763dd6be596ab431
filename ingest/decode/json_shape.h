// Questions about JSON text that need no parser.
// Threads: pure functions.
#pragma once

#include <string_view>

namespace varve {

std::string_view trim_json(std::string_view text);  // without JSON's blanks at both ends

// Whether the text is several JSON objects, one a line, some of which may be broken. Several lines that all
// begin with '{', one of which is complete, cannot be one JSON value; so this never takes a pretty-printed
// document for lines.
bool is_one_object_a_line(std::string_view text);

// Whether the text is a number by JSON's grammar, whatever its size.
bool is_json_number(std::string_view text);

}  // namespace varve
