// However a statement is executed, its answer is the same: in parts by any number of threads, in windows of time, by
// statistics, from the newest block on.
// VARVE_SEED chooses the run; the seed is printed with every failure.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "tests/api/query/query_generator.h"
#include "tests/support/memory_engine.h"
#include "tests/support/query_result.h"

namespace varve {
namespace {

uint64_t run_seed() {
  if (const char* text = std::getenv("VARVE_SEED")) return std::strtoull(text, nullptr, 10);
  return std::random_device()();
}

// Series of different lengths, with NULLs and rows of equal times in several series. Doubles are quarters, so that sums
// do not depend on their order.
void fill(QueryGenerator& random, MemoryEngine& engine) {
  engine.declare(kDefaultDatabase, "t",
                 {{"a", ColumnKind::kTag, FieldType::kString},
                  {"b", ColumnKind::kTag, FieldType::kString},
                  {"x", ColumnKind::kField, FieldType::kDouble},
                  {"y", ColumnKind::kField, FieldType::kDouble},
                  {"i", ColumnKind::kField, FieldType::kInt64},
                  {"j", ColumnKind::kField, FieldType::kInt64},
                  {"s", ColumnKind::kField, FieldType::kString},
                  {"f", ColumnKind::kField, FieldType::kBool}});
  const int64_t series = 1 + random.below(12);
  for (int64_t k = 0; k < series; ++k) {
    const int nulls = static_cast<int>(random.below(60));
    const int64_t rows = random.below(150);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t second = QueryGenerator::kSecondsMin +
                             random.below(QueryGenerator::kSecondsMax - QueryGenerator::kSecondsMin);
      MemoryEngine::Fields fields;
      const auto quarter = [&] { return static_cast<double>(random.below(80) - 40) / 4; };
      if (!random.chance(nulls)) fields.emplace_back("x", random.chance(3) ? std::nan("") : quarter());
      if (!random.chance(nulls)) fields.emplace_back("y", quarter());
      if (!random.chance(nulls)) fields.emplace_back("i", random.below(21) - 10);
      if (!random.chance(nulls)) fields.emplace_back("j", random.below(5));
      if (!random.chance(nulls)) fields.emplace_back("s", std::string(random.chance(50) ? "u" : "v"));
      if (!random.chance(nulls)) fields.emplace_back("f", random.chance(50));
      engine.insert(kDefaultDatabase, "t", second * kNsPerSecond,
                    {{"a", fmt::format("a{}", k)}, {"b", k % 3 == 0 ? "" : fmt::format("b{}", k % 3)}},
                    fields);
    }
  }
}

bool alike(const Value& a, const Value& b) {
  const auto* x = std::get_if<double>(&a);
  const auto* y = std::get_if<double>(&b);
  if (x == nullptr || y == nullptr) return a == b;
  return *x == *y || std::fabs(*x - *y) <= 1e-9 * std::max(std::fabs(*x), std::fabs(*y));
}

using Rows = std::vector<std::vector<Value>>;

bool alike(const Rows& a, const Rows& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](const auto& x, const auto& y) {
           return x.size() == y.size() &&
                  std::equal(x.begin(), x.end(), y.begin(),
                             [](const Value& v, const Value& w) { return alike(v, w); });
         });
}

QueryOptions in_parts(uint64_t part_rows, uint32_t threads) {
  QueryOptions options;
  options.part_rows = part_rows;
  options.threads = threads;
  return options;
}

std::string text_of(const CollectedResult& result) {
  std::string text = result.outcome() + "\n";
  for (const std::string& line : result.lines()) text += line + "\n";
  return text;
}

class Execution : public ::testing::Test {
 protected:
  // In one piece, without statistics, by one thread.
  CollectedResult plainly(const std::string& sql) {
    engine_.offer_statistics = false;
    return run_query(engine_, sql, {}, in_parts(UINT64_MAX, 1));
  }

