// Both engines on the real store: every statement the native engine accepts must answer alike in SQLite, over rows in
// memtables, in segments, after compaction and after a restart; and a part of the statements must answer as a plain
// SQLite does over the rows that should be there. Joins, which only SQLite runs, are compared with that, too.
// The rows: nulls, duplicates, late ones, many series, NaN and infinities, the ends of time.
// VARVE_SEED chooses the run; the seed is printed with every failure.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "api/query/sqlite/sqlite_engine.h"
#include "tests/api/query/answers.h"
#include "tests/api/query/query_generator.h"
#include "tests/support/disk_store.h"
#include "tests/support/query_result.h"
#include "tests/support/sanitized.h"
#include "tests/support/sqlite_oracle.h"

namespace varve {
namespace {

constexpr int kDatasets = 5;
constexpr int kStages = 5;
constexpr int kStatementsPerStage = test::kSanitized ? 120 : 850;
constexpr int kOracleEvery = 8;  // statements
constexpr int kJoinsPerStage = test::kSanitized ? 5 : 40;

constexpr int64_t kPartition = 600 * kNsPerSecond;

struct Fields {
  std::map<std::string, Value> values;
};
using Model = std::map<std::pair<std::string, std::string>, std::map<int64_t, Fields>>;  // by tags, time

class Store : public DiskStore {
 public:
  explicit Store(uint64_t seed, int dataset)
      : DiskStore(kPartition), random_(seed), extreme_(dataset % 2 == 1), many_(dataset == 2) {}

  QueryGenerator& random() { return random_; }
  bool has_oracle() const { return !extreme_; }  // its arithmetic leaves int64 at the ends of time

  // Rows that come in any order; some overwrite what is there.
  void write_rows(int rows) {
    RowBatchBuilder builder(std::string(kDefaultDatabase), "t");
    for (int n = 0; n < rows; ++n) add_row(builder);
    write(builder.finish());
  }

  void fill(SqliteOracle& oracle) const {
    oracle.run(
        "CREATE TABLE t (time INTEGER, a TEXT, b TEXT, x REAL, y REAL, i INTEGER, j INTEGER, s TEXT, f "
        "INTEGER)");
    oracle.run("BEGIN");
    for (const auto& [tags, rows] : model_) {
      for (const auto& [time, fields] : rows) {
        std::vector<Value> bindings{time, tag(tags.first), tag(tags.second)};
        for (const char* name : {"x", "y", "i", "j", "s", "f"}) {
          const auto found = fields.values.find(name);
          bindings.push_back(found == fields.values.end() ? Value{} : found->second);
        }
        oracle.run("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", bindings);
      }
    }
    oracle.run("COMMIT");
  }

 private:
  static Value tag(const std::string& text) { return text.empty() ? Value{} : Value(text); }

  int64_t any_time() {
    if (extreme_ && random_.chance(5)) {
      const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX, 0, -1};
      return ends[random_.below(6)];
    }
    const int64_t second = QueryGenerator::kSecondsMin +
                           random_.below(QueryGenerator::kSecondsMax - QueryGenerator::kSecondsMin);
    return second * kNsPerSecond;
  }

  Value any_double() {
    const int64_t kind = random_.below(100);
    if (kind == 0) return std::nan("");
    if (kind == 1) return static_cast<double>(INFINITY);
    if (kind == 2) return -static_cast<double>(INFINITY);
    if (kind == 3) return -0.0;
    return static_cast<double>(random_.below(80) - 40) / 4;
  }

