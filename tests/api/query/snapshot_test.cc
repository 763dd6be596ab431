// A statement that reads a table more than once sees one state of it, whatever is written, deleted, flushed and merged
// between its scans.
#include <gtest/gtest.h>

#include "api/influxql/parser.h"
#include "api/influxql/select.h"
#include "tests/storage/fault/passing.h"
#include "tests/support/query_result.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

constexpr int64_t kRows = 200;

// Before every scan but the first of a statement the table changes.
class ChangingEngine : public test::PassingEngine {
 public:
  explicit ChangingEngine(std::unique_ptr<Engine> behind) : PassingEngine(std::move(behind)) {}

  Result<std::unique_ptr<Scan>> scan(ScanRequest request) const override {
    if (scans++ > 0 && changes) change();
    return behind_->scan(std::move(request));
  }

  void write(std::string_view table, int64_t time, double value) const {
    RowBatchBuilder rows("varve", std::string(table));
    rows.begin_row();
    rows.tag("site", time % 2 == 0 ? "even" : "odd");
    rows.field_double("v", value);
    rows.end_row(time * kNsPerSecond);
    std::vector<RowBatch> batches;
    batches.push_back(rows.finish());
    ASSERT_TRUE(behind_->append_and_wait(behind_->admit(std::move(batches))));
  }

  bool changes = true;
  mutable int64_t scans = 0;

 private:
  void change() const {
    write("t", kRows + scans, 1e6);  // one more
    write("t", 2, 1e6);              // another value for one that is there
    write("t", -kRows, 1e6);         // and one before all
    if (scans % 3 == 0) {
      DeleteRequest some;
      some.database = "varve";
      some.table = "t";
      some.time = {10 * kNsPerSecond, 20 * kNsPerSecond};
      ASSERT_TRUE(behind_->erase(some));
    }
    ASSERT_TRUE(behind_->flush());
    if (scans % 2 == 0) {
      ASSERT_TRUE(behind_->compact());
    }
  }
};

class SnapshotTest : public testing::Test {
 protected:
  void SetUp() override {
    EngineOptions options;
    options.data_directory = directory_.path().string();
    options.metrics = &metrics_;
    options.compaction = false;
    auto engine = Engine::open(options);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::make_unique<ChangingEngine>(std::move(*engine));
    for (int64_t n = 0; n < kRows; ++n) engine_->write("t", n, static_cast<double>(n));
    ASSERT_TRUE(engine_->flush());
  }

  test::TempDir directory_;
  MetricsRegistry metrics_;
  std::unique_ptr<ChangingEngine> engine_;
};

TEST_F(SnapshotTest, SqliteReadsOneStateOfATable) {
  for (const char* sql : {
           "SELECT (SELECT count(*) FROM t) = (SELECT count(*) FROM t)",
           "SELECT (SELECT count(*) || ' ' || sum(v) FROM t) = (SELECT count(*) || ' ' || sum(v) FROM t "
           "WHERE v "
           "IS NOT NULL)",
           "WITH c AS NOT MATERIALIZED (SELECT v FROM t) SELECT (SELECT sum(v) FROM c) = (SELECT sum(v) FROM "
           "c)",
           "SELECT sum(v) = (SELECT sum(v) FROM t) FROM t",
           "SELECT count(*) = (SELECT count(*) FROM t a JOIN t b ON a.time = b.time AND a.v = b.v) FROM t",
           "SELECT count(*) = 0 FROM t a LEFT JOIN t b ON a.time = b.time AND a.v = b.v WHERE b.time IS NULL",
           "SELECT count(*) = 0 FROM (SELECT time, v FROM t EXCEPT SELECT time, v FROM t)",
           "SELECT count(DISTINCT n) = 1 FROM (SELECT site, count(*) AS n FROM (SELECT 1 AS part, time, "
           "site, v "
           "FROM t UNION ALL SELECT 2, time, site, v FROM t) GROUP BY part)",
           "SELECT min(n) = max(n) FROM (SELECT (SELECT sum(b.v) FROM t b WHERE b.v >= a.v - 1e9) "
           "AS n "
           "FROM t a)",
       }) {
    engine_->scans = 0;
    const CollectedResult result = run_query(*engine_, sql);
    ASSERT_FALSE(result.error) << sql << "\n" << result.outcome();
    ASSERT_EQ(result.stats.engine, "sqlite") << sql;
    EXPECT_GE(engine_->scans, 2) << sql << " reads the table once";
    EXPECT_TRUE(result.line(0) == "1" || result.line(0) == "true") << sql << "\n" << result.line(0);
  }
}

