#include "api/sql/parser.h"

#include <gtest/gtest.h>

#include "api/sql/print.h"

namespace varve {
namespace {

// The tree as text with every operator in parentheses.
std::string shown(const AstExpr& expr) {
  std::string text;
  switch (expr.kind) {
    case AstKind::kColumn:
      return expr.qualifier.empty() ? expr.name : expr.qualifier + "." + expr.name;
    case AstKind::kParameter:
      return "$" + expr.name;
    case AstKind::kLiteral:
      if (const auto* whole = std::get_if<int64_t>(&expr.value)) return std::to_string(*whole);
      if (const auto* real = std::get_if<double>(&expr.value)) return std::to_string(*real);
      if (const auto* string = std::get_if<std::string>(&expr.value)) return "'" + *string + "'";
      if (const auto* flag = std::get_if<bool>(&expr.value)) return *flag ? "true" : "false";
      return "null";
    case AstKind::kAnd:
      text = "and";
      break;
    case AstKind::kOr:
      text = "or";
      break;
    case AstKind::kNot:
      text = "not";
      break;
    case AstKind::kIsNull:
      text = "isnull";
      break;
    case AstKind::kBetween:
      text = "between";
      break;
    case AstKind::kIn:
      text = "in";
      break;
    case AstKind::kLike:
      text = "like";
      break;
    case AstKind::kCase:
      text = "case";
      break;
    case AstKind::kCast:
      text = "cast:" + expr.name;
      break;
    case AstKind::kCall:
      text = expr.name + (expr.star ? "*" : expr.distinct ? "!" : "");
      break;
    default:
      text = expr.op;
  }
  if (expr.negated) text = "!" + text;
  text = "(" + text;
  for (const AstPtr& child : expr.children) text += " " + shown(*child);
  return text + ")";
}

std::string parsed(const std::string& expression) {
  auto statement = parse_sql("SELECT " + expression);
  if (!statement) return statement.error().code + ": " + statement.error().message;
  return shown(*std::get<SelectStatement>(*statement).items[0].expr);
}

std::string failure(const std::string& sql) {
  auto statement = parse_sql(sql);
  return statement ? "ok"
                   : statement.error().code + " at " + std::to_string(statement.error().position.value());
}

std::string repeated(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

TEST(SqlParser, BindsOperatorsAsSqliteDoes) {
  EXPECT_EQ(parsed("1 + 2 * 3"), "(+ 1 (* 2 3))");
  EXPECT_EQ(parsed("a - b - c"), "(- (- a b) c)");
  EXPECT_EQ(parsed("NOT a = 1 AND b OR c"), "(or (and (not (= a 1)) b) c)");
  EXPECT_EQ(parsed("a = b < c"), "(= a (< b c))");
  EXPECT_EQ(parsed("a || b + 1"), "(+ (|| a b) 1)");
  EXPECT_EQ(parsed("-a * b"), "(* (- a) b)");
  EXPECT_EQ(parsed("a BETWEEN 1 AND 2 AND b"), "(and (between a 1 2) b)");
  EXPECT_EQ(parsed("a NOT IN (1, 2) OR b NOT LIKE 'x'"), "(or (!in a 1 2) (!like b 'x'))");
  EXPECT_EQ(parsed("a IS NOT NULL = b"), "(= (!isnull a) b)");
  EXPECT_EQ(parsed("x::double + 1"), "(+ (cast:double x) 1)");
}

TEST(SqlParser, ReadsLiteralsNamesAndCalls) {
  EXPECT_EQ(parsed("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(parsed("9223372036854775808"), "9223372036854775808.000000");
  EXPECT_EQ(parsed("'it''s' "), "'it's'");
  EXPECT_EQ(parsed("\"a \"\"b\"\"\""), "a \"b\"");
  EXPECT_EQ(parsed("t.\"Water Temp\""), "t.Water Temp");
  EXPECT_EQ(parsed("$site /* here */ = -- there\n 'x'"), "(= $site 'x')");
  EXPECT_EQ(parsed("Count(*)"), "(count*)");
  EXPECT_EQ(parsed("count(DISTINCT a)"), "(count! a)");
  EXPECT_EQ(parsed("cast(a AS int64)"), "(cast:int64 a)");
  EXPECT_EQ(parsed("CASE a WHEN 1 THEN 2 ELSE 3 END"), "(case a 1 2 3)");
}

TEST(SqlParser, KeepsTheTextOfItems) {
  auto statement = parse_sql(
      "SELECT  1 +  2 , ( a ) x, b AS \"B\" FROM db.t AS u ORDER BY 1 DESC NULLS LAST LIMIT 5 OFFSET 2;");
  ASSERT_TRUE(statement);
  const auto& select = std::get<SelectStatement>(*statement);
  EXPECT_EQ(select.items[0].text, "1 +  2");
  EXPECT_EQ(select.items[1].text, "( a )");
  EXPECT_EQ(select.items[1].alias, "x");
  EXPECT_EQ(select.items[2].alias, "B");
  EXPECT_EQ(select.from->database, "db");
  EXPECT_EQ(select.from->name, "t");
  EXPECT_EQ(select.from->alias, "u");
  EXPECT_TRUE(select.order_by[0].descending);
  EXPECT_EQ(select.order_by[0].nulls_first, false);
}

TEST(SqlParser, NamesThePlaceOfAMistake) {
  EXPECT_EQ(failure(""), "sql_syntax at 0");
  EXPECT_EQ(failure("   "), "sql_syntax at 3");
  EXPECT_EQ(failure("SELEC 1"), "sql_syntax at 0");
  EXPECT_EQ(failure("SELECT (1"), "sql_syntax at 9");
  EXPECT_EQ(failure("SELECT 1; SELECT 2"), "sql_syntax at 10");
  EXPECT_EQ(failure("SELECT a FROM t WHERE"), "sql_syntax at 21");
  EXPECT_EQ(failure("SELECT a FROM t ORDER time"), "sql_syntax at 22");
  EXPECT_EQ(failure("SELECT a, FROM t"), "sql_syntax at 10");
  EXPECT_EQ(failure("SELECT /* x"), "sql_syntax at 7");
  EXPECT_EQ(failure(std::string("SELECT \x01", 8)), "sql_syntax at 7");
  EXPECT_EQ(failure(std::string("SELECT 1\0 + 1", 13)), "sql_syntax at 8");
}

SelectStatement select_of(const std::string& sql) {
  auto statement = parse_sql(sql);
  EXPECT_TRUE(statement) << statement.error().message;
  return std::move(std::get<SelectStatement>(*statement));
}

TEST(SqlParser, ReadsSampleByAndFill) {
  const SelectStatement bare = select_of("SELECT avg(a) FROM t WHERE b SAMPLE BY 1h30m");
  ASSERT_TRUE(bare.sample_by);
  EXPECT_EQ(shown(*bare.sample_by->width), "'1h30m'");
  EXPECT_EQ(bare.sample_by->position, 29U);
  EXPECT_TRUE(bare.fill.empty());
  EXPECT_EQ(bare.sample_by->zone, nullptr);

  const SelectStatement full = select_of(
      "SELECT avg(a) FROM t sample by $w fill(NONE, Null, prev, LINEAR, -2.5, 'x', $v) "
      "ALIGN TO CALENDAR TIME ZONE 'Europe/Paris' ORDER BY 1");
  ASSERT_EQ(full.fill.size(), 7U);
  const FillTerm::Kind kinds[] = {FillTerm::Kind::kNone,   FillTerm::Kind::kNull,  FillTerm::Kind::kPrevious,
                                  FillTerm::Kind::kLinear, FillTerm::Kind::kValue, FillTerm::Kind::kValue,
                                  FillTerm::Kind::kValue};
  for (size_t i = 0; i < full.fill.size(); ++i) EXPECT_EQ(full.fill[i].kind, kinds[i]) << i;
  EXPECT_EQ(shown(*full.fill[4].value), "-2.500000");
  EXPECT_EQ(shown(*full.fill[6].value), "$v");
  EXPECT_EQ(shown(*full.sample_by->width), "$w");
  EXPECT_EQ(shown(*full.sample_by->zone), "'Europe/Paris'");

  EXPECT_EQ(select_of("SELECT a FROM t GROUP BY a FILL(0) HAVING b ORDER BY a").fill.size(), 1U);
  EXPECT_EQ(select_of("SELECT a FROM t GROUP BY a HAVING b FILL(0) LIMIT 1").fill.size(), 1U);
  EXPECT_EQ(select_of("SELECT sample, latest, fill FROM t sample").from->alias, "sample");
}

TEST(SqlParser, ReadsLatestByAndExplain) {
  EXPECT_EQ(select_of("SELECT * FROM t LATEST BY a, b LIMIT 3").latest_by.size(), 2U);
  EXPECT_EQ(select_of("SELECT * FROM t WHERE c LATEST ON time PARTITION BY a").latest_by.size(), 1U);
  auto explain = parse_sql("explain analyze SELECT a FROM t");
  ASSERT_TRUE(explain);
  EXPECT_TRUE(std::get<ExplainStatement>(*explain).analyze);
  EXPECT_FALSE(std::get<ExplainStatement>(*parse_sql("EXPLAIN SELECT 1")).analyze);
}

// Texts of a parsed tree parse to the same tree.
TEST(SqlPrint, MeansWhatWasParsed) {
  for (const std::string text :
       {"a + b * -c", "(a + b) * c", "NOT (a = 1 AND (b OR c IS NOT NULL))", "x NOT BETWEEN 1 AND 2 + 3",
        "a NOT IN (1, 'it''s', NULL)", "s LIKE 'a!%' ESCAPE '!'", "s !~ '^x'", "t.\"odd name\" IS NOT $p",
        "CASE WHEN a THEN 1 ELSE 2 END || 'x'", "CASE a WHEN 1 THEN 'y' END", "cast(a + 1 AS double)",
        "count(DISTINCT a) - count(*)", "time_bucket('5m', time)", "- (- a)", "1.5 / 2"}) {
    auto first = parse_sql("SELECT " + text);
    ASSERT_TRUE(first) << text;
    const AstExpr& tree = *std::get<SelectStatement>(*first).items[0].expr;
    const std::string printed = sql_text(tree);
    EXPECT_EQ(parsed(printed), shown(tree)) << printed;
  }
  EXPECT_EQ(sql_text(*std::get<SelectStatement>(*parse_sql("SELECT 'ééééé'")).items[0].expr, 6), "'éé...");
}

TEST(SqlParser, SaysWhatItDoesNotDoYet) {
  EXPECT_EQ(failure("SELECT a FROM t JOIN u ON 1"), "unsupported at 16");
  EXPECT_EQ(failure("SELECT a FROM (SELECT 1)"), "unsupported at 14");
  EXPECT_EQ(failure("SELECT a FROM t UNION SELECT 1"), "unsupported at 16");
  EXPECT_EQ(failure("WITH x AS (SELECT 1) SELECT 1"), "unsupported at 0");
  EXPECT_EQ(failure("SELECT a IN (SELECT 1)"), "unsupported at 13");
  EXPECT_EQ(failure("SELECT avg(a) OVER (ORDER BY b) FROM t"), "unsupported at 14");
}

// A million of anything is a clean error within the size limit, never a deep recursion.
TEST(SqlParser, BoundsDepthAndSize) {
  EXPECT_EQ(failure("SELECT " + std::string(1'000'000, '(')), "sql_too_deep at 263");
  EXPECT_EQ(failure("SELECT " + std::string(1'000'000, '-').replace(1, 0, " ")).substr(0, 10),
            "sql_syntax");  // a comment
  EXPECT_EQ(failure("SELECT " + repeated("- ", 500'000)), "sql_too_deep at 519");
  EXPECT_EQ(failure("SELECT " + repeated("NOT ", 250'000)), "sql_too_deep at 1031");
  EXPECT_EQ(failure("SELECT " + repeated("f(", 500'000)).substr(0, 12), "sql_too_deep");
  EXPECT_EQ(failure("SELECT " + repeated("CASE WHEN ", 100'000)).substr(0, 12), "sql_too_deep");
  EXPECT_EQ(failure("SELECT " + repeated("CAST(", 200'000)).substr(0, 12), "sql_too_deep");
  EXPECT_EQ(failure("SELECT 1" + repeated("+1", 400'000)).substr(0, 12), "sql_too_deep");
  EXPECT_EQ(failure("SELECT 1" + repeated("::int", 100'000)).substr(0, 12), "sql_too_deep");
  EXPECT_EQ(failure("SELECT a" + repeated(" OR a", 200'000)).substr(0, 13), "sql_too_large");
  EXPECT_EQ(failure("SELECT a IN (1" + repeated(",1", 400'000) + ")").substr(0, 13), "sql_too_large");
  EXPECT_EQ(failure("SELECT 1" + repeated(",1", 400'000)).substr(0, 13), "sql_too_large");
  EXPECT_EQ(failure("SELECT a FROM t SAMPLE BY " + std::string(1'000'000, '(')).substr(0, 12),
            "sql_too_deep");
  EXPECT_EQ(failure("SELECT a FROM t SAMPLE BY 5m FILL(" + std::string(1'000'000, '(')).substr(0, 12),
            "sql_too_deep");
  EXPECT_EQ(failure("SELECT a FROM t SAMPLE BY 5m FILL(0" + repeated(",0", 400'000)).substr(0, 13),
            "sql_too_large");
  EXPECT_EQ(failure("SELECT a FROM t LATEST BY a" + repeated(",a", 400'000)).substr(0, 13), "sql_too_large");
  EXPECT_EQ(failure("EXPLAIN " + repeated("EXPLAIN ", 100'000)), "sql_syntax at 8");
  EXPECT_EQ(failure("SELECT '" + std::string(kSqlBytesMax, 'x') + "'"), "sql_too_large at 0");
  EXPECT_EQ(failure("SELECT " + std::string(255, '(') + "1" + std::string(255, ')')), "ok");
  EXPECT_EQ(failure("SELECT a" + repeated(" OR a", 5'000)), "ok");
}

}  // namespace
}  // namespace varve
