// Reads tests/influxql/*.test: rows in line protocol, statements, and what they answer. The format:
//   data             followed by lines of line protocol, times in ns; a blank line ends it
//   query            followed by InfluxQL lines, ----, then per series its head and its rows; a blank line ends it
//   query unordered  the same; influxd's order of series is left to chance
//   differs WHY      the same, or an error; influxd answers otherwise, and WHY we do
//   error            followed by InfluxQL lines, ----, the message
// A head is NAME{tag=value,...} and the columns, a row its values: cpu{host=a} time mean
// Values: null, true, numbers (compared to 1 part in 10^9), "text".
// Threads: one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/influxql/result.h"
#include "tests/support/disk_store.h"
#include "tests/support/memory_engine.h"

namespace varve::influxql {

struct SelectCase {
  std::string place;  // file:line
  std::string statement;
  std::vector<std::string> expected;
  bool is_error = false;
  bool unordered = false;
  std::string differs;  // why influxd is not asked; empty = it is
};

struct CaseFile {
  std::string name;
  std::vector<std::string> data;
  std::vector<SelectCase> cases;
};

std::vector<CaseFile> read_select_cases();  // of all files; throws when there are none

// Inserts one line of line protocol without escapes.
void insert_line(MemoryEngine& engine, std::string_view database, std::string_view line);
void insert_line(DiskStore& store, std::string_view database, std::string_view line);

// The answer in the words of the files.
class AnswerLines : public ResultSink {
 public:
  bool begin(const SeriesHead& head) override;
  bool rows(const SeriesRows& batch) override;
  std::vector<std::string> lines;
};
std::string head_line(const std::string& name, const std::vector<std::pair<std::string, std::string>>& tags,
                      const std::vector<std::string>& columns);
std::string cell_text(const Value& value);

// Equal but for the last digits of numbers.
bool same_line(const std::string& a, const std::string& b);
// As far as influxd's order is by chance: rows of one series at one time sorted; `unordered` series, too.
std::vector<std::string> canonical(const std::vector<std::string>& lines, bool unordered);

}  // namespace varve::influxql
