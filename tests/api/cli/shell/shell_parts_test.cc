// The shell's parts by themselves: splitting, reading an answer, tables, sparklines, completion, history.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "api/cli/shell/answer_reader.h"
#include "api/cli/shell/completion.h"
#include "api/cli/shell/history.h"
#include "api/cli/shell/sparkline.h"
#include "api/cli/shell/statements.h"
#include "api/cli/shell/table_text.h"
#include "tests/support/temp_dir.h"

namespace varve {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> split(const std::vector<std::string>& lines) {
  Statements statements;
  std::vector<std::string> found;
  for (const std::string& line : lines) {
    statements.add_line(line);
    while (auto sql = statements.next()) found.push_back(*sql);
  }
  if (auto sql = statements.rest()) found.push_back("rest: " + *sql);
  return found;
}

TEST(Statements, EndAtASemicolonOutsideOfQuotesAndComments) {
  EXPECT_THAT(split({"SELECT 1;SELECT 2;"}), ElementsAre("SELECT 1", "SELECT 2"));
  EXPECT_THAT(split({"SELECT ';", "it''s; ' AS \"a;b\",", "`c;d`;"}),
              ElementsAre("SELECT ';\nit''s; ' AS \"a;b\",\n`c;d`"));
  EXPECT_THAT(split({"SELECT 1 -- no; end", "/* nor; ", "here; */ ;"}),
              ElementsAre("SELECT 1 -- no; end\n/* nor; \nhere; */"));
  EXPECT_THAT(split({";;  ; -- nothing", "/* ; */ ;"}), ElementsAre());
  EXPECT_THAT(split({"SELECT 3"}), ElementsAre("rest: SELECT 3"));
}

TEST(Statements, KnowTheLineWhereTheyBegan) {
  Statements statements;
  for (const char* line : {"", "SELECT 1;", "", "-- two", "SELECT", "2; SELECT 3;"})
    statements.add_line(line);
  std::vector<size_t> lines;
  while (statements.next()) lines.push_back(statements.line());
  EXPECT_THAT(lines, ElementsAre(2, 4, 6));
}

TEST(Statements, FitOnOneLineOfTheHistory) {
  EXPECT_EQ(one_line("SELECT 1 -- one\n  FROM t\nWHERE a = '--b'"), "SELECT 1    FROM t WHERE a = '--b'");
}

class Collect : public AnswerSink {
 public:
  bool columns(const std::vector<AnswerColumn>& columns) override {
    for (const auto& column : columns) names.push_back(column.name + ":" + column.type);
    return true;
  }
  bool row(const AnswerRow& row) override {
    std::string line;
    for (const auto& cell : row) line += (cell ? "<" + *cell + ">" : "null");
    rows.push_back(line);
    return true;
  }
  bool finish(const AnswerEnd&) override { return true; }
  std::vector<std::string> names, rows;
};

constexpr const char* kAnswer =
    R"({"columns":[{"name":"a,\"rows\":[","type":"string"},{"name":"v","type":"double"}],"rows":[["x]\"[",1.50],)"
    R"(["\u00e9",null],["",-7.0]],"row_count":3,"stats":{"elapsed_ms":0.5,"engine":"native","rows_scanned":9}})";

TEST(AnswerReader, GivesRowsHoweverTheBytesArrive) {
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}}) {
    Collect collect;
    AnswerReader reader(collect);
    const std::string_view text = kAnswer;
    for (size_t at = 0; at < text.size(); at += piece) EXPECT_TRUE(reader.feed(text.substr(at, piece)));
    const auto end = reader.finish();
    ASSERT_TRUE(end.has_value()) << end.error().message;
    EXPECT_THAT(collect.names, ElementsAre("a,\"rows\":[:string", "v:double"));
    EXPECT_THAT(collect.rows, ElementsAre("<x]\"[><1.5>", "<é>null", "<><-7.0>"));
    EXPECT_EQ(end->row_count, 3U);
    EXPECT_EQ(end->rows_scanned, 9U);
    EXPECT_EQ(end->engine, "native");
  }
}

