#include "ingest/decode/line_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <random>

#include "storage/base/clock.h"
#include "tests/support/batch_text.h"

namespace varve {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The rows, then "line:reason" of each reject.
std::vector<std::string> parse(std::string_view body, LineProtocolOptions options = {}) {
  RowSet rows;
  std::vector<LineReject> rejects;
  size_t refused = 0;
  const size_t accepted = parse_line_protocol(body, options, rows, rejects, &refused);
  EXPECT_EQ(accepted, rows.rows());
  EXPECT_EQ(refused, rejects.size());
  std::vector<std::string> texts = take_texts(rows);
  for (const LineReject& reject : rejects) texts.push_back(fmt::format("{}:{}", reject.line, reject.reason));
  return texts;
}

TEST(LineProtocol, ReadsMeasurementTagsFieldsAndTime) {
  EXPECT_THAT(
      parse("cpu,host=a,region=eu user=1.5,n=3i,up=true,note=\"x y\" 1700000000000000000\n"),
      ElementsAre("varve.cpu host=a,region=eu n=i:3,note=s:x y,up=b:true,user=d:1.5 1700000000000000000"));
  EXPECT_THAT(parse("m v=1 5\nm v=2 6\n\nm v=3 7"),
              ElementsAre("varve.m  v=d:1 5", "varve.m  v=d:2 6", "varve.m  v=d:3 7"));
}

// `lines` of a body, and how each is read alone: by table, as one body's batches are.
struct Alone {
  std::vector<std::string> rows;
  std::vector<std::string> rejects;  // "line:reason:detail"
};
Alone read_one_by_one(const std::vector<std::string>& lines, const LineProtocolOptions& options) {
  Alone all;
  for (size_t i = 0; i < lines.size(); ++i) {
    RowSet rows;
    std::vector<LineReject> rejects;
    parse_line_protocol(lines[i] + "\n", options, rows, rejects);
    for (std::string& text : take_texts(rows)) all.rows.push_back(std::move(text));
    for (const LineReject& reject : rejects)
      all.rejects.push_back(fmt::format("{}:{}:{}", i + 1, reject.reason, reject.detail));
  }
  const auto table = [](const std::string& row) { return row.substr(0, row.find(' ')); };
  std::stable_sort(all.rows.begin(), all.rows.end(),
                   [&](const std::string& a, const std::string& b) { return table(a) < table(b); });
  return all;
}

// Names have one type each, so that no line's reading depends on another's.
std::string random_line(std::mt19937& random) {
  const auto one_of = [&](std::initializer_list<const char*> texts) {
    return std::string(*(texts.begin() + random() % texts.size()));
  };
  if (random() % 40 == 0) {
    return one_of({"", "# comment", "cpu", "cpu,host=a", "cpu,host= v=1", "cpu,host=a v=", "cpu,host=a v=1 x",
                   "cpu,host=a,host=b v=1", "cpu,host=a time=1", "cpu,host=a v=1 9223372036854775807",
                   "cpu,host=a\\ v=1 5", "cpu,host=a host=1", ",host=a v=1", "cpu,host=a=b v=1"});
  }
  std::string line = one_of({"cpu", "cpu", "cpu", "mem", "d\\ isk", " cpu"});
  if (random() % 8 != 0) line += fmt::format(",host=h{}", random() % 30);
  if (random() % 8 != 0) line += one_of({",region=eu", ",region=us", ",region=e\\ u", ",re\\=gion=eu"});
  line += random() % 20 == 0 ? "  " : " ";
  line += fmt::format("v={}.{:02}", random() % 100, random() % 100);
  if (random() % 16 != 0) line += fmt::format(",w=-{}", random() % 1000);
  if (random() % 16 != 0) line += fmt::format(",n={}i", random());
  if (random() % 64 == 0) line += one_of({",on=true", ",text=\"a b\"", ",v=7", ",long\\ name=1e5"});
  if (random() % 16 != 0) line += fmt::format(" {}", random() % 1000);
  line += one_of({"", "", "", " ", "\r"});
  return line;
}

TEST(LineProtocol, ReadsABodyAsItReadsItsLinesOneByOne) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 40; ++round) {
    // Alike for long, then not: batches begin and end.
    std::vector<std::string> lines;
    while (lines.size() < 400) {
      const std::string line = random_line(random);
      const size_t times = random() % 10 == 0 ? random() % 100 : 1;
      for (size_t i = 0; i < times + 1; ++i) lines.push_back(line);
    }
    const LineProtocolOptions options{.now_ns = 77};
    const Alone alone = read_one_by_one(lines, options);
    RowSet rows;
    std::vector<LineReject> rejects;
    size_t refused = 0;
    EXPECT_EQ(
        parse_line_protocol(fmt::format("{}\n", fmt::join(lines, "\n")), options, rows, rejects, &refused),
        alone.rows.size());
    EXPECT_EQ(rows.rows(), alone.rows.size());
    std::vector<std::string> refusals;
    for (const LineReject& reject : rejects)
      refusals.push_back(fmt::format("{}:{}:{}", reject.line, reject.reason, reject.detail));
    EXPECT_EQ(refusals, alone.rejects);
    const RowSet::Taken taken = rows.take();
    ASSERT_EQ(batch_texts(taken.batches), alone.rows);
    // Each row knows its line.
    for (size_t batch = 0; batch < taken.batches.size(); ++batch) {
      ASSERT_EQ(taken.messages[batch].size(), taken.batches[batch].rows());
      for (size_t row = 0; row < taken.messages[batch].size(); ++row) {
        const auto texts = read_one_by_one({lines.at(taken.messages[batch][row] - 1)}, options).rows;
        ASSERT_THAT(texts, ElementsAre(row_text(taken.batches[batch], row)));
      }
    }
  }
}

