// Statements but SELECT over a small store. The expected bytes are those of InfluxDB 1.6.7 for the same points; a test of
// the integration tests asks a real one.
#include "api/influxql/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/influxql_answer.h"
#include "tests/support/memory_engine.h"

namespace varve::influxql {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class FixedClock : public Clock {
 public:
  int64_t wall_ns() const override { return 10 * kNsPerSecond; }
  int64_t monotonic_ns() const override { return 0; }
};

class InfluxqlService : public ::testing::Test {
 protected:
  InfluxqlService() {
    engine_.insert("d", "cpu", 1 * kNsPerSecond, {{"host", "a"}, {"dc", "x"}},
                   {{"v", 1.0}, {"i", int64_t{2}}, {"s", std::string("t")}, {"b", true}});
    engine_.insert("d", "cpu", 2 * kNsPerSecond, {{"host", "b"}, {"dc", "y"}}, {{"v", 2.0}, {"w", 3.0}});
    engine_.insert("d", "mem", 1 * kNsPerSecond, {{"host", "a"}}, {{"used", int64_t{5}}});
    engine_.insert("d", "mem", 3 * kNsPerSecond, {{"host", "c"}}, {{"used", int64_t{6}}});
    engine_.insert("d", "disk", 1 * kNsPerSecond, {}, {{"free", 1.0}});
  }

  // What stands in the one result's series, or the error.
  std::string ask(const std::string& text) {
    std::string body = run_(text);
    constexpr std::string_view kBegin = R"({"results":[{"statement_id":0)";
    EXPECT_THAT(body, StartsWith(std::string(kBegin)));
    EXPECT_TRUE(body.ends_with("}]}\n")) << body;
    body = body.substr(kBegin.size(), body.size() - kBegin.size() - 4);
    if (body.starts_with(R"(,"series":[)")) return body.substr(11, body.size() - 12);
    return body;
  }
  static std::string one(const std::string& name, const std::string& columns, const std::string& values) {
    const std::string shown = name.empty() ? "" : R"("name":")" + name + "\",";
    return "{" + shown + R"("columns":[)" + columns + R"(],"values":[)" + values + "]}";
  }
  static std::string error(const std::string& message) { return R"(,"error":")" + message + "\""; }
  static std::string measurements(const std::string& values) {
    return one("measurements", R"("name")", values);
  }
  static std::string keys(const std::string& name, const std::string& values) {
    return one(name, R"("tagKey")", values);
  }
  static std::string hosts(const std::string& name, const std::string& values) {
    return one(name, R"("key","value")", values);
  }
  static std::string series(const std::string& values) { return one("", R"("key")", values); }

  MemoryEngine engine_;
  const FixedClock clock_;
  test::InfluxqlRunner run_{engine_, {}, clock_};
};

TEST_F(InfluxqlService, ShowsMeasurements) {
  EXPECT_EQ(ask("SHOW MEASUREMENTS"), measurements(R"(["cpu"],["disk"],["mem"])"));
  EXPECT_EQ(ask("SHOW MEASUREMENTS ON nope"), "");
  EXPECT_EQ(ask("SHOW MEASUREMENTS WITH MEASUREMENT = cpu"), measurements(R"(["cpu"])"));
  EXPECT_EQ(ask("SHOW MEASUREMENTS WITH MEASUREMENT =~ /(?i)C|M/ LIMIT 1 OFFSET 1"),
            measurements(R"(["mem"])"));
  EXPECT_EQ(ask("SHOW MEASUREMENTS WHERE host = 'a'"), measurements(R"(["cpu"],["mem"])"));
  EXPECT_EQ(ask("SHOW MEASUREMENTS WHERE host = 'a' AND dc = 'y'"), measurements(R"(["cpu"])"));
  EXPECT_EQ(ask("SHOW MEASUREMENTS WHERE host =~ /c/ OR dc = 'x'"), measurements(R"(["cpu"],["mem"])"));
  EXPECT_EQ(ask("SHOW MEASUREMENTS WHERE host != 'b'"), measurements(R"(["mem"])"));
  EXPECT_EQ(ask("SHOW MEASUREMENTS WHERE nope = ''"), "");
  EXPECT_EQ(ask("SHOW MEASUREMENTS OFFSET 20"), "");
  EXPECT_EQ(ask("SHOW MEASUREMENTS WHERE v = 1"), error("right side of '=' must be a tag value string"));
  EXPECT_EQ(ask("SHOW MEASUREMENTS WHERE time > 0"),
            error("SHOW MEASUREMENTS doesn't support time in WHERE clause"));
}