  void add_row(RowBatchBuilder& builder) {
    const char* const names[] = {"", "a", "b", "A", "ab", "c d"};
    const char* const texts[] = {"", "a", "B", "aab", "x_y", "%", "c d", "it's", "日本"};
    std::string a = names[random_.below(6)];
    std::string b = many_ ? "n" + std::to_string(random_.below(200)) : names[random_.below(3)];
    if (first_row_) {  // so that the table has every column
      if (a.empty()) a = "a";
      if (b.empty()) b = "b";
    }
    // Times differ between series, so that first and last are decided by time alone.
    const auto [series, fresh] = series_.try_emplace({a, b}, static_cast<int64_t>(series_.size()));
    const bool on_grid = random_.chance(30);
    int64_t time = on_grid ? random_.grid_time() : any_time();
    if (time > INT64_MIN / 2 && time < INT64_MAX / 2) {
      time += series->second * QueryGenerator::kSeriesStepNs + (on_grid ? 0 : random_.below(3));
    } else if (ends_.try_emplace(time, series->second).first->second != series->second) {
      return;
    }
    const std::vector<std::pair<std::string, Value>> fields{{"x", any_double()},
                                                            {"y", any_double()},
                                                            {"i", random_.below(21) - 10},
                                                            {"j", random_.below(5)},
                                                            {"s", std::string(texts[random_.below(9)])},
                                                            {"f", random_.chance(50)}};
    builder.begin_row();
    if (!a.empty()) builder.tag("a", a);
    if (!b.empty()) builder.tag("b", b);
    Fields& row = model_[{a, b}][time];
    const int nulls = static_cast<int>(random_.below(40));
    bool row_is_empty = true;
    for (const auto& [name, value] : fields) {
      const bool is_last = name == fields.back().first;
      if (!first_row_ && random_.chance(nulls) && !(is_last && row_is_empty)) continue;
      row_is_empty = false;
      row.values[name] = value;
      add_field(builder, name, value);
    }
    first_row_ = false;
    builder.end_row(time);
  }

