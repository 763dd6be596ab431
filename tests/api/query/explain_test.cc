// What the text cases cannot fix: times, counters of a run, and limits.
#include <gtest/gtest.h>

#include "tests/support/memory_engine.h"
#include "tests/support/query_result.h"

namespace varve {
namespace {

void fill(MemoryEngine& engine, int64_t rows) {
  for (int64_t i = 0; i < rows; ++i) {
    engine.insert("varve", "t", i * kNsPerSecond, {{"site", "a"}},
                  {{"v", static_cast<double>(i * 7919 % rows)}, {"n", i}});
  }
}

std::string line_with(const CollectedResult& result, std::string_view begin) {
  for (const std::string& line : result.lines()) {
    if (line.starts_with(begin)) return line;
  }
  return "no such line";
}

TEST(Explain, AnalyzeSaysWhatTheRunCost) {
  MemoryEngine engine;
  engine.block_rows = 100;
  fill(engine, 1000);
  const CollectedResult result = run_query(engine, "EXPLAIN ANALYZE SELECT count(*), sum(v) FROM t");
  ASSERT_FALSE(result.error) << result.outcome();
  EXPECT_EQ(line_with(result, "blocks:"),
            "blocks: 0 decoded, 10 from statistics, 0 left out by conditions on fields");
  EXPECT_EQ(line_with(result, "rows:"), "rows: 1000 scanned, 1 out");
  EXPECT_NE(line_with(result, "segments:"), "no such line");
  EXPECT_TRUE(line_with(result, "scan and group:").ends_with(" ms, 1 rows"));
  EXPECT_EQ(result.stats.row_count, result.values.size());
}

TEST(Explain, AnalyzeFailsAsTheStatementWould) {
  MemoryEngine engine;
  fill(engine, 1000);
  QueryOptions options;
  options.max_rows = 100;
  EXPECT_EQ(run_query(engine, "EXPLAIN ANALYZE SELECT * FROM t", {}, options).error->code, "row_limit");
  EXPECT_EQ(run_query(engine, "EXPLAIN SELECT * FROM t", {}, options).outcome(), "ok");
}

TEST(Percentile, GoesOverToADigestInSmallMemoryAndSaysSo) {
  MemoryEngine engine;
  fill(engine, 100'000);
  QueryOptions options;
  CollectedResult exact = run_query(engine, "SELECT median(v), percentile(v, 99) FROM t", {}, options);
  EXPECT_EQ(exact.line(0), "49999.5 | 98999.01");
  EXPECT_TRUE(exact.stats.approximate.empty());
  options.max_memory_bytes = 1 << 20;
  CollectedResult near = run_query(engine, "SELECT median(v), percentile(v, 99), max(v) FROM t", {}, options);
  ASSERT_FALSE(near.error) << near.outcome();
  EXPECT_EQ(near.stats.approximate, (std::vector<std::string>{"median(v)", "percentile(v, 99)"}));
  EXPECT_NEAR(std::get<double>(near.values[0][0]), 49999.5, 1000);
  EXPECT_NEAR(std::get<double>(near.values[0][1]), 98999.01, 200);
  EXPECT_NE(
      line_with(run_query(engine, "EXPLAIN ANALYZE SELECT median(v) FROM t", {}, options), "approximate"),
      "no such line");
}

TEST(Fill, RefusesMoreRowsThanTheLimitBeforeMakingAny) {
  MemoryEngine engine;
  fill(engine, 10);
  QueryOptions options;
  options.max_memory_bytes = 1 << 20;
  const CollectedResult result =
      run_query(engine,
                "SELECT time, count(*) FROM t WHERE time >= '1990-01-01' AND time < '2025-01-01' "
                "SAMPLE BY 1s FILL(0)",
                {}, options);
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->kind, QueryErrorKind::kLimit);
  EXPECT_EQ(result.outcome(),
            "row_limit: FILL makes 1104537600 buckets for each of 1 groups, more rows than query.max_rows = "
            "1000000 "
            "(use wider buckets, narrow the range of time, or raise query.max_rows)");
}

TEST(Fill, AsksForTheSeedOfAWindowOnlyAsFarBackAsItMust) {
  MemoryEngine engine;
  engine.block_rows = 10;
  for (int64_t i = 0; i < 10'000; ++i) {
    engine.insert("varve", "t", i * 60 * kNsPerSecond, {{"site", "near"}}, {{"v", static_cast<double>(i)}});
  }
  const std::string sql =
      "SELECT time, site, last(v) FROM t WHERE time >= '1970-01-07T22:38:10Z' AND time < "
      "'1970-01-07T22:39:10Z' "
      "SAMPLE BY 30s FILL(prev)";
  const CollectedResult result = run_query(engine, sql);
  ASSERT_FALSE(result.error) << result.outcome();
  EXPECT_EQ(result.lines(), (std::vector<std::string>{"1970-01-07T22:38:00Z | near | 9998.0",
                                                      "1970-01-07T22:38:30Z | near | 9998.0",
                                                      "1970-01-07T22:39:00Z | near | 9999.0"}));
  EXPECT_EQ(result.stats.rows_scanned, 34U);  // one in the window, 33 in the 64 buckets before it
}

}  // namespace
}  // namespace varve