TEST_F(InfluxqlService, ShowsTagKeys) {
  const std::string cpu = keys("cpu", R"(["dc"],["host"])");
  const std::string mem = keys("mem", R"(["host"])");
  EXPECT_EQ(ask("SHOW TAG KEYS"), cpu + "," + mem);
  EXPECT_EQ(ask("SHOW TAG KEYS FROM /^c/"), cpu);
  EXPECT_EQ(ask("SHOW TAG KEYS FROM \"autogen\".\"cpu\", mem WHERE host = 'c'"), mem);
  EXPECT_EQ(ask("SHOW TAG KEYS WHERE time > now() - 9s"), cpu + "," + mem);
  EXPECT_EQ(ask("SHOW TAG KEYS WHERE time > now() - 7s"), "");
  EXPECT_EQ(ask("SHOW TAG KEYS LIMIT 1 OFFSET 1"), keys("cpu", R"(["host"])"));
  EXPECT_EQ(ask("SHOW TAG KEYS ON nope"), error("database not found: nope"));
}

TEST_F(InfluxqlService, ShowsTagValues) {
  const std::string cpu = hosts("cpu", R"(["host","a"],["host","b"])");
  const std::string mem = hosts("mem", R"(["host","a"],["host","c"])");
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host"), cpu + "," + mem);
  EXPECT_EQ(ask("SHOW TAG VALUES FROM cpu WITH KEY IN (host, dc)"),
            hosts("cpu", R"(["dc","x"],["dc","y"],["host","a"],["host","b"])"));
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY != host"), hosts("cpu", R"(["dc","x"],["dc","y"])"));
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY !~ /h/"), hosts("cpu", R"(["dc","x"],["dc","y"])"));
  EXPECT_EQ(ask("SHOW TAG VALUES FROM mem WITH KEY =~ /h.*/"), mem);
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE \"dc\"::tag = 'x'"), hosts("cpu", R"(["host","a"])"));
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE dc = ''"), mem);
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE (dc !~ /x/ AND host =~ /^(b|c)$/)"),
            hosts("cpu", R"(["host","b"])") + "," + hosts("mem", R"(["host","c"])"));
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE v = 1"), cpu + "," + mem);
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host LIMIT 1 OFFSET 1"),
            hosts("cpu", R"(["host","b"])") + "," + hosts("mem", R"(["host","c"])"));
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = nope"), "");
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE dc > 'x'"), error("invalid tag comparison operator"));
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE 'x' = dc"),
            error("left side of '=' must be a tag key"));
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE dc"), error("invalid condition expression: dc"));
}

// InfluxDB looks at shards of a week; here rows count.
TEST_F(InfluxqlService, ShowsTagValuesOfARangeOfTime) {
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE time >= 2s"),
            hosts("cpu", R"(["host","b"])") + "," + hosts("mem", R"(["host","c"])"));
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE 1970-01-01 < time"),
            hosts("cpu", R"(["host","a"],["host","b"])") + "," + hosts("mem", R"(["host","a"],["host","c"])"))
      << "a difference of integers is a time";
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE time > '1970-01-01T00:00:02Z' AND host = 'c'"),
            hosts("mem", R"(["host","c"])"));
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE time = 1000000000 AND dc = 'x'"),
            hosts("cpu", R"(["host","a"])"));
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE time < 5 AND time > 9"), "");
  EXPECT_EQ(ask("SHOW TAG VALUES WITH KEY = host WHERE time > 'foo'"),
            error("invalid operation: time and *influxql.StringLiteral are not compatible"));
}