  void same_answers(QueryGenerator& random, const std::string& sql) {
    engine_.block_rows = static_cast<size_t>(1 + random.below(40));
    const CollectedResult expected = plainly(sql);
    for (const bool statistics : {true, false}) {
      engine_.offer_statistics = statistics;
      const auto part_rows = static_cast<uint64_t>(1 + random.below(random.chance(50) ? 20 : 500));
      CollectedResult first;
      for (const uint32_t threads : {1U, 2U, 4U}) {
        CollectedResult result = run_query(engine_, sql, {}, in_parts(part_rows, threads));
        ASSERT_EQ(result.error.has_value(), expected.error.has_value()) << sql << "\n"
                                                                        << result.outcome() << "\n"
                                                                        << expected.outcome();
        if (result.error) {
          EXPECT_EQ(result.error->code, expected.error->code) << sql;
          continue;
        }
        ASSERT_TRUE(alike(result.values, expected.values))
            << sql << "\nstatistics " << statistics << ", " << threads << " threads, parts of " << part_rows
            << ", blocks of " << engine_.block_rows << "\n"
            << text_of(result) << "expected:\n"
            << text_of(expected);
        if (threads == 1) first = std::move(result);
        if (threads > 1) {  // not only alike
          EXPECT_EQ(text_of(result), text_of(first)) << sql;
        }
      }
    }
  }

  MemoryEngine engine_;
};

TEST_F(Execution, ThreadsPartsAndStatisticsChangeNoAnswer) {
  const uint64_t seed = run_seed();
  SCOPED_TRACE(fmt::format("VARVE_SEED={}", seed));
  QueryGenerator random(seed);
  for (int dataset = 0; dataset < 4; ++dataset) {
    engine_ = MemoryEngine();
    fill(random, engine_);
    for (int n = 0; n < 60 && !HasFatalFailure(); ++n) same_answers(random, random.select().sql.varve);
    for (const char* const sql : {
             "SELECT a, stddev(x), median(y), percentile(i, 90), count(distinct j) FROM t GROUP BY a",
             "SELECT time_bucket('10m', time) AS m, b, stddev(i), median(x), first(s), last(f) FROM t GROUP "
             "BY m, b",
             "SELECT variance(x), median(i), count(distinct s), min(s), max(f) FROM t",
             "SELECT a, time, x FROM t ORDER BY x, a, time",
             "SELECT a, time, x FROM t WHERE y > 0 ORDER BY x DESC, a, time LIMIT 7 OFFSET 3",
             "SELECT DISTINCT b, s FROM t WHERE x >= 0 AND j < 4",
             "SELECT a, time, x, s FROM t WHERE x BETWEEN -2 AND 3.5",
             "SELECT count(*), sum(x) FROM t WHERE i >= 3 AND i < 7",
             "SELECT count(*), sum(i) FROM t WHERE 2.5 < y",
         }) {
      same_answers(random, sql);
      if (HasFatalFailure()) return;
    }
  }
}

// The rows LIMIT and OFFSET leave of the whole answer.
Rows some_of(const Rows& rows, size_t limit, size_t offset) {
  const size_t from = std::min(offset, rows.size());
  const size_t to = std::min(from + limit, rows.size());
  return {rows.begin() + static_cast<ptrdiff_t>(from), rows.begin() + static_cast<ptrdiff_t>(to)};
}

TEST_F(Execution, AnOrderByTimeWithALimitGivesTheBeginningOfTheWholeAnswer) {
  const uint64_t seed = run_seed();
  SCOPED_TRACE(fmt::format("VARVE_SEED={}", seed));
  QueryGenerator random(seed);
  for (int n = 0; n < 150; ++n) {
    if (n % 15 == 0) {
      engine_ = MemoryEngine();
      fill(random, engine_);
    }
    engine_.block_rows = static_cast<size_t>(1 + random.below(40));
    const std::string where = random.chance(70) ? " WHERE " + random.condition(2).varve : "";
    const std::string order = random.chance(50) ? " DESC" : "";
    const auto limit = static_cast<size_t>(random.below(40));
    const auto offset = static_cast<size_t>(random.chance(30) ? random.below(20) : 0);
    std::string sql;
    if (random.chance(50)) {
      sql = fmt::format("SELECT time, a, x, s FROM t{} ORDER BY time{}, a", where, order);
    } else {
      const std::string having = random.chance(30) ? " HAVING count(x) > 1" : "";
      sql = fmt::format(
          "SELECT time_bucket('{}m', time) AS m, b, count(*), sum(x), last(i) FROM t{} GROUP BY m, b{} "
          "ORDER BY m{}, b",
          1 + random.below(300), where, having, order);
    }
    const CollectedResult all = plainly(sql);
    engine_.offer_statistics = random.chance(50);
    const std::string limited = sql + fmt::format(" LIMIT {} OFFSET {}", limit, offset);
    const CollectedResult result = run_query(engine_, limited, {}, in_parts(1 + random.below(100), 2));
    if (all.error) continue;  // an overflow in rows that need not be read
    ASSERT_FALSE(result.error) << limited << "\n" << result.outcome();
    ASSERT_TRUE(alike(result.values, some_of(all.values, limit, offset))) << limited << "\n"
                                                                          << text_of(result) << "of:\n"
                                                                          << text_of(all);
  }
}

