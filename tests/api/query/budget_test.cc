// Queries that mean harm, or just too much, against a small budget: each ends in an error that names the limit.
#include "api/query/budget.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <thread>

#include "api/query/budgeted_sort.h"
#include "tests/support/memory_engine.h"
#include "tests/support/query_result.h"

namespace varve {
namespace {

class StoppedClock : public Clock {
 public:
  int64_t wall_ns() const override { return 0; }
  int64_t monotonic_ns() const override { return now_ns; }
  std::atomic<int64_t> now_ns{0};
};

// `rows` rows of one series, each with a text of `bytes` bytes.
void fill_texts(MemoryEngine& engine, int rows, size_t bytes) {
  for (int row = 0; row < rows; ++row) {
    engine.insert(kDefaultDatabase, "t", row, {{"tag", "x"}},
                  {{"s", std::string(bytes, static_cast<char>('a' + row % 26))}, {"n", int64_t{row}}});
  }
}

std::string repeated(const std::string& what, int times, const std::string& between = ", ") {
  std::string all;
  for (int i = 0; i < times; ++i) all += (i == 0 ? "" : between) + what;
  return all;
}

void expect_limit(Engine& engine, const std::string& sql, const QueryOptions& options,
                  const std::string& code = "memory_limit",
                  const std::string& named = "query.max_memory = ") {
  const CollectedResult result = run_query(engine, sql, {}, options);
  ASSERT_TRUE(result.error) << sql.substr(0, 200);
  EXPECT_EQ(result.error->kind, QueryErrorKind::kLimit) << sql.substr(0, 200);
  EXPECT_EQ(result.error->code, code) << sql.substr(0, 200);
  EXPECT_NE(result.error->message.find(named), std::string::npos) << result.error->message;
}

TEST(Budget, CountsSharesOfSeveralThreadsTogether) {
  QueryOptions options;
  options.max_memory_bytes = 4000;
  QueryBudget budget(options, real_clock());
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      MemoryUse use(budget);
      for (uint64_t bytes = 0; bytes <= 1000; ++bytes) EXPECT_TRUE(use.set(bytes));
      for (int k = 0; k < 1000; ++k) budget.add_scanned(3);
    });
  }
  threads.clear();
  EXPECT_EQ(budget.memory_bytes(), 0U);
  EXPECT_EQ(budget.rows_scanned(), 12'000U);
  MemoryUse a(budget);
  MemoryUse b(budget);
  EXPECT_TRUE(a.set(3000));
  EXPECT_FALSE(b.set(1001));
  EXPECT_TRUE(b.set(1000));
  EXPECT_TRUE(a.set(0));
  EXPECT_EQ(budget.memory_bytes(), 1000U);
}

TEST(Budget, SortsLikeAPlainSort) {
  const QueryBudget budget({}, real_clock());
  for (const uint32_t count : {0U, 1U, 65'536U, 65'537U, 300'000U}) {
    std::vector<uint32_t> items(count);
    std::iota(items.begin(), items.end(), 0U);
    std::shuffle(items.begin(), items.end(), std::mt19937(count));
    ASSERT_TRUE(sort_within_budget(
        items, [](uint32_t a, uint32_t b) { return a < b; }, budget));
    EXPECT_TRUE(std::is_sorted(items.begin(), items.end())) << count;
  }
}

TEST(Budget, StopsSorting) {
  QueryBudget budget({}, real_clock());
  std::vector<uint32_t> items(1'000'000);
  std::iota(items.rbegin(), items.rend(), 0U);
  size_t compared = 0;
  const auto stopped = sort_within_budget(
      items,
      [&](uint32_t a, uint32_t b) {
        if (++compared == 1'000'000) budget.cancel();
        return a < b;
      },
      budget);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, "cancelled");
  EXPECT_LT(compared, 4'000'000U);
}