TEST_F(InfluxqlService, ShowsFieldKeys) {
  EXPECT_EQ(ask("SHOW FIELD KEYS FROM cpu"),
            one("cpu", R"("fieldKey","fieldType")",
                R"(["b","boolean"],["i","integer"],["s","string"],["v","float"],["w","float"])"));
  EXPECT_EQ(ask("SHOW FIELD KEYS LIMIT 2 OFFSET 1"),
            one("cpu", R"("fieldKey","fieldType")", R"(["i","integer"],["s","string"])"));
  EXPECT_EQ(ask("SHOW FIELD KEYS FROM d.foo.cpu"), error("retention policy not found: foo"));
  EXPECT_EQ(ask("SHOW FIELD KEYS FROM nope..cpu"), error("database not found: nope"));
}

TEST_F(InfluxqlService, ShowsSeries) {
  EXPECT_EQ(ask("SHOW SERIES"),
            series(R"(["cpu,dc=x,host=a"],["cpu,dc=y,host=b"],["disk"],["mem,host=a"],["mem,host=c"])"));
  EXPECT_EQ(ask("SHOW SERIES FROM mem, cpu WHERE host = 'a'"),
            series(R"(["cpu,dc=x,host=a"],["mem,host=a"])"));
  EXPECT_EQ(ask("SHOW SERIES LIMIT 2 OFFSET 1"), series(R"(["cpu,dc=y,host=b"],["disk"])"));
  engine_.insert("d", "a b", 1, {{"k,y", "v=1 2"}}, {{"v", 1.0}});
  EXPECT_EQ(ask("SHOW SERIES LIMIT 1"), series(R"(["a\\ b,k\\,y=v\\=1\\ 2"])"));
}

TEST_F(InfluxqlService, CountsWhatItShows) {
  const auto count = [](const std::string& name, int n) {
    return one(name, R"("count")", "[" + std::to_string(n) + "]");
  };
  EXPECT_EQ(ask("SHOW SERIES CARDINALITY"), one("", R"("cardinality estimation")", "[5]"));
  EXPECT_EQ(ask("SHOW MEASUREMENT CARDINALITY"), one("", R"("cardinality estimation")", "[3]"));
  EXPECT_EQ(ask("SHOW SERIES EXACT CARDINALITY"),
            count("cpu", 2) + "," + count("disk", 1) + "," + count("mem", 2));
  EXPECT_EQ(ask("SHOW MEASUREMENT EXACT CARDINALITY WHERE host = 'a'"), count("", 2));
  EXPECT_EQ(ask("SHOW TAG KEY CARDINALITY"), count("cpu", 2) + "," + count("mem", 1));
  EXPECT_EQ(ask("SHOW TAG VALUES CARDINALITY FROM cpu WITH KEY IN (host, dc)"), count("cpu", 4));
  EXPECT_EQ(ask("SHOW FIELD KEY CARDINALITY FROM cpu"), count("cpu", 5));
}

