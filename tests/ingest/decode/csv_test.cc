#include "ingest/decode/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "ingest/decode/csv_text.h"
#include "ingest/decode/json.h"
#include "tests/ingest/decode/decoding.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

DecodeMapping with_columns(std::vector<std::string> names) {
  DecodeMapping mapping;
  mapping.format = InputFormat::kCsv;
  mapping.table = "water";
  mapping.time_format = "ns";
  mapping.tags = {"id"};
  mapping.csv_columns = std::move(names);
  return mapping;
}

DecodeMapping with_header() {
  DecodeMapping mapping = with_columns({});
  mapping.csv_header = true;
  return mapping;
}

TEST(Csv, MapsCellsByTheNamesOfTheConfiguration) {
  Decoding decode(with_columns({"ts", "id", "ph", "n", "ok", "note"}));
  EXPECT_THAT(decode("5,a-1,7.25,20,true,\"x, \"\"y\"\"\""),
              ElementsAre("varve.water id=a-1 n=i:20,note=s:x, \"y\",ok=b:true,ph=d:7.25 5"));
  EXPECT_THAT(
      decode("6,,,-3,FALSE,\r\n7,b,1.5,,,\"two\nlines\"\n"),
      ElementsAre("varve.water  n=i:-3,ok=b:false 6", "varve.water id=b note=s:two\nlines,ph=d:1.5 7"));
}

TEST(Csv, TakesTheNamesOfEachMessagesFirstLine) {
  Decoding decode(with_header());
  EXPECT_THAT(decode("ts,id, ph\n5,a,7.5\n6,b,8.5\n"),
              ElementsAre("varve.water id=a ph=d:7.5 5", "varve.water id=b ph=d:8.5 6"));
  EXPECT_THAT(decode("\xEF\xBB\xBF\"ph\",ts\r\n7,9\r\n"), ElementsAre("varve.water  ph=d:7 9"));
  EXPECT_THAT(decode("ts,id, ph\n5,a,7.5"), ElementsAre("varve.water id=a ph=d:7.5 5"));
  EXPECT_THAT(decode("ts,id,ph\n"), IsEmpty());
  EXPECT_TRUE(decode.rejects.empty());
}

TEST(Csv, RefusesAMessageWhoseNamesCannotBeUsed) {
  Decoding decode(with_header());
  for (const std::string& header :
       {std::string("ts,a,a"), std::string("ts,,a"), std::string("ts,time"), std::string("ts,\"a"),
        "ts," + std::string(256, 'k'), std::string("ts,\xff")}) {
    EXPECT_THAT(decode(header + "\n1,2,3"), ElementsAre("bad_header@1")) << header;
  }
  EXPECT_THAT(decode("\n\nts,v\n1,2"), ElementsAre("varve.water  v=i:2 1"));
  std::string wide = "ts";
  for (size_t i = 0; i < kFieldsPerRowMax; ++i) wide += fmt::format(",c{}", i);
  EXPECT_THAT(decode(wide + "\n1"), ElementsAre("bad_header@1"));
}

TEST(Csv, PinsTheTypeOfAColumn) {
  Decoding decode(with_columns({"ts", "v"}));
  EXPECT_THAT(decode("1,5"), ElementsAre("varve.water  v=i:5 1"));
  EXPECT_THAT(decode("2,5.5\n3,6"), ElementsAre("varve.water  v=d:5.5 2", "varve.water  v=d:6 3"));
  EXPECT_THAT(decode("4,7"), ElementsAre("varve.water  v=d:7 4"));
  EXPECT_THAT(decode("5,oops"), ElementsAre("varve.water  v=s:oops 5"));  // the store judges
  EXPECT_THAT(decode("6,8"), ElementsAre("varve.water  v=d:8 6"));
  Decoding text(with_columns({"ts", "v"}));
  EXPECT_THAT(text("1,ab\n2,17\n3,true\n4,NaN"),
              ElementsAre("varve.water  v=s:ab 1", "varve.water  v=s:17 2", "varve.water  v=s:true 3",
                          "varve.water  v=s:NaN 4"));
}

