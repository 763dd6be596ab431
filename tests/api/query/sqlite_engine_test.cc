// The SQLite engine's bounds: time, memory, rows, a reader that goes; and what it refuses to be talked into.
#include "api/query/sqlite/sqlite_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <thread>

#include "tests/support/memory_engine.h"
#include "tests/support/query_result.h"

namespace varve {
namespace {

void fill(MemoryEngine& engine, int64_t rows) {
  for (int64_t n = 0; n < rows; ++n) {
    engine.insert(kDefaultDatabase, "t", n * kNsPerSecond, {{"site", n % 2 == 0 ? "a" : "b"}},
                  {{"x", static_cast<double>(n)}, {"i", n}, {"s", "text " + std::to_string(n)}});
  }
}

QueryOptions with_timeout(int64_t ns) {
  QueryOptions options;
  options.timeout_ns = ns;
  return options;
}

TEST(SqliteEngine, EndsAnEndlessRecursionAtTheDeadline) {
  MemoryEngine engine;
  const CollectedResult result = run_query(
      engine, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c", {},
      with_timeout(50 * kNsPerMs));
  EXPECT_EQ(result.outcome(),
            "timeout: the query ran longer than query.timeout = 50ms (narrow the time range, or raise "
            "query.timeout)");
}

TEST(SqliteEngine, EndsAHostileJoinAtTheDeadline) {
  MemoryEngine engine;
  fill(engine, 3000);
  const CollectedResult result =
      run_query(engine, "SELECT count(*) FROM t a, t b, t c, t d WHERE a.x + b.x = c.x * d.x", {},
                with_timeout(100 * kNsPerMs));
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->code, "timeout");
  EXPECT_EQ(result.error->kind, QueryErrorKind::kTimeout);
}

// The longest time between two looks at the clock, in this thread's own time.
class GapClock : public Clock {
 public:
  int64_t wall_ns() const override { return 0; }
  int64_t monotonic_ns() const override {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    const int64_t ns = now.tv_sec * kNsPerSecond + now.tv_nsec;
    if (last_ != 0) longest = std::max(longest, ns - last_);
    return last_ = ns;
  }
  mutable int64_t longest = 0;

 private:
  mutable int64_t last_ = 0;
};

// No sort is one long step: its longest is a small share of the whole, however much is sorted. In one step, sorting
// these rows takes a third of the time.
TEST(SqliteEngine, LooksAtTheClockWhileItSorts) {
  MemoryEngine engine;
  const GapClock clock;
  const QueryOptions options;
  QueryBudget budget(options, clock);
  CollectedResult result;
  const QueryParameters none;
  const std::string sql =
      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500000) SELECT max(n) FROM "
      "(SELECT "
      "row_number() OVER (ORDER BY i * 2654435761 % 1000003) AS n FROM c)";
  const int64_t begin = clock.monotonic_ns();
  clock.longest = 0;
  const auto outcome = run_in_sqlite(engine, {sql, none, 0, {}}, budget, result, result.stats);
  const int64_t whole = clock.monotonic_ns() - begin;
  ASSERT_TRUE(outcome) << outcome.error().message;
  EXPECT_EQ(result.line(0), "500000");
  EXPECT_LT(clock.longest, whole / 8) << "of " << whole << " ns";
}

TEST(SqliteEngine, EndsTextsThatWouldTakeForever) {
  MemoryEngine engine;
  const std::string many = "printf('%.*c', 1000000, 'a')";
  for (const std::string& sql : {
           "SELECT instr(" + many + ", printf('%.*c', 500000, 'a') || 'b'), (SELECT 1)",
           "SELECT length(replace(" + many + ", printf('%.*c', 500000, 'a') || 'b', '')), (SELECT 1)",
           "SELECT " + many + " LIKE '%a%a%a%a%a%a%a%a%b', (SELECT 1)",
           "SELECT " + many + " GLOB '*a*a*a*a*a*a*a*a*b', (SELECT 1)",
           "SELECT " + many + " REGEXP '(a*)*b', (SELECT 1)",
       }) {
    EXPECT_FALSE(run_query(engine, sql).error) << sql;
  }
  EXPECT_EQ(run_query(engine, "SELECT trim(" + many + ", printf('%.*c', 5000, 'b')), (SELECT 1)").outcome(),
            "wrong_arguments: trim takes a set of at most 1000 bytes");
}

