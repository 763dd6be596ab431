// What the cases in tests/influxql do not see: how SELECT reads, its limits, and what stops it.
#include "api/influxql/select.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "api/influxql/parser.h"
#include "tests/support/influxql_cases.h"

namespace varve::influxql {
namespace {

// Remembers the scans it was asked for.
class WatchedEngine : public MemoryEngine {
 public:
  mutable std::vector<ScanRequest> scans;
  Result<std::unique_ptr<Scan>> scan(ScanRequest request) const override {
    scans.push_back(request);
    return MemoryEngine::scan(std::move(request));
  }
};

class Select : public ::testing::Test {
 protected:
  void fill(int64_t rows, int64_t hosts) {
    for (int64_t i = 0; i < rows; ++i) {
      engine_.insert("t", "cpu", i * kNsPerSecond, {{"host", fmt::format("h{}", i % hosts)}},
                     {{"x", static_cast<double>(i)}});
    }
  }

  std::string run(const std::string& text, ResultSink& sink) {
    QueryBudget budget(options_, real_clock());
    if (cancelled_) budget.cancel();
    const SelectContext context{engine_, "t", real_clock().wall_ns(), budget};
    auto statements = parse_influxql(text);
    if (!statements) return statements.error().message;
    const auto outcome = run_select(context, std::get<SelectStatement>(statements->at(0)), sink);
    return outcome ? "ok" : outcome.error().code + ": " + outcome.error().message;
  }
  std::string run(const std::string& text) {
    answer_.lines.clear();
    return run(text, answer_);
  }