// A thousand texts of 64 KiB, and expressions that would make many times as much of them.
TEST(Budget, BoundsStringsThatExpressionsMake) {
  MemoryEngine engine;
  fill_texts(engine, 1000, 64 << 10);
  QueryOptions options;
  options.max_memory_bytes = 32 << 20;
  const std::string wide = "concat(" + repeated("s", 100) + ")";
  expect_limit(engine, "SELECT " + wide + " FROM t", options);
  expect_limit(engine, "SELECT length(" + wide + ") FROM t", options);
  expect_limit(engine, "SELECT n FROM t WHERE lower(s) || upper(s) = 'x'", options);
  expect_limit(engine, "SELECT max(concat(n, s)) FROM t GROUP BY n", options);
  expect_limit(engine, "SELECT count(DISTINCT concat(n, s)) FROM t", options);
  expect_limit(engine, "SELECT concat(n, s), count(*) FROM t GROUP BY 1", options);
  expect_limit(engine, "SELECT " + repeated("coalesce(s, tag)", 200) + " FROM t", options);
  expect_limit(engine, "SELECT n FROM t WHERE cast(length(s) AS string) || s || s = ''", options);
}

// Nothing but stored texts, named often: the copies are what counts.
TEST(Budget, BoundsCopiesOfStoredStrings) {
  MemoryEngine engine;
  engine.block_rows = 16;
  fill_texts(engine, 64, 1 << 20);
  QueryOptions options;
  options.max_memory_bytes = 64 << 20;
  const std::string wide = repeated("s", 1000);
  expect_limit(engine, "SELECT " + wide + " FROM t", options);
  expect_limit(engine, "SELECT DISTINCT " + wide + " FROM t", options);
  expect_limit(engine, "SELECT " + wide + " FROM t ORDER BY n", options);
  expect_limit(engine, "SELECT " + wide + " FROM t ORDER BY n LIMIT 20", options);
  expect_limit(engine, "SELECT s, count(*) FROM t GROUP BY n, s", options);
}

struct CountingSink : ResultSink {
  size_t batches = 0;
  size_t rows_seen = 0;
  size_t largest_bytes = 0;
  bool begin(const std::vector<ResultColumn>&) override { return true; }
  bool rows(const ResultBatch& batch) override {
    ++batches;
    rows_seen += batch.rows;
    size_t bytes = 0;
    for (const ColumnVector& column : batch.columns) bytes += column.strings.bytes.size();
    largest_bytes = std::max(largest_bytes, bytes);
    return true;
  }
};

TEST(Budget, CutsBatchesWhereStringsGetLong) {
  MemoryEngine engine;
  engine.block_rows = 16;
  fill_texts(engine, 32, 200 << 10);
  MetricsRegistry metrics;
  QueryService service(engine, {}, metrics);
  for (const char* sql : {"SELECT s, n, s FROM t", "SELECT s, n, s FROM t ORDER BY n DESC"}) {
    CountingSink sink;
    ASSERT_TRUE(service.run({sql, {}}, sink)) << sql;
    EXPECT_EQ(sink.rows_seen, 32U);
    EXPECT_LE(sink.largest_bytes, 1U << 20) << sql;
  }
}

TEST(Budget, BoundsConstantsAndPatterns) {
  MemoryEngine engine;
  fill_texts(engine, 3, 10);
  const QueryParameters parameters{{"p", std::string(10 << 20, 'x')}};
  for (const std::string& sql :
       {"SELECT " + repeated("$p", 10), "SELECT n FROM t WHERE " + repeated("s = $p", 10, " OR "),
        "SELECT concat(" + repeated("$p", 100) + ")", "SELECT length(concat(" + repeated("$p", 7) + "))"}) {
    const CollectedResult result = run_query(engine, sql, parameters);
    ASSERT_TRUE(result.error) << sql.substr(0, 100);
    EXPECT_EQ(result.error->code, "memory_limit") << sql.substr(0, 100);
  }
  EXPECT_EQ(run_query(engine, "SELECT length($p)", parameters).line(0), "10485760");
  EXPECT_EQ(run_query(engine, "SELECT n FROM t WHERE " + repeated("s ~ 'b'", 64, " OR ")).outcome(), "ok");
  const CollectedResult many = run_query(engine, "SELECT n FROM t WHERE " + repeated("s ~ 'b'", 65, " OR "));
  ASSERT_TRUE(many.error);
  EXPECT_EQ(many.error->code, "sql_too_large");
}

