// Runs tests/sql/*.test: rows to insert, statements, and what they answer. The format:
//   insert TABLE TIME tag:NAME=VALUE ... FIELD=VALUE ...    (values: 1.5, 3i, true, "text")
//   segment DATABASE.TABLE ID TIME_MIN TIME_MAX ROWS BYTES  (what the store lists; it holds nothing)
//   parameter NAME VALUE                                    ($NAME of the statements below; values as above)
//   query            followed by SQL lines, ----, the column names, the rows; a blank line ends it
//   error            followed by SQL lines, ----, the outcome
//   restart          (the store is flushed, closed and opened again)
// Lines take effect in their order. Every statement runs with blocks of 1, 3 and 1024 rows, with statistics and without,
// and on a store on disk, as the rows have come and again from segments, once it was flushed, closed and opened; all must
// agree. A file with `segment` has no such store.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "storage/base/timestamp.h"
#include "tests/support/disk_store.h"
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

struct Row {
  std::string database{kDefaultDatabase};
  std::string table;
  int64_t time = 0;
  MemoryEngine::Tags tags;
  MemoryEngine::Fields fields;
};

Row parse_row(const std::string& line) {
  Row row;
  std::istringstream in(line);
  std::string word;
  std::string time;
  in >> word >> row.table >> time;
  if (const size_t dot = row.table.find('.'); dot != std::string::npos) {
    row.database = row.table.substr(0, dot);
    row.table.erase(0, dot + 1);
  }
  row.time = parse_timestamp(time).value();
  while (in >> word) {
    const size_t equals = word.find('=');
    const std::string value = word.substr(equals + 1);
    if (word.starts_with("tag:")) {
      row.tags.emplace_back(word.substr(4, equals - 4), value);
    } else {
      row.fields.emplace_back(word.substr(0, equals), parse_value(value));
    }
  }
  return row;
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
  QueryParameters parameters;
};

std::string answer(const CollectedResult& result) {
  if (result.error) return result.outcome() + "\n";
  std::string text;
  for (const ResultColumn& column : result.columns) text += (text.empty() ? "" : " | ") + column.name;
  text += "\n";
  for (const std::string& line : result.lines()) text += line + "\n";
  return text;
}

void run_case(MemoryEngine& engine, DiskStore* disk, const Case& one) {
  for (const size_t block_rows : {size_t{1024}, size_t{3}, size_t{1}}) {
    for (const bool statistics : {true, false}) {
      engine.block_rows = block_rows;
      engine.offer_statistics = statistics;
      const CollectedResult result = run_query(engine, one.sql, one.parameters);
      ASSERT_EQ(answer(result), one.expected)
          << one.place << ": " << one.sql << "\nblocks of " << block_rows << ", statistics " << statistics;
      EXPECT_EQ(result.error.has_value(), one.is_error) << one.place;
    }
  }
  if (disk == nullptr) return;
  for (const bool reopened : {false, true}) {
    if (reopened) {
      if (one.sql.starts_with("DELETE")) return;  // what it deletes is gone by now, with its series
      disk->flush();
      disk->restart();
    }
    EXPECT_EQ(answer(run_query(disk->engine(), one.sql, one.parameters)), one.expected)
        << one.place << ": " << one.sql << "\non disk" << (reopened ? ", opened again" : "");
  }
}

bool lists_segments(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with("segment ")) return true;
  }
  return false;
}

// How many statements ran after a restart.
size_t run_file(const std::filesystem::path& path) {
  MemoryEngine engine;
  const auto disk = lists_segments(path) ? nullptr : std::make_unique<DiskStore>();
  std::ifstream in(path);
  std::string line;
  QueryParameters parameters;
  size_t cases = 0;
  size_t after_restart = 0;
  bool restarted = false;
  for (int number = 1; std::getline(in, line) && !testing::Test::HasFatalFailure(); ++number) {
    if (line.starts_with("insert ")) {
      const Row row = parse_row(line);
      engine.insert(row.database, row.table, row.time, row.tags, row.fields);
      if (disk) disk->insert(row.database, row.table, row.time, row.tags, row.fields);
    }
    if (line.starts_with("segment ")) list_segment(engine, line);
    if (line.starts_with("parameter ")) {
      const size_t name = line.find(' ') + 1;
      const size_t value = line.find(' ', name) + 1;
      parameters[line.substr(name, value - name - 1)] = parse_value(line.substr(value));
    }
    if (line == "restart") {
      disk->flush();
      disk->restart();
      restarted = true;
    }
    if (line != "query" && line != "error") continue;
    Case one{path.filename().string() + ":" + std::to_string(number), line == "error", {}, {}, parameters};
    for (; std::getline(in, line) && line != "----"; ++number) one.sql += line + "\n";
    for (; std::getline(in, line) && !line.empty(); ++number) one.expected += line + "\n";
    number += 2;
    one.sql.pop_back();
    run_case(engine, disk.get(), one);
    ++cases;
    after_restart += restarted ? 1 : 0;
  }
  EXPECT_GT(cases, 0U) << path;
  return after_restart;
}

TEST(SqlCases, AnswerAsWritten) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(VARVE_SOURCE_DIR "/tests/sql")) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty());
  size_t after_restart = 0;
  for (const auto& file : files) after_restart += run_file(file);
  EXPECT_GT(after_restart, 0U);
}

}  // namespace
}  // namespace varve
