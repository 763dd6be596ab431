// Runs the SQL fuzz target over generated statements with seeded damage, so that every build exercises it.
#include <gtest/gtest.h>

#include "tests/api/query/query_generator.h"
#include "tests/fuzz/targets.h"

namespace varve {
namespace {

TEST(FuzzReplay, DamagedStatementsAreAnsweredOrRefused) {
  QueryGenerator random(1);
  for (int round = 0; round < 3000; ++round) {
    std::string sql = random.select().sql.varve;
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
    SCOPED_TRACE(sql);
    fuzz::sql(reinterpret_cast<const uint8_t*>(sql.data()), sql.size());
  }
}

}  // namespace
}  // namespace varve