TEST_F(SnapshotTest, TheNextStatementSeesTheNewRows) {
  engine_->scans = 0;
  run_query(*engine_, "SELECT (SELECT count(*) FROM t), (SELECT sum(v) FROM t)");
  engine_->changes = false;
  EXPECT_EQ(run_query(*engine_, "SELECT count(*) FROM t WHERE v = 1000000").line(0), "3");
}

// The value before the window is looked for by scans of their own.
TEST_F(SnapshotTest, FillLooksBackIntoTheStateItBeganWith) {
  const std::string sql =
      "SELECT time, last(v) FROM t WHERE time >= '1970-01-01T00:05:00Z' AND time < '1970-01-01T00:05:01Z' "
      "SAMPLE BY "
      "1s FILL(prev)";
  engine_->changes = false;
  const CollectedResult expected = run_query(*engine_, sql);
  ASSERT_FALSE(expected.error) << expected.outcome();
  EXPECT_EQ(expected.line(0), "1970-01-01T00:05:00Z | 199.0");
  engine_->changes = true;
  engine_->scans = 0;
  EXPECT_EQ(run_query(*engine_, sql).lines(), expected.lines());
  EXPECT_GE(engine_->scans, 2);
}

// The numbers of the answer's second column.
struct Numbers : influxql::ResultSink {
  bool begin(const influxql::SeriesHead&) override { return true; }
  bool rows(const influxql::SeriesRows& batch) override {
    for (size_t row = 0; row < batch.rows; ++row) {
      const Value value = batch.columns[1].value(row);
      const auto* const whole = std::get_if<int64_t>(&value);
      values.push_back(whole != nullptr ? static_cast<double>(*whole) : std::get<double>(value));
    }
    return true;
  }
  std::vector<double> values;
};

TEST_F(SnapshotTest, AnInfluxqlStatementReadsOneStateOfATable) {
  const auto run = [&](const std::string& text) {
    Numbers numbers;
    QueryOptions options;
    QueryBudget budget(options, real_clock());
    const influxql::SelectContext context{*engine_, "varve", 0, budget};
    auto statements = influxql::parse_influxql(text);
    EXPECT_TRUE(statements) << text;
    const auto outcome =
        influxql::run_select(context, std::get<influxql::SelectStatement>(statements->at(0)), numbers);
    EXPECT_TRUE(outcome) << text << "\n" << outcome.error().message;
    return numbers.values;
  };
  for (const char* text : {
           "SELECT count(v) FROM (SELECT v FROM t), (SELECT v FROM t)",
           "SELECT sum(s) FROM (SELECT sum(v) AS s FROM t GROUP BY site), (SELECT v AS s FROM t)",
           "SELECT moving_average(sum(v), 2) - sum(v) FROM t WHERE time >= 100s AND time < 120s GROUP BY "
           "time(2s)",
       }) {
    engine_->changes = false;
    const std::vector<double> expected = run(text);
    ASSERT_FALSE(expected.empty()) << text;
    engine_->changes = true;
    engine_->scans = 0;
    EXPECT_EQ(run(text), expected) << text;
    EXPECT_GE(engine_->scans, 2) << text << " reads the table once";
  }
}

}  // namespace
}  // namespace varve