TEST_F(InfluxqlService, CountsByGroupsOfTags) {
  const auto count = [](const std::string& name, const std::string& tags, int n) {
    const std::string shown = name.empty() ? "" : R"("name":")" + name + "\",";
    return "{" + shown + R"("tags":{)" + tags + R"(},"columns":["count"],"values":[[)" + std::to_string(n) +
           "]]}";
  };
  const std::string none = R"("host":"")";
  const std::string a = R"("host":"a")";
  const std::string b = R"("host":"b")";
  const std::string c = R"("host":"c")";
  EXPECT_EQ(ask("SHOW SERIES CARDINALITY GROUP BY host"), count("cpu", a, 1) + "," + count("cpu", b, 1) +
                                                              "," + count("disk", none, 1) + "," +
                                                              count("mem", a, 1) + "," + count("mem", c, 1));
  EXPECT_EQ(ask("SHOW SERIES CARDINALITY FROM cpu GROUP BY nope"), count("cpu", R"("nope":"")", 2));
  EXPECT_EQ(ask("SHOW SERIES CARDINALITY FROM cpu GROUP BY *"),
            count("cpu", R"("dc":"x","host":"a")", 1) + "," + count("cpu", R"("dc":"y","host":"b")", 1));
  EXPECT_EQ(ask("SHOW SERIES CARDINALITY FROM cpu WHERE dc = 'x' GROUP BY /^h/ LIMIT 1"), count("cpu", a, 1));
  EXPECT_EQ(ask("SHOW SERIES CARDINALITY GROUP BY host OFFSET 1"), "");
  EXPECT_EQ(ask("SHOW MEASUREMENT CARDINALITY GROUP BY host"),
            count("", none, 1) + "," + count("", a, 2) + "," + count("", b, 1) + "," + count("", c, 1));
  EXPECT_EQ(ask("SHOW TAG KEY CARDINALITY FROM cpu, disk GROUP BY host"),
            count("cpu", a, 2) + "," + count("cpu", b, 2));
  EXPECT_EQ(ask("SHOW TAG VALUES CARDINALITY WITH KEY = host GROUP BY dc"),
            count("cpu", R"("dc":"x")", 1) + "," + count("cpu", R"("dc":"y")", 1) + "," +
                count("mem", R"("dc":"")", 2));
  EXPECT_EQ(ask("SHOW FIELD KEY CARDINALITY FROM cpu GROUP BY host"),
            count("cpu", a, 5) + "," + count("cpu", b, 5));
  EXPECT_EQ(ask("SHOW SERIES CARDINALITY GROUP BY time(1m)"),
            error("a cardinality can be grouped by tags only"));
}

TEST_F(InfluxqlService, ShowsDatabasesAndTheirOnePolicy) {
  EXPECT_EQ(ask("SHOW DATABASES"), one("databases", R"("name")", R"(["d"],["varve"])"));
  EXPECT_EQ(ask("CREATE DATABASE \"new one\""), "");
  EXPECT_EQ(ask("SHOW DATABASES"), one("databases", R"("name")", R"(["d"],["new one"],["varve"])"));
  EXPECT_EQ(ask("SHOW RETENTION POLICIES ON \"new one\""),
            one("", R"("name","duration","shardGroupDuration","replicaN","default")",
                R"(["autogen","0s","168h0m0s",1,true])"));
  EXPECT_EQ(ask("SHOW RETENTION POLICIES ON nope"), error("database not found: nope"));
  EXPECT_EQ(ask("DROP DATABASE \"new one\""), "");
  EXPECT_EQ(ask("SHOW DATABASES"), one("databases", R"("name")", R"(["d"],["varve"])"));
  EXPECT_EQ(ask("CREATE DATABASE \"\""), error("invalid name"));
  EXPECT_THAT(ask("CREATE DATABASE x WITH DURATION 1h"), HasSubstr(R"("messages":[{"level":"warning")"));
  run_.request.query.may_change = false;
  EXPECT_EQ(
      ask("CREATE DATABASE \"x y\""),
      R"(,"messages":[{"level":"warning","text":"deprecated use of 'CREATE DATABASE \"x y\"' in a read only )"
      R"(context, please use a POST request instead"}])");
}

TEST_F(InfluxqlService, NeedsADatabase) {
  run_.request.database = "";
  for (const char* text : {"SHOW MEASUREMENTS", "SHOW TAG KEYS", "SHOW SERIES", "SHOW SERIES CARDINALITY",
                           "SHOW RETENTION POLICIES", "DELETE WHERE time < 5"}) {
    EXPECT_EQ(ask(text), error("database name required")) << text;
  }
  EXPECT_EQ(ask("SHOW MEASUREMENTS ON d LIMIT 1"), measurements(R"(["cpu"])"));
}

