// One cell of a result as text, shared by the writers.
// Threads: pure functions.
#pragma once

#include <string>

#include "api/query/result_writer.h"

namespace varve {

// A time as RFC 3339 text without quotes, or as an integer of the unit, rounded down.
void append_time(std::string& out, TimeFormat format, int64_t ns);
// As append_time(), where kTimeBytesMax are free; returns the end.
constexpr size_t kTimeBytesMax = 32;
char* write_time(char* to, TimeFormat format, int64_t ns);
// As shown in csv and table; the cell must not be NULL. Strings are appended as they are.
void append_cell(std::string& out, ResultType type, TimeFormat format, const ColumnVector& column,
                 size_t row);

std::unique_ptr<ResultWriter> make_table_writer(TimeFormat time_format, ResultWriter::Output out);

}  // namespace varve