TEST(LineProtocol, LinesThatAreAlikeBecomeOneBatch) {
  std::string body;
  for (int i = 0; i < 1000; ++i)
    body += fmt::format("cpu,host=h{},region=eu v={}.5,n={}i {}\n", i % 10, i, i, i);
  RowSet rows;
  std::vector<LineReject> rejects;
  EXPECT_EQ(parse_line_protocol(body, {}, rows, rejects), 1000U);
  const RowSet::Taken taken = rows.take();
  ASSERT_EQ(taken.batches.size(), 2U);
  EXPECT_EQ(taken.batches[0].rows(), 1U) << "the first shows what the others are like";
  EXPECT_EQ(taken.batches[1].rows(), 999U);
  EXPECT_EQ(taken.batches[1].tags.at(0).values.size(), 10U);
}

TEST(LineProtocol, LinesWithATagOfTheirOwnEachTakeLittle) {
  constexpr size_t kLines = 5000;
  std::string body;
  for (size_t i = 0; i < kLines; ++i) body += fmt::format("m,k{0}=v f=1 {0}\n", i);
  RowSet rows;
  std::vector<LineReject> rejects;
  EXPECT_EQ(parse_line_protocol(body, {}, rows, rejects), kLines);
  const RowSet::Taken taken = rows.take();
  EXPECT_LT(cells(taken.batches), kLines * kLines / 8);
  const std::vector<std::string> texts = batch_texts(taken.batches);
  ASSERT_EQ(texts.size(), kLines);
  for (size_t i = 0; i < kLines; ++i) EXPECT_EQ(texts[i], fmt::format("varve.m k{0}=v f=d:1 {0}", i));
}

TEST(LineProtocol, OneMessageOfKafkaNeedsNoBatchOfItsOwn) {
  std::string body;
  for (int i = 0; i < 200; ++i) body += fmt::format("cpu,host=h{} v={} {}\n", i % 10, i, i);
  RowSet rows;
  std::vector<LineReject> rejects;
  for (int message = 0; message < 3; ++message)
    EXPECT_EQ(parse_line_protocol(body, {.number_rows = false}, rows, rejects), 200U);
  EXPECT_EQ(rows.take().batches.size(), 1U);
}