TEST(SqliteEngine, StopsAtItsMemoryLimit) {
  MemoryEngine engine;
  fill(engine, 20'000);
  QueryOptions options;
  options.max_memory_bytes = 4 << 20;
  for (const char* sql : {
           "SELECT a.s, b.s, c.s FROM t a JOIN t b USING (i) JOIN t c USING (i) JOIN (VALUES (1), (2), (3)) "
           "ORDER BY a.s DESC",
           "WITH RECURSIVE c(i) AS (SELECT 1 UNION SELECT i + 1 FROM c WHERE i < 10000000) SELECT count(*) "
           "FROM c",
           "SELECT length(group_concat(s)) FROM t, (SELECT 1 UNION SELECT 2 UNION SELECT 3) v, (VALUES (1), "
           "(2), (3), (4)) w",
           "SELECT median(a.x + b.x) FROM t a, t b",
       }) {
    const CollectedResult result = run_query(engine, sql, {}, options);
    EXPECT_EQ(result.outcome(),
              "memory_limit: the query needs more than query.max_memory = 4.0 MiB (join or sort fewer rows, "
              "add LIMIT, "
              "or raise query.max_memory)")
        << sql;
  }
  // The thread is fit for the next query.
  EXPECT_FALSE(
      run_query(engine, "SELECT count(*) FROM t WHERE i = (SELECT max(i) FROM t)", {}, options).error);
}

TEST(SqliteEngine, CountsTheRowsOfTheAnswer) {
  MemoryEngine engine;
  fill(engine, 100);
  QueryOptions options;
  options.max_rows = 5000;
  EXPECT_EQ(run_query(engine, "SELECT 1 FROM t a, t b", {}, options).outcome(),
            "row_limit: the result has more than query.max_rows = 5000 rows (add LIMIT or group, or raise "
            "query.max_rows)");
  EXPECT_EQ(run_query(engine, "SELECT 1 FROM t a, t b LIMIT 5000", {}, options).values.size(), 5000U);
}

TEST(SqliteEngine, CanBeCancelled) {
  MemoryEngine engine;
  MetricsRegistry metrics;
  QueryService service(engine, {}, metrics);
  std::jthread canceller([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      for (const RunningQuery& query : service.running()) service.cancel(query.id);
      std::this_thread::yield();
    }
  });
  CollectedResult result;
  const auto outcome = service.run(
      {"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT max(i) FROM c", {}, false},
      result);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, "cancelled");
}

class Leaver : public ResultSink {
 public:
  bool begin(const std::vector<ResultColumn>&) override { return true; }
  bool rows(const ResultBatch&) override {
    ++batches;
    return false;
  }
  int batches = 0;
};

TEST(SqliteEngine, StopsWhenTheReaderIsGone) {
  MemoryEngine engine;
  fill(engine, 100);
  MetricsRegistry metrics;
  QueryService service(engine, {}, metrics);
  Leaver sink;
  const auto outcome = service.run({"SELECT a.i FROM t a, t b", {}, false}, sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, "cancelled");
  EXPECT_EQ(sink.batches, 1);
}

TEST(SqliteEngine, TakesParametersByTheirTypes) {
  MemoryEngine engine;
  fill(engine, 10);
  const QueryParameters parameters{
      {"i", int64_t{-3}}, {"d", 0.1},        {"s", std::string("it's -- \"x\"")},
      {"flag", true},     {"none", Value{}}, {"from", std::string("1970-01-01T00:00:08Z")}};
  const CollectedResult values = run_query(
      engine, "SELECT $i AS i, $d AS d, $s AS s, $flag AS f, $none AS n, (SELECT 1) AS one", parameters);
  EXPECT_EQ(values.outcome(), "ok");
  EXPECT_EQ(values.lines(), std::vector<std::string>{"-3 | 0.1 | it's -- \"x\" | true | NULL | 1"});
  const CollectedResult times = run_query(
      engine, "SELECT time FROM t WHERE time >= $from AND i IN (SELECT i FROM t) ORDER BY time", parameters);
  EXPECT_EQ(times.lines(), (std::vector<std::string>{"1970-01-01T00:00:08Z", "1970-01-01T00:00:09Z"}));
  EXPECT_EQ(run_query(engine, "SELECT $s, (SELECT 1)", {{"s", std::string("a\0b", 3)}}).outcome(),
            "invalid_parameter at 7: the text of $s holds a zero byte");
}

TEST(SqliteEngine, SaysWhyAScanFailed) {
  MemoryEngine engine;
  fill(engine, 3000);
  engine.scan_failure = "segment 7.seg, block 3: checksum mismatch";
  const CollectedResult result = run_query(engine, "SELECT count(*) FROM t a JOIN t b USING (i)");
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->message, engine.scan_failure);
  EXPECT_EQ(result.error->kind, QueryErrorKind::kInternal);
}

