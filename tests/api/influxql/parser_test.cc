#include "api/influxql/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/api/influxql/expr_text.h"
#include "tests/api/influxql/statement_texts.h"

namespace varve::influxql {
namespace {

using test::expr_text;
using ::testing::HasSubstr;

std::string error_of(std::string_view text, const Parameters& parameters = {}) {
  const auto parsed = parse_influxql(text, parameters);
  return parsed ? "ok" : parsed.error().message;
}

template <class T>
T only(std::string_view text, const Parameters& parameters = {}) {
  auto parsed = parse_influxql(text, parameters);
  if (!parsed) {
    ADD_FAILURE() << text << ": " << parsed.error().message;
    return {};
  }
  EXPECT_EQ(parsed->size(), 1U);
  EXPECT_TRUE(std::holds_alternative<T>(parsed->front())) << text;
  return std::move(std::get<T>(parsed->front()));
}

SelectStatement select(std::string_view text, const Parameters& parameters = {}) {
  return only<SelectStatement>(text, parameters);
}

std::string field(std::string_view text) {
  return expr_text(*select("SELECT " + std::string(text) + " FROM m").fields.at(0).expr);
}
std::string where(std::string_view text, const Parameters& parameters = {}) {
  return expr_text(*select("SELECT v FROM m WHERE " + std::string(text), parameters).condition);
}

TEST(InfluxqlParser, SaysWhatInfluxDbSays) {
  const auto texts = test::statement_texts();
  EXPECT_GT(texts.size(), 300U);
  for (const test::StatementText& text : texts) {
    const std::string expected = text.outcome == "ok" ? "ok" : "error parsing query: " + text.outcome;
    EXPECT_EQ(error_of(text.statement), expected) << text.statement;
  }
}

TEST(InfluxqlParser, CountsLinesAndCharacters) {
  EXPECT_EQ(error_of("SELECT v,\nw foo"), "error parsing query: found foo, expected FROM at line 2, char 3");
  EXPECT_EQ(error_of("SELECT v,\r\nw foo"),
            "error parsing query: found foo, expected FROM at line 2, char 3");
  EXPECT_EQ(error_of("SELECT v FROM m -- x\nfoo"),
            "error parsing query: found foo, expected ; at line 2, char 1");
  EXPECT_EQ(error_of("SELECT v, '\xc3\xa9' foo"),
            "error parsing query: found foo, expected FROM at line 1, char 15");
  const auto parsed = parse_influxql("SELECT v,\nw foo");
  EXPECT_EQ(parsed.error().position, 12U);
  EXPECT_EQ(parsed.error().code, "influxql_syntax");
}

TEST(InfluxqlParser, BindsOperatorsAsInfluxDb) {
  EXPECT_EQ(field("a + b * c - d"), "((a + (b * c)) - d)");
  EXPECT_EQ(field("a * b / c % d"), "(((a * b) / c) % d)");
  EXPECT_EQ(field("a & b | c ^ d"), "(((a & b) | c) ^ d)");
  EXPECT_EQ(field("(a + b) * 2"), "([(a + b)] * 2)");
  EXPECT_EQ(where("a = 1 OR b = 2 AND c > 3 + 4"), "((a = 1) or ((b = 2) and (c > (3 + 4))))");
  EXPECT_EQ(where("a =~ /x/ and b !~ /y\\/z/"), "((a =~ /x/) and (b !~ /y/z/))");
  EXPECT_EQ(where("a <> 'b' and c != 1.5"), "((a != 'b') and (c != 1.5f))");
}

TEST(InfluxqlParser, FoldsSignsIntoNumbers) {
  EXPECT_EQ(field("-5 + v"), "(-5 + v)");
  EXPECT_EQ(field("v - -2.5"), "(v - -2.5f)");
  EXPECT_EQ(field("-v"), "(-1 * v)");
  EXPECT_EQ(field("+(v)"), "(1 * [v])");
  EXPECT_EQ(field("v + -9223372036854775808"), "(v + -9223372036854775808)");
  EXPECT_EQ(where("time > -1h"), "(time > -3600000000000ns)");
  EXPECT_EQ(field("v * 18446744073709551615"), "(v * 1.8446744073709552e+19f)");
}

TEST(InfluxqlParser, ReadsLiterals) {
  EXPECT_EQ(where("time > now() - 1h30m"), "(time > (now() - 5400000000000ns))");
  EXPECT_EQ(
      where("a = 5u or a = 5\xc2\xb5 or a = 7ns or a = 2ms or a = 1w2d"),
      "((((a = 5000ns) or (a = 5000ns)) or (a = 7ns)) or ((a = 2000000ns) or (a = 777600000000000ns)))");
  EXPECT_EQ(where(R"(s = 'it\'s \"\\ \n')"), "(s = 'it's \"\\ \n')");
  EXPECT_EQ(where("b = TRUE and c = false"), "((b = true) and (c = false))");
  EXPECT_EQ(where("a = .5 and b = 1."), "((a = 0.5f) and (b = 1f))");
  EXPECT_EQ(field(R"("a \"b\\")"), R"(a "b\)");
  EXPECT_EQ(field("a.b.\"c d\""), "a.b.c d");
  EXPECT_EQ(field("Mean(V)"), "mean(V)");
}

TEST(InfluxqlParser, ReadsFieldsWithCastsAliasesAndRegexes) {
  const SelectStatement read = select(
      "select v::field, host::tag AS h, /re.*/, *, *::tag, top(v, host, 3), distinct x, count(distinct(v)), "
      "percentile(/^a/, 95) from m");
  std::vector<std::string> texts;
  for (const Field& one : read.fields) texts.push_back(expr_text(*one.expr));
  EXPECT_EQ(texts,
            (std::vector<std::string>{"v::field", "host::tag", "/re.*/", "*", "*::tag", "top(v, host, 3)",
                                      "distinct(x)", "count(distinct(v))", "percentile(/^a/, 95)"}));
  EXPECT_EQ(read.fields[1].alias, "h");
  EXPECT_EQ(read.fields[0].alias, "");
}

TEST(InfluxqlParser, ReadsSources) {
  const SelectStatement read = select(
      "SELECT v FROM m, rp.m, db.rp.m, db..m, /re/, rp./re/, db.rp./re/, db../re/, (SELECT mean(v) FROM "
      "inner)");
  const auto text = [](const Source& source) {
    return fmt::format("{}|{}|{}|{}", source.database, source.retention_policy, source.name, source.is_regex);
  };
  std::vector<std::string> texts;
  for (const Source& source : read.sources) texts.push_back(text(source));
  EXPECT_EQ(texts,
            (std::vector<std::string>{"||m|false", "|rp|m|false", "db|rp|m|false", "db||m|false", "||re|true",
                                      "|rp|re|true", "db|rp|re|true", "db||re|true", "|||false"}));
  ASSERT_TRUE(read.sources[8].subquery);
  EXPECT_EQ(read.sources[8].subquery->sources[0].name, "inner");
}

TEST(InfluxqlParser, ReadsWhatFollowsTheCondition) {
  const SelectStatement read = select(
      "SELECT mean(v) FROM m WHERE h = 'a' GROUP BY time(10s, -2s), host, \"d c\", *, /t.*/ fill(previous) "
      "ORDER BY time DESC LIMIT 1 OFFSET 2 SLIMIT 3 SOFFSET 4 tz('Europe/Paris')");
  ASSERT_TRUE(read.time_dimension);
  EXPECT_EQ(read.time_dimension->interval_ns, 10'000'000'000);
  EXPECT_EQ(read.time_dimension->offset_ns, -2'000'000'000);
  ASSERT_EQ(read.dimensions.size(), 4U);
  EXPECT_EQ(read.dimensions[1].text, "d c");
  EXPECT_EQ(read.dimensions[2].kind, Dimension::Kind::kAll);
  EXPECT_EQ(read.dimensions[3].kind, Dimension::Kind::kRegex);
  EXPECT_EQ(read.fill.kind, Fill::Kind::kPrevious);
  EXPECT_TRUE(read.descending);
  EXPECT_EQ(read.limit, 1);
  EXPECT_EQ(read.offset, 2);
  EXPECT_EQ(read.series_limit, 3);
  EXPECT_EQ(read.series_offset, 4);
  EXPECT_EQ(read.time_zone, "Europe/Paris");
  EXPECT_TRUE(select("SELECT v INTO x FROM m").into);
  EXPECT_TRUE(select("SELECT v INTO db.rp.:MEASUREMENT FROM m").into);
  EXPECT_TRUE(select("SELECT mean(v) FROM m GROUP BY time(1h, now())").time_dimension->offset_is_now);
}

TEST(InfluxqlParser, ReadsFills) {
  const auto fill = [](const std::string& argument) {
    return select("SELECT mean(v) FROM m GROUP BY time(1s) fill(" + argument + ")").fill;
  };
  EXPECT_EQ(select("SELECT v FROM m").fill.kind, Fill::Kind::kDefault);
  EXPECT_EQ(fill("null").kind, Fill::Kind::kNull);
  EXPECT_EQ(fill("none").kind, Fill::Kind::kNone);
  EXPECT_EQ(fill("linear").kind, Fill::Kind::kLinear);
  EXPECT_EQ(fill("-3").number, -3);
  EXPECT_TRUE(fill("7").whole);
  EXPECT_FALSE(fill("7.5").whole);
}

TEST(InfluxqlParser, KeepsErrorsOfDimensionsForTheirExecution) {
  const auto problem = [](const std::string& dimensions) {
    return select("SELECT mean(v) FROM m GROUP BY " + dimensions).dimension_error;
  };
  EXPECT_EQ(problem("time"), "time() is a function and expects at least one argument");
  EXPECT_EQ(problem("time()"), "time dimension expected 1 or 2 arguments");
  EXPECT_EQ(problem("time(10)"), "time dimension must have duration argument");
  EXPECT_EQ(problem("time(1s, 5)"), "time dimension offset must be duration or now()");
  EXPECT_EQ(problem("time(1s, f())"), "time dimension offset function must be now()");
  EXPECT_EQ(problem("time(1s, now(1))"), "time dimension offset now() function requires no arguments");
  EXPECT_EQ(problem("time(1s), time(2s)"), "multiple time dimensions not allowed");
  EXPECT_EQ(problem("foo(1s)"), "only time() calls allowed in dimensions");
  EXPECT_EQ(problem("host + 1"), "only time and tag dimensions allowed");
  EXPECT_EQ(problem("host"), "");
}

TEST(InfluxqlParser, ReplacesParameters) {
  const Parameters parameters{
      {"s", {TokenKind::kString, "it's"}},    {"n", {TokenKind::kInteger, "-5"}},
      {"f", {TokenKind::kNumber, "1.5"}},     {"b", {TokenKind::kKeyword, "TRUE"}},
      {"d", {TokenKind::kDuration, "1h"}},    {"r", {TokenKind::kRegex, "^x"}},
      {"i", {TokenKind::kName, "host name"}}, {"bad", {TokenKind::kBad, "what it was"}}};
  EXPECT_EQ(where("a = $s and b = $n and c = $f and d = $b", parameters),
            "(((a = 'it's') and (b = -5)) and ((c = 1.5f) and (d = true)))");
  EXPECT_EQ(where("time > now() - $d and h =~ $r and $i = 'x'", parameters),
            "(((time > (now() - 3600000000000ns)) and (h =~ /^x/)) and (host name = 'x'))");
  EXPECT_EQ(error_of("SELECT v FROM m WHERE a = $nope", parameters),
            "error parsing query: missing parameter: nope");
  EXPECT_EQ(error_of("SELECT v FROM m WHERE a = $bad", parameters),
            "error parsing query: missing parameter: what it was");
  EXPECT_EQ(error_of("SELECT v FROM m WHERE a = $", parameters),
            "error parsing query: empty bound parameter");
  EXPECT_THAT(error_of("SELECT v FROM m WHERE a =~ $s", parameters), HasSubstr("found it's, expected regex"));
}

TEST(InfluxqlParser, ReadsTheShowFamily) {
  const auto show = [](std::string_view text) { return only<ShowStatement>(text); };
  EXPECT_EQ(show("SHOW MEASUREMENTS ON d WITH MEASUREMENT =~ /c/ LIMIT 5 OFFSET 2").limit, 5);
  const ShowStatement values =
      show("SHOW TAG VALUES ON d FROM m WITH KEY IN (a, \"b c\") WHERE host = 'x' ORDER BY time LIMIT 3");
  EXPECT_EQ(values.what, ShowWhat::kTagValues);
  EXPECT_EQ(values.database, "d");
  EXPECT_EQ(values.key_op, "IN");
  EXPECT_EQ(values.keys, (std::vector<std::string>{"a", "b c"}));
  EXPECT_EQ(expr_text(*values.condition), "(host = 'x')");
  EXPECT_EQ(show("SHOW TAG VALUES WITH KEY !~ /a/").key_op, "!~");
  const ShowStatement exact = show("SHOW TAG KEY EXACT CARDINALITY FROM m GROUP BY host");
  EXPECT_EQ(exact.what, ShowWhat::kTagKeyCardinality);
  EXPECT_TRUE(exact.exact);
  ASSERT_EQ(exact.dimensions.size(), 1U);
  EXPECT_EQ(show("SHOW SERIES EXACT").what, ShowWhat::kSeries);
  EXPECT_EQ(show("SHOW SHARD GROUPS").what, ShowWhat::kShardGroups);
  EXPECT_EQ(show("SHOW STATS FOR 'x'").what, ShowWhat::kStats);
}

TEST(InfluxqlParser, ReadsStatementsThatChange) {
  EXPECT_EQ(only<CreateDatabaseStatement>("CREATE DATABASE \"a b\"").name, "a b");
  EXPECT_TRUE(only<CreateDatabaseStatement>(
                  "CREATE DATABASE a WITH DURATION 1h REPLICATION 1 SHARD DURATION 1h NAME rp")
                  .with_policy);
  EXPECT_EQ(only<DropStatement>("DROP SERIES FROM a, /b/ WHERE h = 'x'").sources.size(), 2U);
  EXPECT_EQ(only<DropStatement>("DELETE WHERE time < 5").what, DropStatement::What::kDelete);
  EXPECT_EQ(only<KillQueryStatement>("KILL QUERY 18446744073709551615").id, UINT64_MAX);
  EXPECT_TRUE(only<ExplainStatement>("EXPLAIN ANALYZE SELECT v FROM m").analyze);
}

TEST(InfluxqlParser, NamesWhatItOnlyUnderstands) {
  const auto reason = [](std::string_view text) { return only<AcceptedStatement>(text).reason; };
  EXPECT_EQ(reason("CREATE RETENTION POLICY a ON d DURATION INF REPLICATION 1 SHARD DURATION 1h DEFAULT"),
            "");
  for (const char* text :
       {"CREATE RETENTION POLICY a ON d DURATION 1h REPLICATION 1",
        "ALTER RETENTION POLICY a ON d DEFAULT DURATION 1h", "DROP RETENTION POLICY a ON d",
        "CREATE USER u WITH PASSWORD 'p' WITH ALL PRIVILEGES", "DROP USER u", "SET PASSWORD FOR u = 'p'",
        "GRANT ALL PRIVILEGES TO u", "GRANT READ ON d TO u", "REVOKE ALL ON d FROM u",
        "CREATE CONTINUOUS QUERY q ON d BEGIN SELECT mean(v) INTO x FROM m GROUP BY time(1h) END",
        "DROP CONTINUOUS QUERY q ON d", "CREATE SUBSCRIPTION s ON d.rp DESTINATIONS ALL 'udp://h:1'",
        "DROP SUBSCRIPTION s ON d.rp", "DROP SHARD 5"}) {
    EXPECT_NE(reason(text), "") << text;
  }
}

TEST(InfluxqlParser, SeparatesStatements) {
  EXPECT_EQ(parse_influxql("")->size(), 0U);
  EXPECT_EQ(parse_influxql(";; SHOW DATABASES ;/* a */ SELECT v FROM m;")->size(), 2U);
  std::string many;
  for (size_t i = 0; i <= kStatementsMax; ++i) many += "SHOW DATABASES;";
  EXPECT_THAT(error_of(many), HasSubstr("more than 1000 statements"));
}

TEST(InfluxqlParser, BoundsDepthAndSize) {
  const auto many = [](size_t count, std::string_view text) {
    std::string all;
    while (count-- > 0) all += text;
    return all;
  };
  for (const std::string& deep :
       {"SELECT " + many(1'000'000, "("), "SELECT " + many(300, "f("), "SELECT " + many(100'000, "- "),
        "SELECT " + many(100'000, "-"), "SELECT v FROM " + many(100'000, "(SELECT v FROM "),
        "SELECT " + many(1000, "a + ") + "a FROM m", "SELECT v FROM m WHERE " + many(500, "-(") + "1"}) {
    const auto parsed = parse_influxql(deep);
    ASSERT_FALSE(parsed) << deep.substr(0, 40);
    EXPECT_EQ(parsed.error().kind, QueryErrorKind::kInvalid);
  }
  EXPECT_EQ(parse_influxql("SELECT " + many(1'000'000, "(")).error().code, "influxql_too_deep");
  EXPECT_EQ(parse_influxql(many(2'000'000, " ")).error().code, "influxql_too_large");
  EXPECT_EQ(error_of("SELECT v FROM m WHERE " + many(20'000, "h = 'a' OR ") + "h = 'b'"), "ok");
}

}  // namespace
}  // namespace varve::influxql