TEST(AnswerReader, ReadsAnAnswerWithoutRowsAndOneThatEndsInAnError) {
  Collect collect;
  AnswerReader none(collect);
  none.feed(R"({"columns":[],"rows":[],"row_count":0,"stats":{}})");
  EXPECT_TRUE(none.finish().has_value());
  AnswerReader broken(collect);
  broken.feed(
      R"({"columns":[{"name":"v","type":"int64"}],"rows":[[1]],"error":{"code":"timeout","message":"too slow"}})");
  const auto end = broken.finish();
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->error, "too slow");
}

TEST(AnswerReader, RefusesWhatIsCutOrOfAnotherServer) {
  const std::string_view text = kAnswer;
  for (size_t length = 0; length < text.size(); ++length) {
    Collect collect;
    AnswerReader reader(collect);
    reader.feed(text.substr(0, length));
    EXPECT_FALSE(reader.finish().has_value()) << text.substr(0, length);
  }
  for (const char* other :
       {"<html>not found</html>", "{}", "[1,2]", R"({"columns":3,"rows":[[1]]})", "\"\\"}) {
    Collect collect;
    AnswerReader reader(collect);
    reader.feed(other);
    EXPECT_FALSE(reader.finish().has_value()) << other;
  }
}

std::string table(const TableStyle& style, const std::vector<AnswerColumn>& columns,
                  const std::vector<AnswerRow>& rows) {
  std::string text;
  TableText writer(style, [&](std::string_view piece) {
    text += piece;
    return true;
  });
  writer.columns(columns);
  for (const AnswerRow& row : rows) writer.row(row);
  AnswerEnd end;
  end.row_count = rows.size();
  writer.finish(end);
  return text;
}

TEST(TableText, AlignsNumbersToTheRightAndShowsNull) {
  EXPECT_EQ(
      table({}, {{"name", "string"}, {"v", "double"}}, {{"a", "1.5"}, {"long", std::nullopt}, {"é", "-10"}}),
      "name     v\n----  ----\na      1.5\nlong  NULL\né      -10\n(3 rows, 0.0 ms)\n");
}

TEST(TableText, CutsTextButNoNumberToTheWidth) {
  const std::string text(40, 'x');
  const std::string shown =
      table({.width = 30}, {{"t", "string"}, {"n", "int64"}}, {{text, "123456789012345"}});
  EXPECT_THAT(shown, HasSubstr("xxxxxxxxxxxx…  123456789012345\n"));
  EXPECT_THAT(table({.width = 30}, {{"t", "string"}}, {{"\x1b[2Jboo\n"}}), HasSubstr("\\x1b[2Jboo\\n"));
}

TEST(TableText, LeavesOutColumnsBeyondTheEdge) {
  std::vector<AnswerColumn> columns;
  AnswerRow row;
  for (int i = 0; i < 20; ++i) {
    columns.push_back({"c" + std::to_string(i), "int64"});
    row.push_back("1000");
  }
  const std::string shown = table({.width = 40}, columns, {row});
  for (size_t at = 0, end = 0; at < shown.size(); at = end + 1) {
    end = shown.find('\n', at);
    EXPECT_LE(end - at, 42U) << "the ellipsis has three bytes";
  }
  EXPECT_THAT(shown, HasSubstr("…"));
}

TEST(TableText, HasUnitsAndColoursOnlyWhenAsked) {
  const std::vector<AnswerColumn> columns{{"bytes", "int64"}};
  EXPECT_THAT(table({.units = true}, columns, {{"1536"}}), HasSubstr("1.5 KiB"));
  EXPECT_THAT(table({}, columns, {{"1536"}}), HasSubstr("1536"));
  EXPECT_THAT(table({.colour = true}, columns, {{std::nullopt}}), HasSubstr("\x1b[2mNULL\x1b[0m"));
  EXPECT_THAT(table({}, columns, {{std::nullopt}}), Not(HasSubstr("\x1b")));
}

