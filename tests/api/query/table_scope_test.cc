// What a caller with a table scope can reach by any statement: its tables, and nothing of the others.
#include "api/query/table_scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/influxql/parser.h"
#include "api/influxql/service.h"
#include "tests/support/memory_engine.h"

namespace varve {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TableScopePtr scope(const std::vector<std::string>& names) {
  auto parsed = TableScope::parse(names);
  EXPECT_TRUE(parsed.has_value());
  return std::make_shared<const TableScope>(std::move(*parsed));
}

TEST(TableScope, NamesTablesAndDatabases) {
  const auto some = scope({"water", "lab.*", "a.b.c"});
  EXPECT_TRUE(some->allows("varve", "water"));
  EXPECT_TRUE(some->allows("lab", "anything"));
  EXPECT_TRUE(some->allows("a", "b.c"));
  EXPECT_FALSE(some->allows("varve", "air"));
  EXPECT_FALSE(some->allows("lab2", "water"));
  EXPECT_FALSE(some->allows("a", "b"));
  EXPECT_EQ(some->text(), "varve.water, lab.*, a.b.c");
  for (const std::string wrong : {"", "*", ".x", "x."}) {
    EXPECT_FALSE(TableScope::parse({wrong}).has_value()) << wrong;
  }
}

class Scoped : public ::testing::Test {
 protected:
  Scoped() {
    for (const std::string table : {"water", "secret"}) {
      engine_.insert("varve", table, 1000, {{"site", table + "_site"}}, {{table + "_field", 1.5}});
    }
    engine_.insert("other", "secret", 1000, {}, {{"v", 2.5}});
  }

  struct Text : ResultSink {
    std::string text;
    bool begin(const std::vector<ResultColumn>& columns) override {
      for (const ResultColumn& column : columns) text += column.name + " ";
      return true;
    }
    bool rows(const ResultBatch& batch) override {
      for (size_t row = 0; row < batch.rows; ++row) {
        for (const ColumnVector& column : batch.columns) {
          const Value value = column.value(row);
          if (const auto* string = std::get_if<std::string>(&value)) text += *string + " ";
        }
      }
      return true;
    }
  };
  // "forbidden" and the like, or the answer's names and strings.
  std::string sql(const std::string& statement, TableScopePtr tables) {
    QueryRequest request;
    request.sql = statement;
    request.may_change = true;
    request.is_admin = tables == nullptr;
    request.tables = std::move(tables);
    Text answer;
    const auto stats = queries_.run(request, answer);
    return stats ? "ok: " + answer.text : stats.error().code;
  }
  std::string influxql(const std::string& statement, TableScopePtr tables) {
    auto statements = influxql::parse_influxql(statement);
    EXPECT_TRUE(statements.has_value()) << statement;
    influxql::Request request;
    request.query.sql = statement;
    request.query.may_change = true;
    request.query.is_admin = tables == nullptr;
    request.query.tables = std::move(tables);
    request.database = "varve";
    std::string text;
    const auto done = service_.run(request, std::move(*statements), [&](std::string_view piece) {
      text += piece;
      return true;
    });
    return done ? text : done.error().code;
  }