  WatchedEngine engine_;
  QueryOptions options_;
  bool cancelled_ = false;
  AnswerLines answer_;
};

TEST_F(Select, PlainAggregatesMayAnswerFromStatistics) {
  fill(100, 2);
  ASSERT_EQ(run("SELECT mean(x), max(x) FROM cpu WHERE host =~ /h/ AND time >= 0 AND time < 100s GROUP BY "
                "time(10s), host"),
            "ok");
  ASSERT_EQ(engine_.scans.size(), 1U);
  EXPECT_TRUE(engine_.scans[0].may_use_statistics);
  EXPECT_EQ(engine_.scans[0].bucket_width_ns, 10 * kNsPerSecond);
  EXPECT_EQ(engine_.scans[0].time.min, 0);
}

TEST_F(Select, RowsAreReadOfTheWantedFieldsAndTimesOnly) {
  fill(10, 2);
  ASSERT_EQ(run("SELECT x FROM cpu WHERE time >= 3s AND time < 5s AND host = 'h1'"), "ok");
  EXPECT_EQ(answer_.lines, (std::vector<std::string>{"cpu{} time x", "3000000000 | 3"}));
  ASSERT_EQ(engine_.scans.size(), 1U);
  EXPECT_EQ(engine_.scans[0].fields, std::vector<std::string>{"x"});
  EXPECT_EQ(engine_.scans[0].time.min, 3 * kNsPerSecond);
  EXPECT_EQ(engine_.scans[0].time.max, 5 * kNsPerSecond - 1);
}

TEST_F(Select, LastOfEverySeriesIsLookedForFromTheEnd) {
  fill(10'000, 4);
  ASSERT_EQ(run("SELECT last(x), host FROM cpu GROUP BY host"), "ok");
  EXPECT_EQ(answer_.lines.size(), 8U);
  EXPECT_EQ(answer_.lines[1], "9996000000000 | 9996 | \"h0\"");
  ASSERT_EQ(engine_.scans.size(), 1U);
  EXPECT_GT(engine_.scans[0].time.min, 9000 * kNsPerSecond);
}

TEST_F(Select, LastFindsASeriesThatEndedLongAgo) {
  fill(10'000, 4);
  engine_.insert("t", "cpu", 5, {{"host", "old"}}, {{"x", 1.5}});
  ASSERT_EQ(run("SELECT last(x) FROM cpu GROUP BY host ORDER BY time DESC"), "ok");
  ASSERT_EQ(answer_.lines.size(), 10U);
  EXPECT_EQ(answer_.lines[1], "5 | 1.5");
  ASSERT_EQ(run("SELECT first(x) FROM cpu GROUP BY host"), "ok");
  EXPECT_EQ(answer_.lines[1], "0 | 0");
}

TEST_F(Select, RowsComeStretchByStretchAndEndAtTheLimit) {
  fill(200'000, 3);
  ASSERT_EQ(run("SELECT x FROM cpu ORDER BY time DESC LIMIT 2"), "ok");
  EXPECT_EQ(answer_.lines, (std::vector<std::string>{"cpu{} time x", "199999000000000 | 199999",
                                                     "199998000000000 | 199998"}));
  EXPECT_EQ(engine_.scans.size(), 1U);
  EXPECT_GT(engine_.scans[0].time.min, 100'000 * kNsPerSecond);
  ASSERT_EQ(run("SELECT x FROM cpu OFFSET 199998"), "ok");
  EXPECT_EQ(answer_.lines, (std::vector<std::string>{"cpu{} time x", "199998000000000 | 199998",
                                                     "199999000000000 | 199999"}));
  EXPECT_GT(engine_.scans.size(), 3U);
}

TEST_F(Select, AllRowsOfSeveralStretchesComeOnceAndInOrder) {
  fill(150'000, 7);
  ASSERT_EQ(run("SELECT x FROM cpu"), "ok");
  ASSERT_EQ(answer_.lines.size(), 150'001U);
  for (size_t i = 0; i < 150'000; i += 997) {
    ASSERT_EQ(answer_.lines[i + 1], fmt::format("{} | {}", i * 1'000'000'000, i));
  }
}

TEST_F(Select, RowsHeldForGroupsCountAgainstTheMemoryLimit) {
  fill(10'000, 2);
  options_.max_memory_bytes = 64 << 10;
  EXPECT_EQ(run("SELECT x FROM cpu GROUP BY host"),
            "memory_limit: the query needs more than query.max_memory = 64.0 KiB");
  EXPECT_EQ(run("SELECT mean(x) FROM cpu GROUP BY host"), "ok");
}

TEST_F(Select, TheAnswersRowsAreLimited) {
  fill(100, 1);
  options_.max_rows = 10;
  EXPECT_EQ(run("SELECT x FROM cpu"), "row_limit: the result has more than query.max_rows = 10 rows");
  // Groups on the way to an answer are none of its rows.
  EXPECT_EQ(run("SELECT max(m) FROM (SELECT mean(x) AS m FROM cpu WHERE time >= 0 AND time < 80s GROUP BY "
                "time(10s))"),
            "ok");
  EXPECT_EQ(run("SELECT mean(x) FROM cpu WHERE time >= 0 AND time < 80s GROUP BY time(10s)"), "ok");
}

TEST_F(Select, CancellationAndTheDeadlineStopIt) {
  fill(100, 1);
  cancelled_ = true;
  EXPECT_EQ(run("SELECT x FROM cpu"), "cancelled: the query was cancelled");
  EXPECT_EQ(run("SELECT derivative(x) FROM cpu"), "cancelled: the query was cancelled");
  cancelled_ = false;
  options_.timeout_ns = -1;
  EXPECT_TRUE(run("SELECT median(x) FROM cpu").starts_with("timeout: "));
}

TEST_F(Select, AReaderThatLeavesStopsIt) {
  fill(100'000, 3);
  struct Leaver : ResultSink {
    size_t batches = 0;
    bool begin(const SeriesHead&) override { return true; }
    bool rows(const SeriesRows&) override { return ++batches < 2; }
  } leaver;
  EXPECT_EQ(run("SELECT x FROM cpu", leaver), "ok");
  EXPECT_EQ(leaver.batches, 2U);
  Leaver second;
  EXPECT_EQ(run("SELECT x FROM cpu GROUP BY host", second), "ok");
  EXPECT_EQ(second.batches, 2U);
}

TEST_F(Select, ADamagedStoreIsTheQuerysError) {
  fill(100, 3);
  engine_.block_rows = 10;
  engine_.scan_failure = "block 7 is torn";
  EXPECT_NE(run("SELECT x FROM cpu").find("block 7 is torn"), std::string::npos);
  EXPECT_NE(run("SELECT mean(x) FROM cpu").find("block 7 is torn"), std::string::npos);
}

TEST_F(Select, TypesThatChangeBetweenPlanningAndScanningDoNotMatter) {
  fill(10, 1);
  engine_.scans_with_other_types = 1;
  ASSERT_EQ(run("SELECT sum(x) FROM cpu"), "ok");
  EXPECT_EQ(answer_.lines, (std::vector<std::string>{"cpu{} time sum", "0 | 45"}));
}

TEST_F(Select, WholeSumsWrapAsInInfluxDB) {
  engine_.insert("t", "big", 1, {}, {{"n", INT64_MAX}});
  engine_.insert("t", "big", 2, {}, {{"n", int64_t{1}}});
  ASSERT_EQ(run("SELECT sum(n) FROM big"), "ok");
  EXPECT_EQ(answer_.lines[1], "0 | -9223372036854775808");
}

TEST_F(Select, ExtremeTimesAndBucketsDoNotOverflow) {
  engine_.insert("t", "edge", INT64_MIN + 2, {}, {{"x", 1.0}});
  engine_.insert("t", "edge", INT64_MAX - 1, {}, {{"x", 2.0}});
  EXPECT_EQ(run("SELECT x FROM edge"), "ok");
  EXPECT_EQ(answer_.lines.size(), 3U);
  EXPECT_EQ(run("SELECT x FROM edge ORDER BY time DESC"), "ok");
  EXPECT_EQ(answer_.lines.size(), 3U);
  EXPECT_EQ(run("SELECT last(x) FROM edge"), "ok");
  EXPECT_TRUE(run("SELECT mean(x) FROM edge GROUP BY time(1h)").starts_with("max_select_buckets: "));
  EXPECT_EQ(run("SELECT mean(x) FROM edge GROUP BY time(1h) fill(none)"), "ok");
  EXPECT_EQ(run("SELECT derivative(mean(x)) FROM edge GROUP BY time(1h) fill(none)"), "ok");
  EXPECT_EQ(run("SELECT mean(x) FROM edge GROUP BY time(1h) fill(none) tz('Europe/Paris')"), "ok");
}

}  // namespace
}  // namespace varve::influxql
