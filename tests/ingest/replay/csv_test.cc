#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "ingest/replay/csv_reader.h"
#include "ingest/replay/generator.h"

namespace varve {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class CsvTest : public testing::Test {
 protected:
  std::string write(const std::string& text) {
    const auto info = testing::UnitTest::GetInstance()->current_test_info();
    path_ = testing::TempDir() + "varve_csv_" + info->name() + ".csv";
    std::ofstream(path_, std::ios::binary) << text;
    return path_;
  }
  void TearDown() override { std::filesystem::remove(path_); }

  // The values of all messages.
  std::vector<std::string> values(CsvOptions options, const std::string& text) {
    options.path = write(text);
    auto generator = open_csv(options);
    EXPECT_TRUE(generator.has_value()) << generator.error().message;
    std::vector<std::string> out;
    keys_.clear();
    if (!generator) return out;
    total_ = (*generator)->total();
    GeneratedMessage message;
    while (true) {
      const auto more = (*generator)->next(message);
      EXPECT_TRUE(more.has_value()) << more.error().message;
      if (!more || !*more) return out;
      out.push_back(message.value);
      keys_.push_back(message.key);
    }
  }
  std::string path_;
  std::vector<std::string> keys_;
  std::optional<uint64_t> total_;
};

TEST_F(CsvTest, TurnsCellsIntoJsonByTheirLooks) {
  struct Case {
    const char* name;
    const char* cell;
    const char* json;
  };
  const std::vector<Case> cases{
      {"integer", "12", R"({"a":12,"b":1})"},
      {"decimal keeps its digits", "20.300", R"({"a":20.300,"b":1})"},
      {"negative", "-0.5", R"({"a":-0.5,"b":1})"},
      {"exponent", "1e-7", R"({"a":1e-7,"b":1})"},
      {"large exponent", "6.02E+23", R"({"a":6.02E+23,"b":1})"},
      {"beyond int64 stays text of a number", "123456789012345678901",
       R"({"a":123456789012345678901,"b":1})"},
      {"leading zero is no number", "007", R"({"a":"007","b":1})"},
      {"plus sign is no number", "+1", R"({"a":"+1","b":1})"},
      {"bare point", ".5", R"({"a":".5","b":1})"},
      {"trailing point", "1.", R"({"a":"1.","b":1})"},
      {"lone minus", "-", R"({"a":"-","b":1})"},
      {"open exponent", "1e", R"({"a":"1e","b":1})"},
      {"not a number", "NaN", R"({"a":"NaN","b":1})"},
      {"true", "true", R"({"a":true,"b":1})"},
      {"FALSE", "FALSE", R"({"a":false,"b":1})"},
      {"empty is left out", "", R"({"b":1})"},
      {"quoted empty is left out", "\"\"", R"({"b":1})"},
      {"blanks stay", " x ", R"({"a":" x ","b":1})"},
      {"separator in quotes", "\"x,y\"", R"({"a":"x,y","b":1})"},
      {"doubled quote", "\"say \"\"hi\"\"\"", R"({"a":"say \"hi\"","b":1})"},
      {"line end in quotes", "\"x\r\ny\"", R"({"a":"x\r\ny","b":1})"},
      {"quote inside a plain cell", "5\" pipe", R"({"a":"5\" pipe","b":1})"},
      {"text after a quote", "\"x\"y", R"({"a":"xy","b":1})"},
      {"control byte", "\x01", R"({"a":"\u0001","b":1})"},
      {"backslash", "a\\b", R"({"a":"a\\b","b":1})"},
      {"UTF-8", "gr\xC3\xBC\xC3\x9F", "{\"a\":\"gr\xC3\xBC\xC3\x9F\",\"b\":1}"},
  };
  for (const auto& test : cases) {
    EXPECT_THAT(values({}, std::string("a,b\n") + test.cell + ",1\n"), ElementsAre(test.json)) << test.name;
  }
}

