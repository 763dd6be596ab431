// Values as text, for CAST, concat and the result writers.
//   double: shortest text that reads back as the same value, always with a point or exponent ("7.0"); Inf, -Inf, NaN
//   timestamp: RFC 3339 in UTC; bool: true, false
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "api/query/scalar.h"

namespace varve {

constexpr size_t kNumberBytesMax = 32;  // of a double or an int64 as text

void append_double(std::string& out, double value);
void append_int(std::string& out, int64_t value);
// The same where kNumberBytesMax are free; they return the end of the text.
char* write_double(char* to, double value);
char* write_int(char* to, int64_t value);
// The entry must not be NULL.
void append_text(std::string& out, SqlType type, const VectorView& view, size_t row);

}  // namespace varve