TEST(LineProtocol, ReadsNumbersAsInfluxDoes) {
  const auto value = [](std::string_view text) {
    const auto row = parse(fmt::format("m v={} 5", text));
    return row[0].substr(0, row[0].rfind(' '));
  };
  EXPECT_EQ(value("1"), "varve.m  v=d:1");
  EXPECT_EQ(value("1."), "varve.m  v=d:1");
  EXPECT_EQ(value(".5"), "varve.m  v=d:0.5");
  EXPECT_EQ(value("-0"), "varve.m  v=d:-0");
  EXPECT_EQ(value("-2e+3"), "varve.m  v=d:-2000");
  EXPECT_EQ(value("1E3"), "varve.m  v=d:1000");
  EXPECT_EQ(value("0.1"), "varve.m  v=d:0.1");
  EXPECT_EQ(value("58.13"), "varve.m  v=d:58.13");
  EXPECT_EQ(value("9007199254740993"), "varve.m  v=d:9007199254740992");
  EXPECT_EQ(value("0.30000000000000004"), "varve.m  v=d:0.30000000000000004");
  EXPECT_EQ(value("1.7976931348623157e308"), "varve.m  v=d:1.7976931348623157e+308");
  EXPECT_EQ(value("5e-324"), "varve.m  v=d:5e-324");
  EXPECT_EQ(value("1e-400"), "varve.m  v=d:0");
  EXPECT_EQ(value("0." + std::string(400, '0') + "1e+10"), "varve.m  v=d:0");
  EXPECT_EQ(value(std::string(400, '1') + "e-399").substr(0, 17), "varve.m  v=d:1.11");
  EXPECT_EQ(parse("m v=" + std::string(400, '1') + "e-10")[0], "1:out_of_range");
  EXPECT_EQ(value("-1e-400"), "varve.m  v=d:-0");
  EXPECT_EQ(value("0." + std::string(400, '0') + "1"), "varve.m  v=d:0");
  EXPECT_EQ(value("-9223372036854775808i"), "varve.m  v=i:-9223372036854775808");
  EXPECT_EQ(value("9223372036854775807i"), "varve.m  v=i:9223372036854775807");
  EXPECT_EQ(value("9223372036854775807u"), "varve.m  v=i:9223372036854775807");
  for (const char* text : {"9223372036854775808i", "-9223372036854775809i", "9223372036854775808u", "-1u",
                           "99999999999999999999999i", "1e309", "-1e309"}) {
    EXPECT_THAT(parse(fmt::format("m v={}", text)), ElementsAre("1:out_of_range")) << text;
  }
  EXPECT_THAT(parse("m v=" + std::string(400, '9')), ElementsAre("1:out_of_range"));
  for (const char* text : {"", "-", ".", "+1", "1e", "1e+", "e5", "0x10", "1_000", "1.5i", "1e3i", "i", "NaN",
                           "inf", "-Inf", "1x", "1ii", "--1", "1.2.3"}) {
    EXPECT_THAT(parse(fmt::format("m v={}", text)), ElementsAre("1:bad_line")) << text;
  }
}

TEST(LineProtocol, ReadsBooleansInExactlyTheWordsOfInflux) {
  EXPECT_THAT(parse("m a=t,b=T,c=true,d=True,e=TRUE 1"),
              ElementsAre("varve.m  a=b:true,b=b:true,c=b:true,d=b:true,e=b:true 1"));
  EXPECT_THAT(parse("m a=f,b=F,c=false,d=False,e=FALSE 1"),
              ElementsAre("varve.m  a=b:false,b=b:false,c=b:false,d=b:false,e=b:false 1"));
  EXPECT_THAT(parse("m a=tRUE 1\nm a=yes 1\nm a=x"), ElementsAre("1:bad_line", "2:bad_line", "3:bad_line"));
}