  MemoryEngine engine_;
  MetricsRegistry metrics_;
  QueryService queries_{engine_, {}, metrics_};
  influxql::Service service_{engine_, queries_, real_clock()};
};

TEST_F(Scoped, SqlReachesNoOtherTable) {
  const auto water = scope({"varve.water"});
  EXPECT_THAT(sql("SELECT * FROM water", water), HasSubstr("water_field"));
  for (const char* statement : {
           "SELECT * FROM secret",
           "SELECT * FROM varve.secret",
           "SELECT * FROM other.secret",
           "SELECT * FROM Secret",
           "SELECT count(*) FROM secret",
           "SELECT * FROM secret LATEST BY site",
           "SELECT water.site FROM water JOIN secret ON water.time = secret.time",
           "SELECT * FROM water, secret",
           "SELECT * FROM water WHERE site IN (SELECT site FROM secret)",
           "SELECT (SELECT max(secret_field) FROM secret) FROM water",
           "SELECT * FROM (SELECT * FROM secret) s",
           "SELECT site FROM water UNION ALL SELECT site FROM secret",
           "WITH s AS (SELECT * FROM secret) SELECT * FROM s",
           "SELECT * FROM water WHERE EXISTS (SELECT 1 FROM secret)",
           "EXPLAIN SELECT * FROM secret",
           "EXPLAIN ANALYZE SELECT * FROM secret",
           "DESCRIBE secret",
           "SELECT * FROM varve_segments",
           "SELECT * FROM varve_queries",
           "DESCRIBE varve_queries",
           "SELECT * FROM water w, varve_queries q",
           "SELECT * FROM nowhere",
           "DELETE FROM water WHERE time < 5",
           "DELETE FROM secret WHERE time < 5",
       }) {
    EXPECT_EQ(sql(statement, water), "forbidden") << statement;
  }
  EXPECT_EQ(engine_.describe("varve", "secret")->rows, 1u);
}

TEST_F(Scoped, ListsAndHintsNameOnlyItsTables) {
  const auto water = scope({"water"});
  EXPECT_EQ(sql("SHOW TABLES", water), "ok: name database rows series time_min time_max water varve ");
  EXPECT_THAT(sql("SHOW TABLES", nullptr), HasSubstr("secret"));
  QueryRequest request;
  request.sql = "SELECT * FROM secre";
  request.tables = scope({"water"});
  Text answer;
  const auto failed = queries_.run(request, answer);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().kind, QueryErrorKind::kForbidden);
  EXPECT_THAT(failed.error().message + failed.error().hint, Not(HasSubstr("secret")));
  EXPECT_THAT(failed.error().message, HasSubstr("varve.water"));
  // SQLite's own tables tell nothing either.
  EXPECT_THAT(sql("SELECT name FROM sqlite_master", water), Not(HasSubstr("secret")));
}

TEST_F(Scoped, WithoutAScopeEverythingIsThere) {
  for (const char* statement : {"SELECT * FROM secret", "SELECT * FROM other.secret", "DESCRIBE secret",
                                "SELECT water.site FROM water JOIN secret ON water.time = secret.time"}) {
    EXPECT_THAT(sql(statement, nullptr), HasSubstr("ok: ")) << statement;
  }
}

TEST_F(Scoped, InfluxqlReachesNoOtherTable) {
  const auto water = scope({"water"});
  EXPECT_THAT(influxql("SELECT * FROM water", water), HasSubstr("water_field"));
  for (const char* statement : {
           "SELECT * FROM secret",
           "SELECT * FROM varve.autogen.secret",
           "SELECT * FROM other..secret",
           "SELECT max(m) FROM (SELECT max(secret_field) AS m FROM secret)",
           "SELECT * FROM water; SELECT * FROM secret",
           "EXPLAIN SELECT * FROM secret",
           "SHOW TAG VALUES FROM secret WITH KEY = site",
           "SHOW FIELD KEYS FROM secret",
           "SHOW FIELD KEYS ON other FROM secret",
           "SHOW SERIES FROM secret",
           "SHOW QUERIES",
           "DROP MEASUREMENT water",
           "DROP MEASUREMENT secret",
           "DELETE FROM water",
           "DROP DATABASE varve",
           "KILL QUERY 1",
           "CREATE DATABASE mine",
       }) {
    EXPECT_EQ(influxql(statement, water), "forbidden") << statement;
  }
  for (const char* statement : {
           "SELECT * FROM /.*/",
           "SHOW MEASUREMENTS",
           "SHOW MEASUREMENTS ON other",
           "SHOW TAG KEYS",
           "SHOW TAG VALUES WITH KEY = site",
           "SHOW FIELD KEYS",
           "SHOW SERIES",
           "SHOW MEASUREMENT CARDINALITY",
       }) {
    EXPECT_THAT(influxql(statement, water), Not(HasSubstr("secret"))) << statement;
  }
  EXPECT_THAT(influxql("SHOW DATABASES", water), Not(HasSubstr("other")));
  EXPECT_THAT(influxql("SHOW MEASUREMENTS", nullptr), HasSubstr("secret"));
}

TEST_F(Scoped, ReadersOfEverythingDoNotDelete) {
  QueryRequest request;
  request.sql = "DELETE FROM water WHERE time < 5";
  request.may_change = true;
  request.is_admin = false;
  Text answer;
  const auto failed = queries_.run(request, answer);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().kind, QueryErrorKind::kForbidden);
  EXPECT_THAT(failed.error().message, HasSubstr("admin"));
}

}  // namespace
}  // namespace varve