TEST_F(InfluxqlService, ListsWhatItDoesNotHaveAsEmpty) {
  EXPECT_EQ(ask("SHOW USERS"), R"({"columns":["user","admin"]})");
  EXPECT_EQ(ask("SHOW CONTINUOUS QUERIES"),
            R"({"name":"d","columns":["name","query"]},{"name":"varve","columns":["name","query"]})");
  EXPECT_EQ(ask("SHOW SUBSCRIPTIONS"), "");
  EXPECT_THAT(ask("SHOW SHARDS"), HasSubstr(R"({"name":"d","columns":["id","database")"));
  EXPECT_THAT(ask("SHOW SHARD GROUPS"), StartsWith(R"({"name":"shard groups","columns":["id")"));
  EXPECT_EQ(ask("SHOW GRANTS FOR u"), error("user not found"));
  EXPECT_THAT(ask("SHOW STATS"), HasSubstr("/metrics"));
  EXPECT_THAT(ask("CREATE USER u WITH PASSWORD 'p'"), HasSubstr("users are not kept here"));
  EXPECT_EQ(ask("CREATE RETENTION POLICY a ON d DURATION INF REPLICATION 1"), "");
}

TEST_F(InfluxqlService, ShowsAndKillsQueries) {
  EXPECT_EQ(ask("SHOW QUERIES"), one("", R"("qid","query","database","duration","status")",
                                     R"([1,"SHOW QUERIES","","0s","running"])"));
  EXPECT_EQ(ask("KILL QUERY 99"), error("no such query id: 99"));
  EXPECT_EQ(ask("KILL QUERY 3"), "") << "a query may end itself";
  run_.request.query.may_change = false;
  EXPECT_EQ(ask("KILL QUERY 99"), error("this statement stops a query: send it in a POST request"));
}

TEST_F(InfluxqlService, DeletesRowsOnlyWhenItMay) {
  EXPECT_EQ(ask("DELETE FROM cpu WHERE host = 'a' AND time <= 1s"), "");
  EXPECT_EQ(ask("SHOW SERIES"), series(R"(["cpu,dc=y,host=b"],["disk"],["mem,host=a"],["mem,host=c"])"));
  EXPECT_EQ(ask("DELETE WHERE time > 2s"), "");
  EXPECT_EQ(ask("SHOW SERIES"), series(R"(["cpu,dc=y,host=b"],["disk"],["mem,host=a"])"));
  EXPECT_EQ(ask("DROP SERIES WHERE host = 'a'"), "");
  EXPECT_EQ(ask("SHOW SERIES"), series(R"(["cpu,dc=y,host=b"],["disk"])"));
  EXPECT_EQ(ask("DROP MEASUREMENT disk"), "");
  EXPECT_EQ(ask("DROP MEASUREMENT nope"), "");
  EXPECT_EQ(ask("DELETE FROM /c/ WHERE time < 5 AND time > 9"), "");
  EXPECT_EQ(ask("SHOW SERIES"), series(R"(["cpu,dc=y,host=b"])"));
  EXPECT_EQ(ask("DELETE FROM cpu WHERE v = 1"),
            error("fields not supported in WHERE clause during deletion"));
  EXPECT_EQ(ask("DELETE FROM cpu WHERE w = 'x'"),
            error("fields not supported in WHERE clause during deletion"));
  EXPECT_EQ(ask("DROP SERIES WHERE time < 5"), error("DROP SERIES doesn't support time in WHERE clause"));
  run_.request.query.may_change = false;
  for (const char* text :
       {"DELETE FROM cpu", "DROP SERIES FROM cpu", "DROP MEASUREMENT cpu", "DROP DATABASE d"}) {
    EXPECT_EQ(ask(text), error("this statement deletes rows: send it in a POST request")) << text;
  }
  run_.request.query.may_change = true;
  EXPECT_EQ(ask("DROP DATABASE d"), "");
  EXPECT_EQ(ask("SHOW MEASUREMENTS"), "");
  EXPECT_EQ(ask("SHOW DATABASES"), one("databases", R"("name")", R"(["varve"])"));
}

TEST_F(InfluxqlService, StopsAtTheFirstStatementThatFails) {
  EXPECT_EQ(run_("SHOW DATABASES; SHOW TAG KEYS ON nope; SHOW DATABASES"),
            R"({"results":[{"statement_id":0,"series":[{"name":"databases","columns":["name"],"values":)"
            R"([["d"],["varve"]]}]},{"statement_id":1,"error":"database not found: nope"},)"
            R"({"statement_id":2,"error":"not executed"}]})"
            "\n");
}