TEST(LineProtocol, UndoesEscapesOnlyWhereTheyMeanSomething) {
  EXPECT_THAT(parse(R"(a\,b\ c\=d,t\,a\ g\==v\,a\ l\= f\,i\ e\=l=1 5)"),
              ElementsAre(R"(varve.a,b c\=d t,a g==v,a l= f,i e=l=d:1 5)"));
  EXPECT_THAT(parse(R"(m\\x,t=a\b\\c v="q\"u\\o\x\n" 5)"),
              ElementsAre(R"(varve.m\\x t=a\b\\c v=s:q"u\o\x\n 5)"));
  EXPECT_THAT(parse("m\"q\",t=\"x\" v=1 5"), ElementsAre("varve.m\"q\" t=\"x\" v=d:1 5"));
  EXPECT_THAT(parse("m=x v=1 5"), ElementsAre("varve.m=x  v=d:1 5"));
}

TEST(LineProtocol, TakesAnythingInsideQuotes) {
  EXPECT_THAT(parse("m v=\"a\nb, c=d e\" 5\nm v=1\n bad\n", {.now_ns = 9}),
              ElementsAre("varve.m  v=s:a\nb, c=d e 5", "varve.m  v=d:1 9", "4:bad_line"));
  EXPECT_THAT(parse("m v=\"\" 5"), ElementsAre("varve.m  v=s: 5"));
}

TEST(LineProtocol, SkipsBlanksCommentsAndCarriageReturns) {
  EXPECT_THAT(parse("# x=1\r\n\r\n  \t m  v=1   5  \r\n#\nm v=2i 6\r\nm v=t\r", {.now_ns = 7}),
              ElementsAre("varve.m  v=d:1 5", "varve.m  v=d:2 6", "varve.m  v=b:true 7"));
  EXPECT_THAT(parse(""), IsEmpty());
  EXPECT_THAT(parse("\n\n"), IsEmpty());
  EXPECT_THAT(parse("#"), IsEmpty());
}

TEST(LineProtocol, ScalesTimeByThePrecision) {
  EXPECT_THAT(parse("m v=1 -5", {.precision_ns = kNsPerSecond}), ElementsAre("varve.m  v=d:1 -5000000000"));
  EXPECT_THAT(parse("m v=1", {.precision_ns = kNsPerSecond, .now_ns = 1'999'999'999}),
              ElementsAre("varve.m  v=d:1 1000000000"));
  EXPECT_THAT(parse("m v=1", {.precision_ns = kNsPerSecond, .now_ns = -1}),
              ElementsAre("varve.m  v=d:1 -1000000000"));
  EXPECT_THAT(parse("m v=1 9223372036854775806\nm v=2 -9223372036854775806"),
              ElementsAre("varve.m  v=d:1 9223372036854775806", "varve.m  v=d:2 -9223372036854775806"));
  EXPECT_THAT(
      parse("m v=1 9223372036854775807\nm v=1 99999999999999999999\nm v=1 1.5\nm v=1 x\nm v=1 5 6\nm v=1 -\n"
            "m v=1 5i"),
      ElementsAre("1:bad_time", "2:bad_time", "3:bad_time", "4:bad_time", "5:bad_time", "6:bad_time",
                  "7:bad_time"));
  EXPECT_THAT(parse("m v=1 9223372037", {.precision_ns = kNsPerSecond}), ElementsAre("1:bad_time"));
  EXPECT_EQ(precision_from_name("n"), 1);
  EXPECT_EQ(precision_from_name("us"), 1000);
  EXPECT_EQ(precision_from_name("h"), 3600 * kNsPerSecond);
  EXPECT_EQ(precision_from_name("d"), std::nullopt);
}

TEST(LineProtocol, RefusesBadLinesByNumberAndKeepsTheRest) {
  EXPECT_THAT(
      parse("m v=1 1\nm\nm,t v=1\nm,t= v=1\nm,=x v=1\nm,t=a=b v=1\nm t=\nm v\nm v=1,\nm =1\n,t=a v=1\n"
            "m,t=a \nm v=1,,w=2\nm v=\"x\"y\nm, v=1\nm v=3 3"),
      ElementsAre("varve.m  v=d:1 1", "varve.m  v=d:3 3", "2:bad_line", "3:bad_line", "4:bad_line",
                  "5:bad_line", "6:bad_line", "7:bad_line", "8:bad_line", "9:bad_line", "10:bad_line",
                  "11:bad_line", "12:bad_line", "13:bad_line", "14:bad_line", "15:bad_line"));
}

TEST(LineProtocol, LosesOnlyItsOwnLineToAQuoteThatIsNeverClosed) {
  EXPECT_THAT(parse("m v=1 1\nm v=\"open\nm v=2 2\nm v=3 3"),
              ElementsAre("varve.m  v=d:1 1", "varve.m  v=d:2 2", "varve.m  v=d:3 3", "2:bad_line"));
}

TEST(LineProtocol, NeverTakesTheTextOfARefusedLinesStringForLines) {
  EXPECT_THAT(parse("m v=\"text\nadmin v=1 1\n\",bad 1\nm v=2 2"),
              ElementsAre("varve.m  v=d:2 2", "1:bad_line"));
  EXPECT_THAT(parse("m,time=x v=\"text\nadmin v=1 1\n\" 1\nm v=2 2"),
              ElementsAre("varve.m  v=d:2 2", "1:invalid_name"));
}

TEST(LineProtocol, SaysWhatWasExpectedWhere) {
  RowSet rows;
  std::vector<LineReject> rejects;
  parse_line_protocol("m v=1\nm,host= v=1\xff", {}, rows, rejects);
  ASSERT_EQ(rejects.size(), 1U);
  EXPECT_EQ(rejects[0].line, 2U);
  EXPECT_EQ(rejects[0].detail, "expected a tag's value at byte 8");
  EXPECT_EQ(rejects[0].text, "m,host= v=1\\xFF");
}

TEST(LineProtocol, RefusesDuplicateTagsAndTakesTheLastOfDuplicateFields) {
  EXPECT_THAT(parse("m,a=1,a=1 v=1 1"), ElementsAre("1:duplicate_tag"));
  EXPECT_THAT(parse("m v=1,w=1,v=2i,v=3 1"), ElementsAre("varve.m  v=d:3,w=d:1 1"));
}

TEST(LineProtocol, RefusesNamesThatCannotBeColumns) {
  EXPECT_THAT(parse("m,time=1 v=1\nm time=1\nvarve_quarantine v=1\nm,a=1 a=1"),
              ElementsAre("1:invalid_name", "2:invalid_name", "3:invalid_name", "4:type_conflict"));
  const std::string name(256, 'n');
  EXPECT_THAT(parse(fmt::format("{0} v=1\nm,{0}=1 v=1\nm {0}=1\nm,t={1} v=1\nm v=\"{2}\"", name,
                                std::string(4097, 'v'), std::string((1 << 20) + 1, 's'))),
              ElementsAre("1:invalid_name", "2:invalid_name", "3:invalid_name", "4:value_too_long",
                          "5:value_too_long"));
}

TEST(LineProtocol, RefusesInvalidUtf8InItsOwnLineOnly) {
  EXPECT_THAT(
      parse("m v=1 1\nm v=\"\xff\" 2\nm,t=\xc3 v=1 3\nm,t=\xc3\xa9 v=2 4"),
      ElementsAre("varve.m  v=d:1 1", "varve.m t=\xc3\xa9 v=d:2 4", "2:invalid_utf8", "3:invalid_utf8"));
}

TEST(LineProtocol, NumbersEachRowWithItsLine) {
  RowSet rows;
  std::vector<LineReject> rejects;
  parse_line_protocol("m v=1 1\nbad\n\nm v=\"a\nb\" 2\nm w=3 3", {}, rows, rejects);
  const auto taken = rows.take();
  ASSERT_EQ(taken.batches.size(), 2U);  // v is a double, then a string
  EXPECT_EQ(taken.messages[0], (std::vector<uint32_t>{1, 6}));
  EXPECT_EQ(taken.messages[1], (std::vector<uint32_t>{4}));
}

TEST(LineProtocol, BoundsTheListOfRefusalsButCountsAll) {
  std::string body;
  for (int i = 0; i < 1500; ++i) body += "bad\n";
  RowSet rows;
  std::vector<LineReject> rejects;
  size_t refused = 0;
  EXPECT_EQ(parse_line_protocol(body, {}, rows, rejects, &refused), 0U);
  EXPECT_EQ(rejects.size(), 1000U);
  EXPECT_EQ(refused, 1500U);
}

TEST(LineProtocol, DecodesKafkaMessages) {
  DecodeMapping mapping;
  mapping.format = InputFormat::kLine;
  mapping.database = "plant";
  mapping.table = "{measurement}";
  const auto decoder = std::move(*make_decoder(mapping));
  RowSet rows;
  std::vector<DecodeReject> rejects;
  rows.set_message(42);
  decoder->decode("m,t=a v=1\nbad\n", {"topic", 77}, rows, rejects);
  ASSERT_EQ(rejects.size(), 1U);
  EXPECT_EQ(rejects[0].reason, "bad_line");
  EXPECT_EQ(rejects[0].line, 2U);
  const auto taken = rows.take();
  EXPECT_THAT(batch_texts(taken.batches), ElementsAre("plant.m t=a v=d:1 77"));
  EXPECT_EQ(taken.messages[0], std::vector<uint32_t>{42});
  rejects.clear();
  decoder->decode("", {"topic", 77}, rows, rejects);
  std::string many;
  for (int i = 0; i < 150; ++i) many += "bad\n";
  decoder->decode(many, {"topic", 77}, rows, rejects);
  ASSERT_EQ(rejects.size(), 102U);
  EXPECT_EQ(rejects[0].reason, "empty_message");
  EXPECT_EQ(rejects.back().detail, "50 more rows of this message were refused");
  rejects.clear();
  decoder->decode(std::string((16 << 20) + 1, ' '), {"topic", 77}, rows, rejects);
  EXPECT_EQ(rejects.at(0).reason, "message_too_large");
}

TEST(LineProtocol, TakesTableTagsAndPrecisionFromTheMappingOfAMessage) {
  DecodeMapping mapping;
  mapping.format = InputFormat::kLine;
  mapping.table = "all";
  mapping.tags = {"$key", "from=$topic", "$partition", "$header.site"};
  mapping.time_format = "ms";
  const auto decoder = std::move(*make_decoder(mapping));
  RowSet rows;
  std::vector<DecodeReject> rejects;
  decoder->decode("m,key=own v=1 5\nn v=2\no from=3 7",
                  {.topic = "readings", .timestamp_ns = 8'500'000, .partition = 3, .key = "k"}, rows,
                  rejects);
  EXPECT_THAT(take_texts(rows), ElementsAre("varve.all from=readings,key=own,partition=3 v=d:1 5000000",
                                            "varve.all from=readings,key=k,partition=3 v=d:2 8000000"));
  ASSERT_EQ(rejects.size(), 1U);
  EXPECT_EQ(rejects[0].reason, "type_conflict");
  EXPECT_EQ(rejects[0].line, 3U);
  rejects.clear();
  decoder->decode("m v=1", {.topic = "t", .key = std::string_view("\xff")}, rows, rejects);
  const std::string long_key(4097, 'x');
  decoder->decode("m v=1", {.topic = "t", .key = long_key}, rows, rejects);
  ASSERT_EQ(rejects.size(), 2U);
  EXPECT_EQ(rejects[0].reason, "invalid_utf8");
  EXPECT_EQ(rejects[1].reason, "value_too_long");
  EXPECT_EQ(rows.rows(), 0U);
  mapping.table = "{topic}";
  mapping.tags = {};
  std::move(*make_decoder(mapping))->decode("m v=1 5", {.topic = "t"}, rows, rejects);
  EXPECT_THAT(take_texts(rows), ElementsAre("varve.t  v=d:1 5000000"));
}

// ---- writing ----

RowBatch one_row(const std::function<void(RowBatchBuilder&)>& fill, std::string table = "m") {
  RowBatchBuilder builder("varve", std::move(table));
  builder.begin_row();
  fill(builder);
  builder.end_row(5);
  return builder.finish();
}

std::string written(const RowBatch& batch) {
  std::string out = "kept ";
  LineProtocolWriter writer(batch);
  return writer.append(0, out) ? out.substr(5) : out == "kept " ? "not writable" : "left something behind";
}

TEST(LineProtocolWriter, WritesSortedTagsAndTypedFields) {
  const RowBatch batch = one_row([](RowBatchBuilder& b) {
    b.tag("z", "1");
    b.tag("a", "x y");
    b.field_double("d", 0.1);
    b.field_int("i", INT64_MIN);
    b.field_bool("b", false);
    b.field_string("s", "q\"\\\n");
  });
  EXPECT_EQ(written(batch), "m,a=x\\ y,z=1 d=0.1,i=-9223372036854775808i,b=false,s=\"q\\\"\\\\\n\" 5\n");
}

TEST(LineProtocolWriter, LeavesOutWhatIsNotFinite) {
  const RowBatch some = one_row([](RowBatchBuilder& b) {
    b.field_double("nan", std::nan(""));
    b.field_double("inf", -std::numeric_limits<double>::infinity());
    b.field_double("v", -0.0);
  });
  LineProtocolWriter writer(some);
  std::string out;
  EXPECT_TRUE(writer.append(0, out));
  EXPECT_EQ(out, "m v=-0 5\n");
  EXPECT_EQ(writer.skipped_values(), 2U);
  EXPECT_EQ(written(one_row([](RowBatchBuilder& b) { b.field_double("v", std::nan("")); })), "not writable");
}

TEST(LineProtocolWriter, RefusesWhatHasNoWrittenForm) {
  const auto field = [](RowBatchBuilder& b) { b.field_int("v", 1); };
  for (const char* table : {"#m", "\tm", "m\\", "a\nb"})
    EXPECT_EQ(written(one_row(field, table)), "not writable");
  for (const char* text : {"x\\", "a\nb"}) {
    EXPECT_EQ(written(one_row([&](RowBatchBuilder& b) { b.tag("t", text), field(b); })), "not writable");
    EXPECT_EQ(written(one_row([&](RowBatchBuilder& b) { b.tag(text, "x"), field(b); })), "not writable");
    EXPECT_EQ(written(one_row([&](RowBatchBuilder& b) { b.field_int(text, 1); })), "not writable");
  }
}

std::string random_name(std::mt19937_64& random) {
  static const std::vector<std::string> parts = {"a",  "B", "9",        ",",  " ",   "=", "\"",
                                                 "\\", "#", "\xc3\xa9", "\t", "\\,", "i", "."};
  std::string name;
  const size_t length = 1 + random() % 8;
  for (size_t i = 0; i < length; ++i) name += parts[random() % parts.size()];
  return name + "x";
}

std::string random_string(std::mt19937_64& random) {
  static const std::vector<std::string> parts = {
      "a", "\"", "\\", "\n", "\r", ",", " ", "=", "\\n", "\xe2\x82\xac", std::string(1, '\0')};
  std::string text;
  const size_t length = random() % 12;
  for (size_t i = 0; i < length; ++i) text += parts[random() % parts.size()];
  return text;
}

double random_double(std::mt19937_64& random) {
  while (true) {
    double value = std::bit_cast<double>(random());
    if (random() % 3 == 0)
      value = static_cast<double>(static_cast<int64_t>(random() % 2'000'000) - 1'000'000) / 100;
    if (std::isfinite(value)) return value;
  }
}

TEST(LineProtocolWriter, RoundTripsRandomRowsBitByBit) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> tags(random() % 4);
    std::vector<std::string> fields(1 + random() % 5);
    for (auto& tag : tags) tag = "t" + random_name(random);
    for (auto& field : fields) field = "f" + random_name(random);
    RowBatchBuilder builder("varve", "m" + random_name(random));
    for (int row = 0; row < 20; ++row) {
      builder.begin_row();
      for (const auto& tag : tags) {
        if (random() % 4 != 0) builder.tag(tag, random_name(random));
      }
      for (size_t i = 0; i < fields.size(); ++i) {
        if (i > 0 && random() % 4 == 0) continue;
        switch (std::hash<std::string>{}(fields[i]) % 4) {
          case 0:
            builder.field_double(fields[i], random_double(random));
            break;
          case 1:
            builder.field_int(fields[i], static_cast<int64_t>(random()));
            break;
          case 2:
            builder.field_bool(fields[i], random() % 2 == 0);
            break;
          default:
            builder.field_string(fields[i], random_string(random));
        }
      }
      builder.end_row(static_cast<int64_t>(random() >> 1) - static_cast<int64_t>(random() >> 2));
    }
    const RowBatch batch = builder.finish();
    std::string body;
    LineProtocolWriter writer(batch);
    for (size_t row = 0; row < batch.rows(); ++row)
      ASSERT_TRUE(writer.append(row, body)) << row_text(batch, row);
    RowSet rows;
    std::vector<LineReject> rejects;
    ASSERT_EQ(parse_line_protocol(body, {}, rows, rejects), batch.rows())
        << body << (rejects.empty() ? "" : rejects[0].detail);
    // fmt writes doubles in their shortest round-trip form, -0 apart from 0: equal text is equal bits.
    ASSERT_EQ(take_texts(rows), batch_texts({batch}));
  }
}

}  // namespace
}  // namespace varve