TEST(SqliteEngine, PlansAnewWhenATableChangesItsTypes) {
  MemoryEngine engine;
  fill(engine, 4);
  engine.scans_with_other_types = 1;
  EXPECT_EQ(run_query(engine, "SELECT count(*), (SELECT sum(i) FROM t) FROM t").lines(),
            std::vector<std::string>{"4 | 6"});
  engine.scans_with_other_types = 1000;
  EXPECT_EQ(run_query(engine, "SELECT count(*), (SELECT sum(i) FROM t) FROM t").outcome(),
            "schema_changing: the table's columns keep changing; try again");
}

// The rows of a join's inner side are read once, then looked up.
TEST(SqliteEngine, ReadsTheInnerSideOfAJoinOnce) {
  MemoryEngine engine;
  fill(engine, 1000);
  const CollectedResult result =
      run_query(engine, "SELECT count(*), sum(b.i - a.i) FROM t a JOIN t b ON b.x = a.x + 1");
  EXPECT_EQ(result.lines(), std::vector<std::string>{"999 | 999"});
  EXPECT_EQ(result.stats.engine, "sqlite");
  EXPECT_LE(result.stats.rows_scanned, 6000U);
}

TEST(SqliteEngine, ReadsOnlyTheColumnsAndTimesItNeeds) {
  MemoryEngine engine;
  fill(engine, 1000);
  const CollectedResult result = run_query(engine,
                                           "SELECT count(*) FROM (SELECT * FROM t) WHERE time BETWEEN "
                                           "'1970-01-01T00:00:10Z' AND '1970-01-01T00:00:19Z'");
  EXPECT_EQ(result.lines(), std::vector<std::string>{"10"});
  EXPECT_EQ(result.stats.rows_scanned, 10U);
}

TEST(SqliteEngine, RefusesWhatIsTooDeepOrTooLarge) {
  MemoryEngine engine;
  const auto code = [&](const std::string& sql) {
    const CollectedResult result = run_query(engine, sql);
    return result.error ? result.error->code : "ok";
  };
  EXPECT_EQ(code("WITH a AS (SELECT 1) SELECT " + std::string(300, '(') + "1" + std::string(300, ')')),
            "sql_too_deep");
  EXPECT_EQ(code("VALUES " + std::string(500'000, '(')), "sql_too_deep");
  std::string from = "SELECT 1 FROM ";
  for (int n = 0; n < 300; ++n) from += "(SELECT * FROM ";
  EXPECT_EQ(code(from), "sql_too_deep");
  std::string joins = "SELECT 1 FROM (SELECT 1) AS a0";
  for (int n = 1; n < 100; ++n) joins += ", (SELECT 1) AS a" + std::to_string(n);
  EXPECT_EQ(run_query(engine, joins).outcome(), "sql_error: at most 64 tables in a join");
}

// Two columns whose names differ in case alone, which SQLite would not tell apart.
TEST(SqliteEngine, KeepsColumnsApartThatDifferInCase) {
  MemoryEngine engine;
  engine.insert(kDefaultDatabase, "t", 1, {{"A", "tag"}}, {{"a", 1.5}, {"select", 2.5}});
  const CollectedResult result =
      run_query(engine, "SELECT l.\"A\", l.\"a\", r.\"select\", l.* FROM t l JOIN t r USING (time)");
  EXPECT_EQ(result.outcome(), "ok");
  EXPECT_EQ(result.lines(),
            std::vector<std::string>{"tag | 1.5 | 2.5 | 1970-01-01T00:00:00.000000001Z | tag | 1.5 | 2.5"});
}

TEST(SqliteEngine, ReadsTablesOfMoreColumnsThanSqliteHas) {
  MemoryEngine engine;
  MemoryEngine::Fields fields;
  for (int n = 0; n < 2500; ++n) fields.emplace_back("f" + std::to_string(n), static_cast<double>(n));
  engine.insert(kDefaultDatabase, "wide", 1, {}, fields);
  EXPECT_EQ(run_query(engine, "SELECT l.f2400 + r.f3 AS x FROM wide l JOIN wide r USING (time)").lines(),
            std::vector<std::string>{"2403.0"});
  std::string all = "SELECT l.f0";
  for (int n = 1; n < 200; ++n)
    all += " + l.f" + std::to_string(n);  // more than SQLite's mask of columns holds
  EXPECT_EQ(run_query(engine, all + " AS s FROM wide l JOIN wide r USING (time)").lines(),
            std::vector<std::string>{"19900.0"});
}

TEST(SqliteEngine, AnswersManyAtOnce) {
  MemoryEngine engine;
  fill(engine, 500);
  std::vector<std::jthread> threads;
  for (int n = 0; n < 4; ++n) {
    threads.emplace_back([&] {
      for (int k = 0; k < 5; ++k) {
        EXPECT_EQ(run_query(engine, "SELECT count(*) FROM t a JOIN t b USING (i)").lines(),
                  std::vector<std::string>{"500"});
      }
    });
  }
}

}  // namespace
}  // namespace varve