TEST_F(CsvTest, ReadsEveryKindOfLineEnd) {
  const std::vector<std::string> files{"a,b\n1,2\n3,4\n", "a,b\r\n1,2\r\n3,4\r\n", "a,b\n1,2\n3,4",
                                       "\xEF\xBB\xBF"
                                       "a,b\n\n1,2\n\n\r\n3,4\n\n"};
  for (const auto& file : files) {
    EXPECT_THAT(values({}, file), ElementsAre(R"({"a":1,"b":2})", R"({"a":3,"b":4})")) << file;
    EXPECT_EQ(total_, 2) << file;
    EXPECT_THAT(keys_, ElementsAre("1", "3"));
  }
}

TEST_F(CsvTest, NormalisesColumnNames) {
  EXPECT_THAT(
      values({}, "Beach Name,Water Temperature (C),pH,,a-b,A B\nx,1,2,3,4,5\n"),
      ElementsAre(R"({"beach_name":"x","water_temperature_c":1,"ph":2,"column_4":3,"a_b":4,"a_b_2":5})"));
}

TEST_F(CsvTest, WritesTheTimeAsUtcAndDropsItsColumn) {
  CsvOptions options;
  options.time_column = "Measurement Timestamp";
  options.time_format = "%m/%d/%Y %I:%M:%S %p";
  options.time_zone = "America/Chicago";
  options.key_column = "beach_name";
  EXPECT_THAT(
      values(options, "Measurement Timestamp,Beach Name,ts\n08/30/2013 08:00:00 AM,Montrose Beach,7\n"),
      ElementsAre(R"({"ts":"2013-08-30T13:00:00Z","beach_name":"Montrose Beach","ts_2":7})"));
  EXPECT_THAT(keys_, ElementsAre("Montrose Beach"));
}

TEST_F(CsvTest, SendsBrokenRowsForTheQuarantineToTell) {
  CsvOptions options;
  options.time_column = "t";
  options.time_format = "%Y-%m-%d";
  EXPECT_THAT(values(options, "t,v\nyesterday,1\n,2\n2025-01-01,3,4\n2025-01-01\n2025-01-01,\"open\n"),
              ElementsAre(R"({"ts":"yesterday","v":1})", R"({"v":2})", "2025-01-01,3,4", "2025-01-01",
                          "2025-01-01,\"open"));
}

TEST_F(CsvTest, NamesWhatIsWrong) {
  CsvOptions absent;
  absent.path = testing::TempDir() + "varve_no_such_file.csv";
  auto opened = open_csv(absent);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(opened.error().message, HasSubstr("varve_no_such_file.csv"));

  CsvOptions no_column;
  no_column.path = write("Beach Name,Battery Life\nx,1\n");
  no_column.key_column = "Sensor";
  opened = open_csv(no_column);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(opened.error().message,
              HasSubstr("has no column \"Sensor\"; it has \"Beach Name\", \"Battery Life\""));

  CsvOptions bad_zone;
  bad_zone.path = path_;
  bad_zone.time_column = "Beach Name";
  bad_zone.time_zone = "Mars/Olympus";
  opened = open_csv(bad_zone);
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr("Mars/Olympus"));

  CsvOptions empty;
  empty.path = write("");
  opened = open_csv(empty);
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().message, HasSubstr("is empty"));
}

TEST_F(CsvTest, RefusesARecordWithoutEndNamingItsLine) {
  CsvOptions options;
  options.path = write("a,b\n1,2\n3,\"" + std::string(2 << 20, 'x'));
  auto generator = open_csv(options);
  ASSERT_TRUE(generator.has_value()) << generator.error().message;
  GeneratedMessage message;
  EXPECT_TRUE((*generator)->next(message).value_or(false));
  const auto second = (*generator)->next(message);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, HasSubstr(".csv:3: a record of more than"));
}

TEST_F(CsvTest, KeepsItsPlaceAcrossManyReads) {
  std::string text = "n,text\n";
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i) + ",\"line\nbreak, and \"\"quote\"\"\"\r\n";
  const auto out = values({}, text);
  ASSERT_EQ(out.size(), 50'000);
  EXPECT_EQ(out.back(), R"({"n":49999,"text":"line\nbreak, and \"quote\""})");
  EXPECT_EQ(total_, 50'000);
}

}  // namespace
}  // namespace varve