TEST_F(Execution, AnOrderByTimeWithALimitReadsFewRows) {
  engine_.block_rows = 10;
  for (int row = 0; row < 5000; ++row) {
    engine_.insert(kDefaultDatabase, "t", row * kNsPerSecond, {{"a", row % 2 == 0 ? "p" : "q"}},
                   {{"x", static_cast<double>(row)}});
  }
  const auto scanned = [&](const std::string& sql) {
    const CollectedResult result = run_query(engine_, sql);
    EXPECT_EQ(result.outcome(), "ok") << sql;
    return result.stats.rows_scanned;
  };
  EXPECT_LE(scanned("SELECT * FROM t ORDER BY time DESC LIMIT 5"), 100U);
  EXPECT_LE(scanned("SELECT * FROM t ORDER BY time LIMIT 5"), 100U);
  EXPECT_LE(scanned("SELECT time_bucket('1m', time) AS m, max(x) FROM t GROUP BY m ORDER BY m DESC LIMIT 3"),
            400U);
  EXPECT_LE(scanned("SELECT * FROM t WHERE x < 4000 ORDER BY time DESC LIMIT 5"), 5000U);
  EXPECT_EQ(scanned("SELECT * FROM t ORDER BY x DESC LIMIT 5"), 5000U);
}

TEST_F(Execution, LastValuesAreFoundFromTheNewestBlockOn) {
  const uint64_t seed = run_seed();
  SCOPED_TRACE(fmt::format("VARVE_SEED={}", seed));
  QueryGenerator random(seed);
  for (int n = 0; n < 60 && !HasFatalFailure(); ++n) {
    engine_ = MemoryEngine();
    fill(random, engine_);
    const std::string where = random.chance(50) ? " WHERE " + random.condition(1).varve : "";
    same_answers(random, "SELECT a, last(x), last(i), last(s), max(time) FROM t" + where + " GROUP BY a");
    same_answers(random, "SELECT b, last(x), last(f) FROM t" + where + " GROUP BY b");
    same_answers(random, "SELECT last(x), last(i), max(time) FROM t" + where);
    same_answers(random, "SELECT a, max(time) FROM t" + where + " GROUP BY a ORDER BY 2 DESC, 1 LIMIT 3");
  }
}

TEST_F(Execution, AFailureOnAHelpersThreadIsTheStatements) {
  engine_.block_rows = 5;
  for (int row = 0; row < 400; ++row) {
    engine_.insert(kDefaultDatabase, "t", row, {{"a", fmt::format("a{}", row % 4)}},
                   {{"i", int64_t{row == 399 ? INT64_MAX : row}}});
  }
  for (const uint32_t threads : {1U, 4U}) {
    const CollectedResult grouped = run_query(engine_, "SELECT max(i + 1) FROM t", {}, in_parts(20, threads));
    ASSERT_TRUE(grouped.error);
    EXPECT_EQ(grouped.error->code, "overflow");
    const CollectedResult rows = run_query(engine_, "SELECT i + 1 FROM t", {}, in_parts(20, threads));
    ASSERT_TRUE(rows.error);
    EXPECT_EQ(rows.error->code, "overflow");
  }
  engine_.scan_failure = "block 7 is damaged";
  const CollectedResult damaged =
      run_query(engine_, "SELECT max(i) FROM t WHERE i <> 3", {}, in_parts(20, 4));
  ASSERT_TRUE(damaged.error);
  EXPECT_NE(damaged.error->message.find("block 7 is damaged"), std::string::npos);
}

TEST_F(Execution, MemoryOfAllPartsIsCounted) {
  for (int row = 0; row < 20'000; ++row) {
    engine_.insert(kDefaultDatabase, "t", row, {{"a", "p"}}, {{"x", static_cast<double>(row)}});
  }
  QueryOptions options = in_parts(1000, 4);
  options.max_memory_bytes = 100'000;
  const CollectedResult result = run_query(engine_, "SELECT x, count(*) FROM t GROUP BY x", {}, options);
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->code, "memory_limit");
}

}  // namespace
}  // namespace varve