TEST(TableText, WritesThousandsOfRowsWithTheFirstOnesWidths) {
  std::vector<AnswerRow> rows(5000, AnswerRow{"1"});
  rows.back() = {"123456789"};
  const std::string shown = table({}, {{"n", "int64"}}, rows);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '\n'), 5003);
  EXPECT_THAT(shown, HasSubstr("\n123456789\n(5,000 rows"));
}

TEST(Sparkline, RisesWithTheValuesAndLeavesGaps) {
  EXPECT_EQ(sparkline({0, 1, 2, 3, 4, 5, 6, 7}), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(sparkline({5, std::nullopt, 5}), "▁ ▁");
  EXPECT_EQ(sparkline({}), "");
}

TEST(SparkTable, DrawsALineForEachGroupOfTags) {
  Collect collect;
  SparkTable spark(collect);
  spark.columns({{"time", "timestamp"}, {"site", "string"}, {"v", "double"}});
  for (int i = 9; i >= 0; --i) {  // newest first, as people ask for them
    spark.row({"2025-01-01T00:00:0" + std::to_string(i) + "Z", "a", std::to_string(i)});
    spark.row({"2025-01-01T00:00:0" + std::to_string(i) + "Z", std::nullopt, std::nullopt});
  }
  spark.finish({});
  EXPECT_THAT(collect.names, ElementsAre("site:string", "v:line", "points:int64", "min:double", "max:double",
                                         "last:double"));
  ASSERT_EQ(collect.rows.size(), 2U);
  EXPECT_THAT(collect.rows[0], HasSubstr("<a><▁"));
  EXPECT_THAT(collect.rows[0], HasSubstr("█><10><0><9><9>"));
  EXPECT_THAT(collect.rows[1], HasSubstr("<0>nullnullnull"));
}

TEST(SparkTable, PassesOnWhatHasNoTimeOrNoNumber) {
  Collect collect;
  SparkTable spark(collect);
  spark.columns({{"site", "string"}, {"v", "double"}});
  spark.row({"a", "1"});
  spark.finish({});
  EXPECT_THAT(collect.rows, ElementsAre("<a><1>"));
}

const KnownNames kNames{
    {{"water", {"time", "site", "temperature_c"}}, {"lake.ice", {"thickness_mm", "the site"}}},
    {{"water", {"site"}}, {"lake.ice", {"site", "the site"}}}};

std::vector<std::string> complete(const std::string& text) {
  return completions(text, text, kNames);
}

TEST(Completion, OffersWhatBeginsWithTheWord) {
  EXPECT_THAT(complete("SEL"), ElementsAre("SELECT"));
  EXPECT_THAT(complete("sel"), ElementsAre("select"));
  EXPECT_THAT(complete("SELECT av"), ElementsAre("avg("));
  EXPECT_THAT(complete("SELECT v FROM wa"), ElementsAre("water"));
  EXPECT_THAT(complete("SELECT v FROM lake."), ElementsAre("lake.ice"));
  EXPECT_THAT(complete("SELECT date_b"), ElementsAre("date_bin("));
  EXPECT_THAT(complete("\\ti"), ElementsAre("\\timing"));
  EXPECT_THAT(complete("\\d w"), ElementsAre("water"));
  EXPECT_THAT(complete("SELECT nothing_like_it"), ElementsAre());
}

TEST(Completion, KeepsToTheColumnsOfTheTablesThatAreNamed) {
  EXPECT_THAT(complete("SELECT thick"), ElementsAre("thickness_mm"));
  EXPECT_THAT(complete("SELECT 1 FROM water WHERE thick"), ElementsAre());
  EXPECT_THAT(complete("SELECT 1 FROM water WHERE te"), ElementsAre("temperature_c"));
}

TEST(Completion, OffersOnlyTablesWhereATableMustStand) {
  const KnownNames names{{{"beaches", {"time", "beach_name"}}}};
  EXPECT_THAT(completions("SELECT * FROM bea", "SELECT * FROM bea", names), ElementsAre("beaches"));
  EXPECT_THAT(completions("select * from\n", "select * from\n", names), ElementsAre("beaches"));
  EXPECT_THAT(completions("\\watch s", "\\watch s", names), ElementsAre());
  EXPECT_THAT(completions("SELECT bea", "SELECT bea", names), ElementsAre("beach_name", "beaches"));
}

TEST(Completion, KnowsWhereTheValueOfATagIsWritten) {
  const auto place = [](const std::string& text) -> std::string {
    const auto found = value_place(text, text, kNames);
    return found ? found->table + " " + found->tag + " '" + text.substr(found->begin) : "none";
  };
  EXPECT_EQ(place("SELECT * FROM water WHERE site = 'pi"), "water site 'pi");
  EXPECT_EQ(place("SELECT * FROM water WHERE site='"), "water site '");
  EXPECT_EQ(place("SELECT * FROM water w WHERE w.site <> 'pi"), "water site 'pi");
  EXPECT_EQ(place("SELECT * FROM lake.ice WHERE \"the site\" != 'O''Ha"), "lake.ice the site 'O''Ha");
  EXPECT_EQ(place("SELECT * FROM lake.ice WHERE site IN ('a', 'it''s', 'b"), "lake.ice site 'b");
  EXPECT_EQ(place("SELECT * FROM water WHERE site not in\n('"), "water site '");
  EXPECT_EQ(place("SELECT * FROM water WHERE temperature_c = '"), "none");
  EXPECT_EQ(place("SELECT * FROM water WHERE site = 'pier' AND 'x"), "none");
  EXPECT_EQ(place("SELECT * FROM water WHERE time > '20"), "none");
  EXPECT_EQ(place("SELECT 'a', 'b"), "none");
  EXPECT_EQ(place("SELECT ', 'b"), "none");
  EXPECT_EQ(place("SELECT * FROM water WHERE site = "), "none");
  EXPECT_EQ(place("-- it's\nSELECT * FROM water WHERE site = 'p"), "water site 'p");
  EXPECT_EQ(place("'"), "none");
  EXPECT_EQ(place("= '"), "none");
  EXPECT_EQ(place("\" = '"), "none");
}

TEST(Completion, OffersValuesAsTheyAreQuoted) {
  EXPECT_THAT(value_completions({"Oak", "O'Hare", "pier"}, "o"), ElementsAre("O''Hare", "Oak"));
  EXPECT_THAT(value_completions({"O'Hare"}, "O''h"), ElementsAre("O''Hare"));
  EXPECT_THAT(value_completions({"a", "b"}, ""), ElementsAre("a", "b"));
}

TEST(Completion, SharesABeginning) {
  EXPECT_EQ(common_beginning({"time", "time_bucket("}), "time");
  EXPECT_EQ(common_beginning({"a", "b"}), "");
  EXPECT_EQ(common_beginning({}), "");
}

TEST(History, IsPrivateAndKeepsTheNewest) {
  const test::TempDir folder;
  const std::string path = (folder / "state" / "history").string();
  {
    auto history = History::open(path);
    ASSERT_TRUE(history.has_value()) << history.error().message;
    EXPECT_TRUE(*history->add("SELECT 1"));
    EXPECT_FALSE(*history->add("SELECT 1")) << "the same again";
    EXPECT_FALSE(*history->add(" SELECT 'secret'")) << "begins with a space";
    for (size_t i = 0; i < 3 * kHistoryEntriesMax; ++i)
      EXPECT_TRUE(*history->add("SELECT " + std::to_string(i + 2)));
  }
  struct stat file {};
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600U);
  auto again = History::open(path);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->entries().size(), kHistoryEntriesMax);
  EXPECT_EQ(again->entries().back(), "SELECT 3001");
  std::ifstream in(path);
  EXPECT_EQ(std::count(std::istreambuf_iterator<char>(in), {}, '\n'), kHistoryEntriesMax) << "written anew";
}

TEST(History, NamesTheFolderItCannotWriteTo) {
  const auto history = History::open("/proc/no/history");
  ASSERT_FALSE(history.has_value());
  EXPECT_THAT(history.error().message, HasSubstr("/proc/no"));
}

}  // namespace
}  // namespace varve
