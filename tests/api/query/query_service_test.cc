#include "api/query/query.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "tests/support/memory_engine.h"
#include "tests/support/query_result.h"

namespace varve {
namespace {

// Every look at the clock takes `step_ns`.
class SteppingClock : public Clock {
 public:
  explicit SteppingClock(int64_t step) : step_ns(step) {}
  int64_t wall_ns() const override { return 1'751'328'000 * kNsPerSecond; }  // 2025-07-01
  int64_t monotonic_ns() const override { return now_ns.fetch_add(step_ns); }
  const int64_t step_ns;
  mutable std::atomic<int64_t> now_ns{0};
};

// Series `s0`, `s1` ... with one row a second and a field v = 0, 1, 2 ...
void fill(MemoryEngine& engine, int series, int rows) {
  for (int s = 0; s < series; ++s) {
    for (int r = 0; r < rows; ++r) {
      engine.insert(kDefaultDatabase, "t", r * kNsPerSecond, {{"s", "s" + std::to_string(s)}},
                    {{"v", static_cast<double>(r)}, {"n", int64_t{r}}});
    }
  }
}

TEST(QueryService, PushesTimeAndTagsIntoTheScan) {
  MemoryEngine engine;
  engine.block_rows = 10;
  fill(engine, 5, 100);
  const CollectedResult result = run_query(
      engine,
      "SELECT v FROM t WHERE s = 's3' AND time >= '1970-01-01T00:00:10Z' AND time < '1970-01-01T00:00:30Z'");
  EXPECT_EQ(result.values.size(), 20U);
  EXPECT_EQ(result.stats.rows_scanned, 20U);
  EXPECT_EQ(result.stats.engine, "native");
  EXPECT_EQ(result.stats.row_count, 20U);
}

TEST(QueryService, AnswersFromStatisticsWhereTheySuffice) {
  MemoryEngine engine;
  engine.block_rows = 10;
  fill(engine, 2, 100);
  const auto blocks = [&](const std::string& sql) {
    const CollectedResult result = run_query(engine, sql);
    EXPECT_EQ(result.outcome(), "ok");
    return std::pair(result.stats.blocks_from_statistics, result.stats.blocks_decoded);
  };
  using Counts = std::pair<uint64_t, uint64_t>;
  EXPECT_EQ(blocks("SELECT avg(v), max(n), count(*) FROM t"), Counts(20, 0));
  EXPECT_EQ(blocks("SELECT s, last(v) FROM t GROUP BY s"),
            Counts(4, 0));  // a second block shows there is no need of it
  EXPECT_EQ(blocks("SELECT sum(v) FROM t GROUP BY time_bucket('20s', time)"), Counts(20, 0));
  EXPECT_EQ(blocks("SELECT sum(v) FROM t GROUP BY time_bucket('15s', time)"), Counts(14, 6));
  EXPECT_EQ(blocks("SELECT sum(v + 1) FROM t"), Counts(0, 20));
  EXPECT_EQ(blocks("SELECT sum(v) FROM t WHERE n > 3"), Counts(18, 2));
  EXPECT_EQ(blocks("SELECT sum(v) FROM t WHERE n > 3 AND n < v"), Counts(0, 20));
  EXPECT_EQ(blocks("SELECT median(v) FROM t"), Counts(0, 20));
}

// Which series' block holds the last value cannot be told from statistics when there are NULLs.
TEST(QueryService, ReadsRowsWhenStatisticsFallShort) {
  MemoryEngine engine;
  engine.insert(kDefaultDatabase, "t", 1, {{"s", "a"}}, {{"v", 1.0}});
  engine.insert(kDefaultDatabase, "t", 9, {{"s", "a"}}, {{"w", 1.0}});
  engine.insert(kDefaultDatabase, "t", 5, {{"s", "b"}}, {{"v", 2.0}});
  engine.insert(kDefaultDatabase, "t", 6, {{"s", "b"}}, {{"w", 2.0}});
  EXPECT_EQ(run_query(engine, "SELECT last(v) FROM t").line(0), "2.0");
  EXPECT_EQ(run_query(engine, "SELECT s, last(v) FROM t GROUP BY s").line(0), "a | 1.0");
}

TEST(QueryService, LimitStopsTheScanEarly) {
  MemoryEngine engine;
  engine.block_rows = 10;
  fill(engine, 5, 1000);
  const CollectedResult result = run_query(engine, "SELECT * FROM t LIMIT 15");
  EXPECT_EQ(result.values.size(), 15U);
  EXPECT_EQ(result.stats.rows_scanned, 20U);
}

// Statements of both engines; of the two limits the smaller one holds.
TEST(QueryService, GivesNoMoreRowsThanTheRequestWants) {
  MemoryEngine engine;
  engine.block_rows = 10;
  fill(engine, 2, 1000);
  MetricsRegistry metrics;
  QueryService service(engine, {}, metrics);
  const auto rows = [&](const std::string& sql) {
    CollectedResult result;
    QueryRequest request;
    request.sql = sql;
    request.limit = 3;
    const auto stats = service.run(request, result);
    EXPECT_TRUE(stats) << sql;
    EXPECT_EQ(stats->row_count, result.values.size()) << sql;
    return result.values.size();
  };
  EXPECT_EQ(rows("SELECT * FROM t"), 3U);
  EXPECT_EQ(rows("SELECT v FROM t ORDER BY v DESC LIMIT 2"), 2U);
  EXPECT_EQ(rows("SELECT v FROM t LIMIT 100"), 3U);
  EXPECT_EQ(rows("SELECT v FROM t GROUP BY v"), 3U);
  EXPECT_EQ(rows("SELECT v FROM t UNION ALL SELECT v FROM t"), 3U);
  EXPECT_EQ(rows("SELECT 1 UNION ALL SELECT 2"), 2U);
}

TEST(QueryService, SortsMoreThanOneRunAndKeepsTheBestFew) {
  MemoryEngine engine;
  fill(engine, 1, 70'000);  // more than a run of the sorter
  const CollectedResult all = run_query(engine, "SELECT n FROM t ORDER BY n % 7, n DESC");
  ASSERT_EQ(all.values.size(), 70'000U);
  EXPECT_EQ(all.line(0), "69993");
  EXPECT_EQ(all.line(69'999), "6");
  const CollectedResult best = run_query(engine, "SELECT n FROM t ORDER BY n % 7, n DESC LIMIT 3 OFFSET 1");
  EXPECT_EQ(best.lines(), (std::vector<std::string>{"69986", "69979", "69972"}));
}

TEST(QueryService, TreatsNanAsNull) {
  MemoryEngine engine;
  engine.insert(kDefaultDatabase, "t", 1, {}, {{"v", 1.0}});
  engine.insert(kDefaultDatabase, "t", 2, {}, {{"v", std::nan("")}});
  engine.insert(kDefaultDatabase, "t", 3, {}, {{"v", INFINITY}});
  EXPECT_EQ(run_query(engine, "SELECT count(v), min(v), last(v) FROM t").line(0), "2 | 1.0 | Inf");
  EXPECT_EQ(run_query(engine, "SELECT v IS NULL, v - v FROM t").lines(),
            (std::vector<std::string>{"false | 0.0", "true | NULL", "false | NULL"}));
  EXPECT_EQ(run_query(engine, "SELECT v < 9007199254740993, cast(v AS int64), v % 2 FROM t WHERE v IS NULL")
                .line(0),
            "NULL | NULL | NULL");
}

TEST(QueryService, TakesTypedParameters) {
  MemoryEngine engine;
  fill(engine, 2, 10);
  const QueryParameters parameters{{"site", std::string("s1")},
                                   {"from", std::string("1970-01-01T00:00:07Z")},
                                   {"most", int64_t{2}},
                                   {"none", Value{}}};
  EXPECT_EQ(
      run_query(engine, "SELECT n FROM t WHERE s = $site AND time >= $from LIMIT $most", parameters).lines(),
      (std::vector<std::string>{"7", "8"}));
  EXPECT_EQ(run_query(engine, "SELECT $none IS NULL, $most + 1", parameters).line(0), "true | 3");
  EXPECT_EQ(run_query(engine, "SELECT $sites", parameters).outcome(),
            "missing_parameter at 7: no value for $sites (did you mean `site`?)");
}

TEST(QueryService, ReportsOverflowOfSums) {
  MemoryEngine engine;
  engine.insert(kDefaultDatabase, "t", 1, {}, {{"n", INT64_MAX}});
  engine.insert(kDefaultDatabase, "t", 2, {}, {{"n", int64_t{1}}});
  EXPECT_EQ(run_query(engine, "SELECT sum(n) FROM t").outcome(),
            "overflow at 7: the sum is beyond the range of int64 (sum(cast(x as double)) has the range)");
  engine.insert(kDefaultDatabase, "t", 3, {}, {{"n", int64_t{-1}}});
  EXPECT_EQ(run_query(engine, "SELECT sum(n) FROM t").line(0), "9223372036854775807");
  // An overflow in a row that is filtered out, or in a branch not taken, is none.
  EXPECT_EQ(run_query(engine, "SELECT n + 1 FROM t WHERE n < 5").outcome(), "ok");
  EXPECT_EQ(run_query(engine, "SELECT CASE WHEN n < 5 THEN n + 1 END FROM t").outcome(), "ok");
  EXPECT_EQ(run_query(engine, "SELECT count(*) FROM t WHERE n < 5 AND n + 1 > 0").outcome(), "ok");
}

TEST(QueryService, PlansAgainWhenATypeChangesMeanwhile) {
  MemoryEngine engine;
  fill(engine, 1, 3);
  engine.scans_with_other_types = 1;
  EXPECT_EQ(run_query(engine, "SELECT sum(v) FROM t").line(0), "3.0");
  engine.scans_with_other_types = 100;
  const CollectedResult result = run_query(engine, "SELECT v FROM t");
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->kind, QueryErrorKind::kBusy);
  EXPECT_EQ(result.error->code, "schema_changing");
}

TEST(QueryService, NamesTheLimitThatWasHit) {
  MemoryEngine engine;
  fill(engine, 3, 10'000);
  QueryOptions options;
  options.max_rows = 100;
  EXPECT_EQ(run_query(engine, "SELECT * FROM t", {}, options).outcome(),
            "row_limit: the result has more than query.max_rows = 100 rows (add LIMIT or group, or raise "
            "query.max_rows)");
  EXPECT_EQ(run_query(engine, "SELECT * FROM t LIMIT 100", {}, options).outcome(), "ok");
  options.max_rows = 1'000'000;
  options.max_memory_bytes = 100'000;
  for (const char* sql :
       {"SELECT n, s, count(*) FROM t GROUP BY n, s", "SELECT time, count(*) FROM t GROUP BY time",
        "SELECT DISTINCT n FROM t", "SELECT * FROM t ORDER BY v",
        "SELECT time, median(v) FROM t GROUP BY time", "SELECT count(DISTINCT n) FROM t",
        "SELECT count(*) FROM t GROUP BY time_bucket('1s', time)"}) {
    const CollectedResult result = run_query(engine, sql, {}, options);
    ASSERT_TRUE(result.error) << sql;
    EXPECT_EQ(result.error->kind, QueryErrorKind::kLimit) << sql;
    EXPECT_EQ(result.error->code, "memory_limit") << sql;
    EXPECT_NE(result.error->message.find("query.max_memory"), std::string::npos);
  }
  options.max_memory_bytes = 300'000;  // a block of rows for each part under way, not the table's 30,000
  EXPECT_EQ(run_query(engine, "SELECT * FROM t ORDER BY v DESC LIMIT 10", {}, options).outcome(), "ok");
}

TEST(QueryService, StopsAtTheDeadline) {
  MemoryEngine engine;
  fill(engine, 3, 10'000);
  const SteppingClock clock(kNsPerSecond);
  MetricsRegistry metrics;
  QueryService service(engine, {}, metrics, clock);
  CollectedResult sink;
  auto outcome = service.run({"SELECT sum(v + 1) FROM t", {}}, sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, QueryErrorKind::kTimeout);
  EXPECT_NE(outcome.error().message.find("query.timeout = 30s"), std::string::npos);
  EXPECT_NE(metrics.render().find("varve_queries_total{outcome=\"error\"} 1"), std::string::npos);
}

TEST(QueryService, ReportsFailingScans) {
  MemoryEngine engine;
  fill(engine, 3, 3000);
  engine.scan_failure = "segment 7, block 3: checksum differs";
  const CollectedResult result = run_query(engine, "SELECT sum(v + 1) FROM t");
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->kind, QueryErrorKind::kInternal);
  EXPECT_EQ(result.outcome(), "corruption: segment 7, block 3: checksum differs");
}

// A sink that does something at each batch.
struct HookSink : ResultSink {
  std::function<bool()> on_rows;
  size_t largest = 0;
  bool begin(const std::vector<ResultColumn>&) override { return true; }
  bool rows(const ResultBatch& batch) override {
    largest = std::max(largest, batch.rows);
    return on_rows();
  }
};

TEST(QueryService, StopsWhenTheReaderIsGone) {
  MemoryEngine engine;
  fill(engine, 3, 3000);
  MetricsRegistry metrics;
  QueryService service(engine, {}, metrics);
  HookSink sink;
  int batches = 0;
  sink.on_rows = [&] { return ++batches < 2; };
  auto outcome = service.run({"SELECT * FROM t", {}}, sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, QueryErrorKind::kCancelled);
  EXPECT_EQ(batches, 2);
  EXPECT_LE(sink.largest, 4096U);
  EXPECT_TRUE(service.running().empty());
}

TEST(QueryService, ListsAndCancelsRunningQueries) {
  MemoryEngine engine;
  fill(engine, 3, 3000);
  MetricsRegistry metrics;
  QueryService service(engine, {}, metrics);
  HookSink sink;
  sink.on_rows = [&] {
    const std::vector<RunningQuery> running = service.running();
    EXPECT_EQ(running.size(), 1U);
    EXPECT_EQ(running[0].sql, "SELECT * FROM t");
    EXPECT_TRUE(service.cancel(running[0].id));
    EXPECT_FALSE(service.cancel(running[0].id + 1));
    return true;
  };
  auto outcome = service.run({"SELECT * FROM t", {}}, sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, "cancelled");
}

TEST(QueryService, RefusesMoreThanMaxConcurrentAfterAShortWait) {
  MemoryEngine engine;
  fill(engine, 1, 3);
  QueryOptions options;
  options.max_concurrent = 1;
  MetricsRegistry metrics;
  QueryService service(engine, options, metrics);
  HookSink outer;
  outer.on_rows = [&] {  // from within the running query: no place is free
    CollectedResult inner;
    auto refused = service.run({"SELECT 1", {}}, inner);
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, QueryErrorKind::kBusy);
    EXPECT_NE(refused.error().message.find("query.max_concurrent = 1"), std::string::npos);
    return true;
  };
  EXPECT_TRUE(service.run({"SELECT * FROM t", {}}, outer));
}

TEST(QueryService, WaitsForAPlaceThatComesFree) {
  MemoryEngine engine;
  fill(engine, 2, 2000);
  QueryOptions options;
  options.max_concurrent = 2;
  MetricsRegistry metrics;
  QueryService service(engine, options, metrics);
  std::atomic<int> answered{0};
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      CollectedResult sink;
      if (service.run({"SELECT s, avg(v), stddev(n) FROM t WHERE n % 2 = 0 GROUP BY s", {}}, sink))
        ++answered;
    });
  }
  threads.clear();
  EXPECT_EQ(answered, 8);
}

}  // namespace
}  // namespace varve