  QueryGenerator random_;
  const bool extreme_;
  const bool many_;
  bool first_row_ = true;
  std::map<std::pair<std::string, std::string>, int64_t> series_;
  std::map<int64_t, int64_t> ends_;  // which series has this end of time
  Model model_;
};

CollectedResult run_by_sqlite(const Engine& engine, const std::string& sql) {
  const QueryOptions options;
  QueryBudget budget(options, real_clock());
  CollectedResult result;
  const QueryParameters none;
  auto outcome = run_in_sqlite(engine, {sql, none, 0, {}}, budget, result, result.stats);
  if (!outcome) result.error = outcome.error();
  return result;
}

struct Tally {
  int compared = 0;
  int refused = 0;
  int by_oracle = 0;
  int joins = 0;
};

void compare_statements(Store& store, const std::string& where, Tally& tally) {
  SqliteOracle oracle;
  if (store.has_oracle()) store.fill(oracle);
  for (int n = 0; n < kStatementsPerStage; ++n) {
    const GeneratedQuery query = store.random().select();
    const std::string& sql = query.sql.varve;
    const CollectedResult native = run_query(store.engine(), sql);
    const CollectedResult second = run_by_sqlite(store.engine(), sql);
    if (native.error) {  // int64 beyond its range is an error there and a double in SQLite
      ASSERT_EQ(native.error->code, "overflow") << where << "\n" << sql << "\n" << native.outcome();
      ++tally.refused;
      continue;
    }
    ASSERT_EQ(native.stats.engine, "native") << sql;
    ASSERT_FALSE(second.error) << where << "\n" << sql << "\n" << second.outcome();
    const Rows expected = normal_rows(native.values, query.ordered);
    const Rows found = normal_rows(second.values, query.ordered);
    ASSERT_TRUE(alike(expected, found)) << where << "\n"
                                        << sql << "\nnative:\n"
                                        << shown(expected) << "SQLite:\n"
                                        << shown(found);
    for (size_t i = 0; i < native.columns.size(); ++i) {
      ASSERT_EQ(second.columns[i].name, native.columns[i].name) << sql;
    }
    ++tally.compared;
    if (!store.has_oracle() || n % kOracleEvery != 0) continue;
    const SqliteOracle::Answer answer = oracle.run(query.sql.sqlite);
    ASSERT_EQ(answer.error, "") << query.sql.sqlite;
    const Rows rows = normal_rows(answer.rows, query.ordered);
    ASSERT_TRUE(alike(expected, rows)) << where << "\n"
                                       << sql << "\nboth engines:\n"
                                       << shown(expected) << "the rows written:\n"
                                       << shown(rows);
    ++tally.by_oracle;
  }
}

void compare_joins(Store& store, const std::string& where, Tally& tally) {
  if (!store.has_oracle()) return;
  SqliteOracle oracle;
  store.fill(oracle);
  for (int n = 0; n < kJoinsPerStage; ++n) {
    const TwoSpellings sql = store.random().join_query();
    const CollectedResult found = run_query(store.engine(), sql.varve);
    ASSERT_FALSE(found.error) << where << "\n" << sql.varve << "\n" << found.outcome();
    const SqliteOracle::Answer answer = oracle.run(sql.sqlite);
    ASSERT_EQ(answer.error, "") << sql.sqlite;
    const Rows rows = normal_rows(answer.rows, false);
    const Rows ours = normal_rows(found.values, false);
    ASSERT_TRUE(alike(ours, rows)) << where << "\n"
                                   << sql.varve << "\nvarve gave:\n"
                                   << shown(ours) << "expected:\n"
                                   << shown(rows);
    ++tally.joins;
  }
}

// Ternary logic partitioning (Rigger and Su, OOPSLA 2020): every row is in exactly one of p, NOT p, p IS NULL; by both.
void split_rows(Store& store, const std::string& where) {
  const auto all = run_query(store.engine(), "SELECT count(*) FROM t");
  ASSERT_FALSE(all.error);
  for (int n = 0; n < 20; ++n) {
    const std::string p = store.random().condition(3).varve;
    int64_t sums[2] = {0, 0};
    bool overflow = false;
    for (const std::string& part : {"(" + p + ")", "NOT (" + p + ")", "(" + p + ") IS NULL"}) {
      const std::string sql = "SELECT count(*) FROM t WHERE " + part;
      const CollectedResult native = run_query(store.engine(), sql);
      const CollectedResult second = run_by_sqlite(store.engine(), sql);
      overflow = overflow || native.error || second.error;
      if (overflow) break;
      sums[0] += std::get<int64_t>(native.values[0][0]);
      sums[1] += std::get<int64_t>(second.values[0][0]);
    }
    if (overflow) continue;
    ASSERT_EQ(sums[0], std::get<int64_t>(all.values[0][0])) << where << "\n" << p;
    ASSERT_EQ(sums[1], sums[0]) << where << "\n" << p;
  }
}

class StoreDifferential : public testing::TestWithParam<int> {};

TEST_P(StoreDifferential, BothEnginesAnswerAlikeWhereverTheRowsAre) {
  const int dataset = GetParam();
  const uint64_t seed = run_seed();
  std::printf("VARVE_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Tally tally;
  Store store(seed + static_cast<uint64_t>(dataset), dataset);
  const auto check = [&](const std::string& stage) {
    if (testing::Test::HasFatalFailure()) return;
    const std::string where = fmt::format("VARVE_SEED={} dataset {}, {}", seed, dataset, stage);
    compare_statements(store, where, tally);
    if (!testing::Test::HasFatalFailure()) compare_joins(store, where, tally);
    if (!testing::Test::HasFatalFailure()) split_rows(store, where);
  };
  store.write_rows(250);
  check("in the memtable");
  store.flush();
  check("flushed");
  store.write_rows(120);  // late rows and overwritten ones beside the segments
  check("flushed, with newer rows in the memtable");
  store.flush();
  store.compact();
  check("compacted");
  store.write_rows(40);
  store.restart();
  check("restarted");
  ASSERT_FALSE(testing::Test::HasFatalFailure());
  std::printf("compared %d, refused %d, with the rows written %d, joins %d\n", tally.compared, tally.refused,
              tally.by_oracle, tally.joins);
  EXPECT_GE(tally.compared, kStatementsPerStage * kStages * 95 / 100);
  if (!store.has_oracle()) return;
  EXPECT_GE(tally.by_oracle, kStatementsPerStage * kStages / kOracleEvery * 7 / 10);
  EXPECT_EQ(tally.joins, kJoinsPerStage * kStages);
}

INSTANTIATE_TEST_SUITE_P(Datasets, StoreDifferential, testing::Range(0, kDatasets));

}  // namespace
}  // namespace varve