TEST_F(InfluxqlService, TellsErrorsOfSelectThatParse) {
  EXPECT_EQ(ask("SELECT mean(v) FROM cpu GROUP BY time"),
            error("time() is a function and expects at least one argument"));
  EXPECT_EQ(ask("SELECT mean(m) FROM (SELECT mean(v) AS m FROM cpu GROUP BY time(5))"),
            error("time dimension must have duration argument"));
  EXPECT_THAT(ask("SELECT v INTO x FROM cpu"), HasSubstr("INTO is not supported"));
}

TEST_F(InfluxqlService, ShowsTimesOnTheClockOfTheZone) {
  EXPECT_EQ(ask("SELECT v FROM cpu WHERE host = 'a' tz('Europe/Paris')"),
            one("cpu", R"("time","v")", R"(["1970-01-01T01:00:01+01:00",1])"));
  run_.request.epoch_ns = kNsPerSecond;
  EXPECT_EQ(ask("SELECT v FROM cpu WHERE host = 'a' tz('Europe/Paris')"),
            one("cpu", R"("time","v")", "[1,1]"));
  EXPECT_EQ(run_("SELECT v FROM cpu tz('Nowhere/X')"),
            "error parsing query: unable to find time zone Nowhere/X");
}

TEST_F(InfluxqlService, CountsRowsOfSelectOnce) {
  QueryOptions options;
  options.max_rows = 2;
  test::InfluxqlRunner few(engine_, options, clock_);
  EXPECT_THAT(few("SELECT v FROM cpu"), HasSubstr("values"));
  EXPECT_THAT(few("SELECT v FROM cpu; SHOW DATABASES"), HasSubstr("query.max_rows = 2"));
}

TEST_F(InfluxqlService, ExplainsWhatIsRead) {
  EXPECT_THAT(ask("EXPLAIN ANALYZE SELECT v FROM cpu GROUP BY host"),
              HasSubstr(R"(["SERIES: 2"],["ROWS: 2"])"));
  EXPECT_EQ(ask("EXPLAIN SELECT v FROM cpu, (SELECT used FROM /m/)"),
            one("", R"("QUERY PLAN")",
                R"~(["MEASUREMENT: d.cpu (about 2 rows, 2 series)"],["SUB-QUERY"],)~"
                R"~(["  MEASUREMENT: d.mem (about 2 rows, 2 series)"])~"));
}

TEST_F(InfluxqlService, KeepsWithinTheBudget) {
  QueryOptions options;
  options.max_rows = 4;
  test::InfluxqlRunner few(engine_, options, clock_);
  EXPECT_THAT(few("SHOW SERIES"),
              HasSubstr(R"({"statement_id":0,"error":"the result has more than query.max_rows = 4)"));
  EXPECT_THAT(few("SHOW SERIES LIMIT 4"), HasSubstr("mem,host=a"));
  options = {};
  options.max_memory_bytes = 60;
  test::InfluxqlRunner small(engine_, options, clock_);
  EXPECT_THAT(small("SHOW SERIES"), HasSubstr("query.max_memory"));
  EXPECT_THAT(small("SHOW TAG VALUES WITH KEY = host"), HasSubstr("query.max_memory"));
}

TEST_F(InfluxqlService, TellsWhatTheStoreCannotRead) {
  engine_.scan_failure = "segment 5, block 2: checksum";
  engine_.block_rows = 1;
  EXPECT_THAT(ask("SHOW SERIES"), HasSubstr("segment 5, block 2"));
}

TEST_F(InfluxqlService, StopsWhenTheReaderIsGone) {
  for (int i = 0; i < 20'000; ++i) {
    engine_.insert("d", "many", 1, {{"tag", "value " + std::to_string(i)}}, {{"v", 1.0}});
  }
  auto statements = parse_influxql("SHOW SERIES; SHOW SERIES");
  int pieces = 0;
  const auto outcome = run_.service().run(run_.request, std::move(*statements), [&](std::string_view) {
    ++pieces;
    return false;
  });
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(*outcome);
  EXPECT_EQ(pieces, 1);
  EXPECT_TRUE(run_.queries().running().empty());
}

}  // namespace
}  // namespace varve::influxql
