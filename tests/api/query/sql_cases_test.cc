// Runs tests/sql/*.test: rows to insert, statements, and what they answer. The format:
//   insert TABLE TIME tag:NAME=VALUE ... FIELD=VALUE ...    (values: 1.5, 3i, true, "text")
//   segment DATABASE.TABLE ID TIME_MIN TIME_MAX ROWS BYTES  (what the store lists; it holds nothing)
//   query            followed by SQL lines, ----, the column names, the rows; a blank line ends it
//   error            followed by SQL lines, ----, the outcome
// Every statement runs with blocks of 1, 3 and 1024 rows, with statistics and without; all must agree.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "storage/base/timestamp.h"
#include "tests/support/memory_engine.h"
#include "tests/support/query_result.h"

namespace varve {
namespace {

Value parse_value(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  if (text.front() == '"') return text.substr(1, text.size() - 2);
  if (text.back() == 'i') return int64_t{std::stoll(text)};
  return std::stod(text);
}

void insert(MemoryEngine& engine, const std::string& line) {
  std::istringstream in(line);
  std::string word;
  std::string table;
  std::string time;
  in >> word >> table >> time;
  const size_t dot = table.find('.');
  const std::string database =
      dot == std::string::npos ? std::string(kDefaultDatabase) : table.substr(0, dot);
  if (dot != std::string::npos) table.erase(0, dot + 1);
  MemoryEngine::Tags tags;
  MemoryEngine::Fields fields;
  while (in >> word) {
    const size_t equals = word.find('=');
    const std::string value = word.substr(equals + 1);
    if (word.starts_with("tag:")) {
      tags.emplace_back(word.substr(4, equals - 4), value);
    } else {
      fields.emplace_back(word.substr(0, equals), parse_value(value));
    }
  }
  engine.insert(database, table, parse_timestamp(time).value(), tags, fields);
}

void list_segment(MemoryEngine& engine, const std::string& line) {
  std::istringstream in(line);
  std::string word;
  std::string table;
  std::string time_min;
  std::string time_max;
  SegmentInfo segment;
  in >> word >> table >> segment.id >> time_min >> time_max >> segment.rows >> segment.bytes;
  segment.database = table.substr(0, table.find('.'));
  segment.table = table.substr(table.find('.') + 1);
  segment.file = std::to_string(segment.id) + ".seg";
  segment.series = 1;
  segment.time_min = parse_timestamp(time_min).value();
  segment.time_max = parse_timestamp(time_max).value();
  segment.first_lsn = 1;
  segment.last_lsn = 2;
  engine.listed_segments.push_back(segment);
}

struct Case {
  std::string place;  // file:line
  bool is_error = false;
  std::string sql;
  std::string expected;
};

std::string answer(const CollectedResult& result) {
  if (result.error) return result.outcome() + "\n";
  std::string text;
  for (const ResultColumn& column : result.columns) text += (text.empty() ? "" : " | ") + column.name;
  text += "\n";
  for (const std::string& line : result.lines()) text += line + "\n";
  return text;
}

void run_file(const std::filesystem::path& path) {
  MemoryEngine engine;
  std::ifstream in(path);
  std::vector<Case> cases;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("insert ")) insert(engine, line);
    if (line.starts_with("segment ")) list_segment(engine, line);
    if (line != "query" && line != "error") continue;
    Case one{path.filename().string() + ":" + std::to_string(number), line == "error", {}, {}};
    for (; std::getline(in, line) && line != "----"; ++number) one.sql += line + "\n";
    for (; std::getline(in, line) && !line.empty(); ++number) one.expected += line + "\n";
    number += 2;
    one.sql.pop_back();
    cases.push_back(one);
  }
  ASSERT_FALSE(cases.empty()) << path;
  for (const Case& one : cases) {
    for (const size_t block_rows : {size_t{1024}, size_t{3}, size_t{1}}) {
      for (const bool statistics : {true, false}) {
        engine.block_rows = block_rows;
        engine.offer_statistics = statistics;
        const CollectedResult result = run_query(engine, one.sql);
        EXPECT_EQ(answer(result), one.expected)
            << one.place << ": " << one.sql << "\nblocks of " << block_rows << ", statistics " << statistics;
        EXPECT_EQ(result.error.has_value(), one.is_error) << one.place;
      }
    }
  }
}

TEST(SqlCases, AnswerAsWritten) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(VARVE_SOURCE_DIR "/tests/sql")) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty());
  for (const auto& file : files) run_file(file);
}

}  // namespace
}  // namespace varve
