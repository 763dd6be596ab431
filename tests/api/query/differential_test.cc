// The native engine against SQLite on the same random rows: every statement it accepts must answer alike, and no
// statement may depend on how rows are cut into blocks or on block statistics.
// VARVE_SEED chooses the run; the seed is printed with every failure.
#include <gtest/gtest.h>

#include "tests/api/query/answers.h"
#include "tests/api/query/query_generator.h"
#include "tests/support/memory_engine.h"
#include "tests/support/query_result.h"
#include "tests/support/sqlite_oracle.h"

namespace varve {
namespace {

constexpr int kDatasets = 10;
constexpr int kQueriesPerDataset = 220;

// The same rows in both. Times differ between series, so that first and last are decided by time alone; doubles are
// quarters, so that their sums are exact in any order.
void fill(QueryGenerator& random, MemoryEngine& engine, SqliteOracle& oracle) {
  engine.declare(kDefaultDatabase, "t",
                 {{"a", ColumnKind::kTag, FieldType::kString},
                  {"b", ColumnKind::kTag, FieldType::kString},
                  {"x", ColumnKind::kField, FieldType::kDouble},
                  {"y", ColumnKind::kField, FieldType::kDouble},
                  {"i", ColumnKind::kField, FieldType::kInt64},
                  {"j", ColumnKind::kField, FieldType::kInt64},
                  {"s", ColumnKind::kField, FieldType::kString},
                  {"f", ColumnKind::kField, FieldType::kBool}});
  oracle.run(
      "CREATE TABLE t (time INTEGER, a TEXT, b TEXT, x REAL, y REAL, i INTEGER, j INTEGER, s TEXT, f "
      "INTEGER)");
  oracle.run("BEGIN");
  const char* const names[] = {"", "a", "b", "A", "ab", "c d"};
  const char* const texts[] = {"", "a", "B", "aab", "x_y", "%", "c d"};
  const int64_t series = 1 + random.below(12);
  for (int64_t k = 0; k < series; ++k) {
    const std::string a = names[random.below(6)];
    const std::string b = names[random.below(3)];
    const int64_t rows = random.below(60);
    const int nulls = static_cast<int>(random.below(50));
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t second = QueryGenerator::kSecondsMin +
                             random.below(QueryGenerator::kSecondsMax - QueryGenerator::kSecondsMin);
      const int64_t time = second * kNsPerSecond + k * 1000 + r;
      const auto quarter = [&] { return static_cast<double>(random.below(80) - 40) / 4; };
      std::vector<Value> fields{quarter(),
                                quarter(),
                                random.below(21) - 10,
                                random.below(5),
                                std::string(texts[random.below(7)]),
                                random.chance(50)};
      for (Value& field : fields) {
        if (random.chance(nulls)) field = Value{};
      }
      engine.insert(kDefaultDatabase, "t", time, {{"a", a}, {"b", b}},
                    {{"x", fields[0]},
                     {"y", fields[1]},
                     {"i", fields[2]},
                     {"j", fields[3]},
                     {"s", fields[4]},
                     {"f", fields[5]}});
      std::vector<Value> bindings{time, a.empty() ? Value{} : Value(a), b.empty() ? Value{} : Value(b)};
      bindings.insert(bindings.end(), fields.begin(), fields.end());
      oracle.run("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", bindings);
    }
  }
  oracle.run("COMMIT");
}

TEST(Differential, AnswersAsSqliteDoes) {
  const uint64_t seed = run_seed();
  std::printf("VARVE_SEED=%llu\n", static_cast<unsigned long long>(seed));
  int compared = 0;
  int refused = 0;
  for (int dataset = 0; dataset < kDatasets; ++dataset) {
    QueryGenerator random(seed + static_cast<uint64_t>(dataset));
    MemoryEngine engine;
    SqliteOracle oracle;
    fill(random, engine, oracle);
    for (int n = 0; n < kQueriesPerDataset; ++n) {
      const GeneratedQuery query = random.select();
      const SqliteOracle::Answer expected = oracle.run(query.sql.sqlite);
      ASSERT_EQ(expected.error, "") << query.sql.sqlite;
      const Rows rows = normal_rows(expected.rows, query.ordered);
      for (const bool statistics : {true, false}) {
        engine.block_rows = static_cast<size_t>(1 + random.below(40));
        engine.offer_statistics = statistics;
        const CollectedResult result = run_query(engine, query.sql.varve);
        if (result.error) {
          // The only thing SQLite may do that we refuse: int64 beyond its range, and other types for whole groups.
          ASSERT_EQ(result.error->code, "overflow") << query.sql.varve << "\n" << result.outcome();
          ++refused;
          break;
        }
        const Rows ours = normal_rows(result.values, query.ordered);
        ASSERT_TRUE(alike(ours, rows)) << "VARVE_SEED=" << seed << " dataset " << dataset << ", statistics "
                                       << statistics << ", blocks of " << engine.block_rows << "\n"
                                       << query.sql.varve << "\nSQLite:\n"
                                       << query.sql.sqlite << "\nvarve gave:\n"
                                       << shown(ours) << "expected:\n"
                                       << shown(rows);
        ++compared;
      }
    }
  }
  EXPECT_GE(compared, 2 * 2000) << "refused: " << refused;
}

// Ternary logic partitioning (Rigger and Su, OOPSLA 2020): every row is in exactly one of p, NOT p, p IS NULL.
TEST(Differential, EveryConditionSplitsTheRowsInThree) {
  const uint64_t seed = run_seed();
  std::printf("VARVE_SEED=%llu\n", static_cast<unsigned long long>(seed));
  QueryGenerator random(seed);
  MemoryEngine engine;
  SqliteOracle oracle;
  fill(random, engine, oracle);
  const int64_t all = std::get<int64_t>(run_query(engine, "SELECT count(*) FROM t").values[0][0]);
  for (int n = 0; n < 500; ++n) {
    const std::string p = random.condition(3).varve;
    engine.block_rows = static_cast<size_t>(1 + random.below(40));
    int64_t sum = 0;
    bool overflow = false;
    for (const std::string& part : {"(" + p + ")", "NOT (" + p + ")", "(" + p + ") IS NULL"}) {
      const CollectedResult result = run_query(engine, "SELECT count(*) FROM t WHERE " + part);
      if (result.error && result.error->code == "overflow") overflow = true;
      if (overflow) break;
      ASSERT_FALSE(result.error) << part << "\n" << result.outcome();
      sum += std::get<int64_t>(result.values[0][0]);
    }
    if (overflow) continue;
    ASSERT_EQ(sum, all) << "VARVE_SEED=" << seed << "\n" << p;
  }
}

}  // namespace
}  // namespace varve