TEST(Csv, PinsTypesPerTableAndByTheTableThereIs) {
  DecodeMapping mapping = with_columns({"ts", "kind", "v"});
  mapping.table = "{field:kind}";
  int asked = 0;
  const StoredTypes stored = [&asked](std::string_view database, std::string_view table) {
    ++asked;
    EXPECT_EQ(database, "varve");
    std::vector<std::pair<std::string, FieldType>> types;
    if (table == "labels") types.emplace_back("v", FieldType::kString);
    if (table == "levels") types.emplace_back("v", FieldType::kDouble);
    return types;
  };
  Decoding decode(mapping, stored);
  EXPECT_THAT(decode("1,labels,17\n2,levels,17\n3,new,17\n4,labels,18"),
              ElementsAre("varve.labels  v=s:17 1", "varve.labels  v=s:18 4", "varve.levels  v=d:17 2",
                          "varve.new  v=i:17 3"));
  EXPECT_EQ(asked, 3);
  EXPECT_THAT(decode("1,,17"), ElementsAre("no_table@1"));
}

TEST(Csv, KnowsNumbersFromText) {
  const auto one = [](std::string_view cell) {
    return Decoding(with_columns({"ts", "v"}))(fmt::format("1,{}", cell));
  };
  EXPECT_THAT(one(" 12 "), ElementsAre("varve.water  v=i:12 1"));
  EXPECT_THAT(one(".5"), ElementsAre("varve.water  v=d:0.5 1"));
  EXPECT_THAT(one("-5."), ElementsAre("varve.water  v=d:-5 1"));
  EXPECT_THAT(one("1e3"), ElementsAre("varve.water  v=d:1000 1"));
  EXPECT_THAT(one("\"12\""), ElementsAre("varve.water  v=i:12 1"));
  for (const char* text :
       {"007", "+1", "1e", "e5", "-", ".", "-.", "1.2.3", "0x10", "1_000", "12 V", "yes"}) {
    EXPECT_THAT(one(text), ElementsAre(fmt::format("varve.water  v=s:{} 1", text))) << text;
  }
  for (const char* nothing : {"", "  ", "NaN", "nan", "null", "NULL", "\"\""}) {
    EXPECT_THAT(one(nothing), ElementsAre("no_field@1")) << nothing;
  }
  EXPECT_THAT(one("9223372036854775807"), ElementsAre("varve.water  v=i:9223372036854775807 1"));
  EXPECT_THAT(one("9223372036854775808"), ElementsAre("out_of_range@1"));
  EXPECT_THAT(one("1e999"), ElementsAre("out_of_range@1"));
}

TEST(Csv, RefusesRowsByLine) {
  Decoding decode(with_columns({"ts", "id", "v"}));
  EXPECT_THAT(
      decode("1,a,1\n2,b\n3,c,3,4\nx,d,4\n,e,5\n6,f,\n7,\xff,7\n8,h,8\n9,i,\"9"),
      ElementsAre("varve.water id=a v=i:1 1", "varve.water id=h v=i:8 8", "column_count@2", "column_count@3",
                  "bad_time@4", "no_time@5", "no_field@6", "invalid_utf8@7", "malformed_csv@9"));
  EXPECT_THAT(decode("\"1\",\"a\nb\",1\n2,b"), ElementsAre("varve.water id=a\nb v=i:1 1", "column_count@3"));
  EXPECT_THAT(decode(fmt::format("1,{},1", std::string(4097, 'x'))), ElementsAre("value_too_long@1"));
  EXPECT_THAT(decode(fmt::format("1,a,{}", std::string((1 << 20) + 1, 'x'))),
              ElementsAre("value_too_long@1"));
}