// Patterns that make a backtracking matcher run for ever, and those that need much memory or many states.
TEST(Budget, EndsCatastrophicPatterns) {
  MemoryEngine engine;
  engine.insert(kDefaultDatabase, "t", 1, {}, {{"s", std::string(1 << 20, 'a')}});
  EXPECT_EQ(run_query(engine, "SELECT s ~ '^(a+)+$' AND NOT s ~ '(a|aa)*b' AND NOT s ~ '(.*)*(.*)*c' FROM t")
                .line(0),
            "true");
  expect_limit(engine, "SELECT s ~ '((a?){500}){2}a{1000}b' FROM t", {}, "pattern_limit", "1048576 bytes");
  const CollectedResult large = run_query(engine, R"(SELECT s ~ '(\pL{500}\pN{500}){1}x' FROM t)");
  ASSERT_TRUE(large.error);
  EXPECT_EQ(large.error->code, "invalid_pattern");
}

// The clock stands still but for what the query's own first look adds.
TEST(Budget, LooksAtTheTimeWithinExpensiveKernels) {
  MemoryEngine engine;
  fill_texts(engine, 100, 1 << 16);
  QueryOptions options;
  options.timeout_ns = 10;
  StoppedClock clock;
  MetricsRegistry metrics;
  QueryService service(engine, options, metrics, clock);
  struct Sink : ResultSink {
    explicit Sink(StoppedClock& of) : clock_(of) {}
    bool begin(const std::vector<ResultColumn>&) override {
      clock_.now_ns = 1000;  // after begin() the next look finds the time over
      return true;
    }
    bool rows(const ResultBatch&) override {
      ADD_FAILURE() << "the chunk was evaluated to its end";
      return true;
    }
    StoppedClock& clock_;
  };
  for (const char* sql : {"SELECT s LIKE '%a%a%a%a%b%c' FROM t", "SELECT s ~ 'a.*b.*c.*d.*e' FROM t"}) {
    clock.now_ns = 0;
    Sink sink(clock);
    const auto outcome = service.run({sql, {}}, sink);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, "timeout") << sql;
  }
}

TEST(Budget, AStopSwitchEndsAQueryThatHasNoRowsYet) {
  MemoryEngine engine;
  engine.block_rows = 1;
  fill_texts(engine, 1000, 10);
  MetricsRegistry metrics;
  QueryService service(engine, {}, metrics);
  QueryRequest request{"SELECT stddev(n) FROM t", {}};
  request.stop = std::make_shared<std::atomic<bool>>(true);
  CollectedResult sink;
  const auto outcome = service.run(request, sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, QueryErrorKind::kCancelled);
}

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 6000 && !condition(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return condition();
}

