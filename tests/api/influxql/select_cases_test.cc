// Every statement of tests/influxql answers as written there, however rows come in blocks, and from the segments of a
// store that was closed and opened again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "api/influxql/parser.h"
#include "api/influxql/select.h"
#include "tests/support/influxql_cases.h"

namespace varve::influxql {
namespace {

const std::string kDatabase = "t";

std::vector<std::string> answer(const Engine& engine, const std::string& text, bool& failed) {
  failed = true;
  auto statements = parse_influxql(text);
  if (!statements) return {statements.error().message};
  AnswerLines sink;
  QueryBudget budget(QueryOptions{}, real_clock());
  const SelectContext context{engine, kDatabase, real_clock().wall_ns(), budget};
  auto outcome = run_select(context, std::get<SelectStatement>(statements->at(0)), sink);
  if (!outcome) return {outcome.error().message};
  failed = false;
  return sink.lines;
}

bool same(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_line);
}

// Empty when the answer is the expected one.
std::string difference(const Engine& engine, const SelectCase& one) {
  const auto expected = canonical(one.expected, one.unordered);
  bool failed = false;
  const auto lines = canonical(answer(engine, one.statement, failed), one.unordered);
  if (same(lines, expected) && (failed == one.is_error || !one.differs.empty())) return {};
  return fmt::format("  {}\nexpected\n  {}", fmt::join(lines, "\n  "), fmt::join(expected, "\n  "));
}

// How a case fails, empty when it does not.
std::string run_case(MemoryEngine& engine, const SelectCase& one) {
  for (const size_t block_rows : {size_t{1024}, size_t{3}, size_t{1}}) {
    for (const bool statistics : {true, false}) {
      engine.block_rows = block_rows;
      engine.offer_statistics = statistics;
      const std::string failure = difference(engine, one);
      if (!failure.empty())
        return fmt::format("blocks of {}, statistics {}\n{}", block_rows, statistics, failure);
    }
  }
  return {};
}

TEST(InfluxqlCases, AnswerAsWritten) {
  size_t cases = 0;
  for (const CaseFile& file : read_select_cases()) {
    MemoryEngine engine;
    DiskStore disk;
    for (const std::string& line : file.data) {
      insert_line(engine, kDatabase, line);
      insert_line(disk, kDatabase, line);
    }
    disk.flush();
    disk.restart();
    for (const SelectCase& one : file.cases) {
      ++cases;
      const std::string failure = run_case(engine, one);
      EXPECT_EQ(failure, "") << one.place << ": " << one.statement;
      EXPECT_EQ(difference(disk.engine(), one), "") << one.place << ", on disk: " << one.statement;
    }
  }
  EXPECT_GE(cases, 150U);
}

}  // namespace
}  // namespace varve::influxql