TEST(Csv, RefusesMessagesThatAreEmptyOrTooLarge) {
  Decoding decode(with_columns({"ts", "v"}));
  EXPECT_THAT(decode(""), ElementsAre("empty_message"));
  EXPECT_THAT(decode("\n\r\n"), ElementsAre("empty_message"));
  EXPECT_THAT(decode("\xEF\xBB\xBF"), ElementsAre("empty_message"));
  EXPECT_THAT(decode(std::string(kMessageBytesMax + 1, ' ')), ElementsAre("message_too_large"));
  std::string many;
  for (int i = 0; i < 150; ++i) many += "x\n";
  EXPECT_EQ(decode(many).size(), 101U);
  EXPECT_EQ(decode.rejects.back().detail, "50 more rows of this message were refused");
}

TEST(Csv, TakesOtherDelimiters) {
  DecodeMapping mapping = with_columns({"ts", "v", "note"});
  mapping.csv_delimiter = ';';
  EXPECT_THAT(Decoding(mapping)("1;2,5;a,b\n2;3.5;\"x;y\""),
              ElementsAre("varve.water  note=s:a,b,v=s:2,5 1", "varve.water  note=s:x;y,v=s:3.5 2"));
}

// The cells of each record, written by the rule of RFC 4180 alone.
std::string written(const std::vector<std::vector<std::string>>& records,
                    const std::vector<bool>& quote_all) {
  std::string text;
  for (size_t r = 0; r < records.size(); ++r) {
    for (size_t c = 0; c < records[r].size(); ++c) {
      if (c > 0) text += ',';
      const std::string& cell = records[r][c];
      if (!quote_all[r] && cell.find_first_of("\",\r\n") == std::string::npos) {
        text += cell;
        continue;
      }
      text += '"';
      for (const char ch : cell) text.append(ch == '"' ? 2 : 1, ch);
      text += '"';
    }
    text += r % 2 == 0 ? "\n" : "\r\n";
  }
  return text;
}

TEST(CsvText, ReadsBackWhatAWriterQuotes) {
  const bool holds = rc::check("records survive quoting", [] {
    const auto cell = rc::gen::container<std::string>(rc::gen::element('a', '"', ',', '\n', '\r', ' ', ';'));
    auto records = *rc::gen::container<std::vector<std::vector<std::string>>>(
        rc::gen::nonEmpty(rc::gen::container<std::vector<std::string>>(cell)));
    std::vector<bool> quote_all;
    for (auto& record : records) {
      const bool is_blank = record.size() == 1 && record[0].empty();
      quote_all.push_back(is_blank || *rc::gen::arbitrary<bool>());
    }
    const std::string text = written(records, quote_all);
    CsvText reader;
    reader.start(text, ',');
    uint32_t line = 1;
    for (const auto& record : records) {
      RC_ASSERT(reader.next());
      RC_ASSERT(reader.complete());
      RC_ASSERT(std::vector<std::string>(reader.cells().begin(), reader.cells().end()) == record);
      RC_ASSERT(reader.line() == line);
      for (const auto& one : record) line += static_cast<uint32_t>(std::count(one.begin(), one.end(), '\n'));
      ++line;
    }
    RC_ASSERT(!reader.next());
  });
  EXPECT_TRUE(holds);
}

TEST(CsvText, TakesQuotesInOddPlacesAsTheyAre) {
  CsvText text;
  text.start("\"a\"x\"\"b,c\"d,\"\"\r\n\"e\"f", ',');
  ASSERT_TRUE(text.next());
  EXPECT_THAT(text.cells(), ElementsAre("ax\"\"b", "c\"d", ""));
  ASSERT_TRUE(text.next());
  EXPECT_THAT(text.cells(), ElementsAre("ef"));
  EXPECT_EQ(text.line(), 2U);
  EXPECT_FALSE(text.next());
}

}  // namespace
}  // namespace varve