TEST(Budget, ListsWhatQueriesUseAndWhoWaits) {
  MemoryEngine engine;
  engine.block_rows = 100;
  fill_texts(engine, 3000, 10);
  QueryOptions options;
  options.max_concurrent = 1;
  MetricsRegistry metrics;
  QueryService service(engine, options, metrics);
  struct Sink : ResultSink {
    std::function<void()> on_rows;
    bool begin(const std::vector<ResultColumn>&) override { return true; }
    bool rows(const ResultBatch&) override {
      if (on_rows) std::exchange(on_rows, nullptr)();
      return true;
    }
  } sink;
  std::jthread second;
  sink.on_rows = [&] {
    second = std::jthread([&] {
      QueryRequest request{"SELECT 2", {}};
      request.client = "10.0.0.2";
      CollectedResult unread;
      const auto outcome = service.run(request, unread);
      ASSERT_FALSE(outcome);
      EXPECT_EQ(outcome.error().code, "cancelled");
    });
    ASSERT_TRUE(eventually([&] { return service.running().size() == 2; }));
    const std::vector<RunningQuery> list = service.running();
    EXPECT_EQ(list[0].client, "10.0.0.1");
    EXPECT_FALSE(list[0].waiting);
    EXPECT_EQ(list[0].rows_scanned, 3000U);
    EXPECT_GT(list[0].memory_bytes, 3000U * 10);
    EXPECT_EQ(list[1].client, "10.0.0.2");
    EXPECT_TRUE(list[1].waiting);
    EXPECT_TRUE(service.cancel(list[1].id));  // also while it waits
    second.join();
    EXPECT_EQ(service.running().size(), 1U);
  };
  QueryRequest request{"SELECT s FROM t ORDER BY n DESC", {}};
  request.client = "10.0.0.1";
  EXPECT_TRUE(service.run(request, sink));
  EXPECT_EQ(sink.on_rows, nullptr);
}

// One query holds a sorted table in memory; a second one like it would go over the limit of both together.
TEST(Budget, BoundsTheMemoryOfAllQueriesTogether) {
  MemoryEngine engine;
  fill_texts(engine, 3000, 1000);
  QueryOptions options;
  options.total_memory_bytes = 6 << 20;
  MetricsRegistry metrics;
  QueryService service(engine, options, metrics);
  struct Sink : ResultSink {
    std::function<void()> on_rows;
    bool begin(const std::vector<ResultColumn>&) override { return true; }
    bool rows(const ResultBatch&) override {
      if (on_rows) std::exchange(on_rows, nullptr)();
      return true;
    }
  } sink;
  const std::vector<std::string> statements{"SELECT s FROM t ORDER BY n DESC",
                                            "SELECT s, row_number() OVER (ORDER BY s) FROM t"};
  sink.on_rows = [&] {
    ASSERT_GT(service.running().at(0).memory_bytes, 3U << 20);
    for (const std::string& sql : statements) {
      CollectedResult unread;
      const auto outcome = service.run({sql, {}}, unread);
      ASSERT_FALSE(outcome) << sql;
      EXPECT_EQ(outcome.error().kind, QueryErrorKind::kBusy);
      EXPECT_EQ(outcome.error().code, "total_memory_limit");
      EXPECT_NE(outcome.error().message.find("query.total_memory = 6.0 MiB"), std::string::npos)
          << outcome.error().message;
    }
  };
  const auto first = service.run({statements[0], {}}, sink);  // goes on as if nothing had been
  EXPECT_TRUE(first) << first.error().message;
  EXPECT_EQ(sink.on_rows, nullptr);
  CollectedResult read;  // and has given everything back
  const auto again = service.run({statements[0], {}}, read);
  EXPECT_TRUE(again) << again.error().message;
  // So does SQLite, whose sorter takes several times its rows: again and again in room for one.
  options.total_memory_bytes = 8 << 20;
  QueryService roomier(engine, options, metrics);
  for (int run = 0; run < 3; ++run) {
    CollectedResult sorted;
    const auto outcome = roomier.run({statements[1], {}}, sorted);
    EXPECT_TRUE(outcome) << outcome.error().message;
  }
}

TEST(Budget, RefusesWhenTheQueueIsFullAndSaysSo) {
  MemoryEngine engine;
  fill_texts(engine, 10, 10);
  QueryOptions options;
  options.max_concurrent = 0;  // no place and no queue: refused at once
  MetricsRegistry metrics;
  QueryService service(engine, options, metrics);
  CollectedResult sink;
  const auto outcome = service.run({"SELECT 1", {}}, sink);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, QueryErrorKind::kBusy);
  EXPECT_NE(outcome.error().message.find("query.max_concurrent = 0 queries are running and 0 more wait"),
            std::string::npos);
  EXPECT_TRUE(service.running().empty());
}

}  // namespace
}  // namespace varve
