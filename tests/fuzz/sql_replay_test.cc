// Runs the SQL fuzz target over generated statements with seeded damage, so that every build exercises it.
#include <gtest/gtest.h>

#include "tests/api/query/query_generator.h"
#include "tests/fuzz/targets.h"

namespace varve {
namespace {

void damage(QueryGenerator& random, std::string& sql) {
  for (int64_t edits = random.below(5); edits > 0 && sql.size() > 8; --edits) {
    const auto at = static_cast<size_t>(random.below(static_cast<int64_t>(sql.size())));
    const auto length = static_cast<size_t>(1 + random.below(6));
    switch (random.below(3)) {
      case 0:
        sql[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        sql.erase(at, length);
        break;
      default:
        sql.insert(at, sql.substr(sql.size() - at - 1, length));
        break;
    }
  }
}

TEST(FuzzReplay, DamagedStatementsAreAnsweredOrRefused) {
  QueryGenerator random(1);
  for (int round = 0; round < 3000; ++round) {
    std::string sql = random.select().sql.varve;
    damage(random, sql);
    SCOPED_TRACE(sql);
    fuzz::sql(reinterpret_cast<const uint8_t*>(sql.data()), sql.size());
  }
}

// What the generator does not write: clauses and functions of time series, put together at random, then damaged.
TEST(FuzzReplay, DamagedTimeSeriesStatementsAreAnsweredOrRefused) {
  const std::vector<std::string> items{"time",
                                       "site",
                                       "avg(ph)",
                                       "rate(n)",
                                       "increase(n, '1m')",
                                       "median(ph)",
                                       "integral(ph)",
                                       "last(note)",
                                       "count(*)",
                                       "delta(n) + 1",
                                       "spread(time)",
                                       "$p",
                                       "time_bucket('1M', time)",
                                       "upper(site) || 'x'"};
  const std::vector<std::string> wheres{
      "", " WHERE time >= '1970-01-01T00:00:05Z' AND time < '1970-01-01T00:01:00Z'",
      " WHERE time > '1970-01-01T00:00:35Z'", " WHERE ph > $p AND site = $s",
      " WHERE time < now() - INTERVAL '1 month'"};
  const std::vector<std::string> groups{"",
                                        " SAMPLE BY 5s",
                                        " SAMPLE BY 1M ALIGN TO CALENDAR TIME ZONE 'Europe/Paris'",
                                        " GROUP BY time, site",
                                        " GROUP BY time_bucket('90m', time, 'Europe/Paris'), 2",
                                        " GROUP BY date_trunc('week', time), n % 3",
                                        " LATEST BY site"};
  const std::vector<std::string> fills{
      "", " FILL(prev)", " FILL(linear)", " FILL(null, 0)", " FILL('x')", " FILL(prev) HAVING count(*) > 1"};
  const std::vector<std::string> ends{"", " ORDER BY 1 DESC", " ORDER BY avg(ph), time LIMIT 3", " LIMIT $p"};
  QueryGenerator random(2);
  const auto one_of = [&](const std::vector<std::string>& all) {
    return all[static_cast<size_t>(random.below(static_cast<int64_t>(all.size())))];
  };
  for (int round = 0; round < 3000; ++round) {
    std::string sql = (round % 7 == 0 ? "EXPLAIN SELECT " : "SELECT ") + one_of(items);
    for (int64_t more = random.below(3); more > 0; --more) sql += ", " + one_of(items);
    sql += " FROM t" + one_of(wheres) + one_of(groups) + one_of(fills) + one_of(ends);
    if (round % 2 == 0) damage(random, sql);
    SCOPED_TRACE(sql);
    fuzz::sql(reinterpret_cast<const uint8_t*>(sql.data()), sql.size());
  }
}

}  // namespace
}  // namespace varve
