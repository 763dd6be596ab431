#include "api/sql/parser.h"

#include <gtest/gtest.h>

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
  EXPECT_EQ(failure("SELECT '" + std::string(kSqlBytesMax, 'x') + "'"), "sql_too_large at 0");
  EXPECT_EQ(failure("SELECT " + std::string(255, '(') + "1" + std::string(255, ')')), "ok");
  EXPECT_EQ(failure("SELECT a" + repeated(" OR a", 5'000)), "ok");
}

}  // namespace
}  // namespace varve
