#include "api/influxql/answer_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "api/influxql/go_text.h"
#include "storage/base/clock.h"

namespace varve::influxql {
namespace {

using Format = AnswerOptions::Format;

// What a writer makes of statements.
class Answer {
 public:
  explicit Answer(AnswerOptions options = {})
      : writer(AnswerWriter::make(options, [this](std::string_view text) {
          ++pieces;
          body += text;
          return !gone;
        })) {}

  std::string body;
  int pieces = 0;
  bool gone = false;
  std::unique_ptr<AnswerWriter> writer;
};

SeriesHead cpu(const std::string& host = {}) {
  SeriesHead head;
  head.name = "cpu";
  if (!host.empty()) head.tags = {{"host", host}};
  head.columns = {"time", "v"};
  head.has_time = true;
  return head;
}

SeriesRows values(const std::vector<std::pair<int64_t, double>>& rows) {
  SeriesRows batch;
  batch.columns.emplace_back(FieldType::kInt64);
  batch.columns.emplace_back(FieldType::kDouble);
  for (const auto& [time, value] : rows) {
    batch.columns[0].push_int(time);
    std::isnan(value) ? batch.columns[1].push_null() : batch.columns[1].push_double(value);
  }
  batch.rows = rows.size();
  return batch;
}

void write(AnswerWriter& writer, const SeriesHead& head,
           const std::vector<std::pair<int64_t, double>>& rows) {
  EXPECT_TRUE(writer.begin(head));
  EXPECT_TRUE(writer.rows(values(rows)));
}

TEST(InfluxAnswer, WritesSeriesOfStatements) {
  Answer answer;
  answer.writer->begin_statement(0, {});
  write(*answer.writer, cpu("a"), {{1'500'000'000, 1}, {2'000'000'000, NAN}});
  write(*answer.writer, cpu("b"), {{-1, -0.5}});
  answer.writer->end_statement("", "");
  answer.writer->begin_statement(1, {kNsPerMs, {}});
  write(*answer.writer, cpu(), {{1'500'000'000, 1e21}});
  answer.writer->end_statement("", "careful");
  answer.writer->begin_statement(2, {});
  answer.writer->end_statement("", "");
  EXPECT_TRUE(answer.writer->finish());
  EXPECT_EQ(
      answer.body,
      R"({"results":[{"statement_id":0,"series":[{"name":"cpu","tags":{"host":"a"},"columns":["time","v"],"values":)"
      R"([["1970-01-01T00:00:01.5Z",1],["1970-01-01T00:00:02Z",null]]},{"name":"cpu","tags":{"host":"b"},)"
      R"("columns":["time","v"],"values":[["1969-12-31T23:59:59.999999999Z",-0.5]]}]},{"statement_id":1,)"
      R"("series":[{"name":"cpu","columns":["time","v"],"values":[[1500,1e+21]]}],)"
      R"("messages":[{"level":"warning","text":"careful"}]},{"statement_id":2}]})"
      "\n");
}

TEST(InfluxAnswer, WritesNothingForNoStatements) {
  Answer whole;
  EXPECT_TRUE(whole.writer->finish());
  EXPECT_EQ(whole.body, "{}\n");
  Answer chunked({Format::kJson, 10});
  EXPECT_TRUE(chunked.writer->finish());
  EXPECT_EQ(chunked.body, "");
}

TEST(InfluxAnswer, IndentsByFourSpaces) {
  Answer answer({Format::kPrettyJson, 0});
  answer.writer->begin_statement(0, {1, {}});
  write(*answer.writer, cpu("a"), {{1, 2}});
  answer.writer->end_statement("", "");
  answer.writer->finish();
  EXPECT_EQ(answer.body, R"({
    "results": [
        {
            "statement_id": 0,
            "series": [
                {
                    "name": "cpu",
                    "tags": {
                        "host": "a"
                    },
                    "columns": [
                        "time",
                        "v"
                    ],
                    "values": [
                        [
                            1,
                            2
                        ]
                    ]
                }
            ]
        }
    ]
}
)");
}

TEST(InfluxAnswer, TakesBackWhatAFailedStatementWrote) {
  Answer answer;
  answer.writer->begin_statement(0, {1, {}});
  write(*answer.writer, cpu(), {{1, 1}});
  answer.writer->end_statement("", "");
  answer.writer->begin_statement(1, {1, {}});
  write(*answer.writer, cpu(), {{2, 2}});
  answer.writer->end_statement("it broke", "");
  answer.writer->begin_statement(2, {1, {}});
  answer.writer->end_statement("not executed", "");
  answer.writer->finish();
  EXPECT_EQ(
      answer.body,
      R"({"results":[{"statement_id":0,"series":[{"name":"cpu","columns":["time","v"],"values":[[1,1]]}]},)"
      R"({"statement_id":1,"error":"it broke"},{"statement_id":2,"error":"not executed"}]})"
      "\n");
}

TEST(InfluxAnswer, TellsAnErrorAfterRowsThatHaveLeft) {
  Answer answer;
  answer.writer->begin_statement(0, {1, {}});
  const std::vector<std::pair<int64_t, double>> many(20'000, {1, 1});
  write(*answer.writer, cpu(), many);
  EXPECT_GT(answer.pieces, 0);
  answer.writer->end_statement("it broke", "");
  answer.writer->finish();
  EXPECT_TRUE(answer.body.ends_with("[1,1],[1,1]]}],\"error\":\"it broke\"}]}\n"));
}

TEST(InfluxAnswer, CutsChunksBySeriesAndRows) {
  Answer answer({Format::kJson, 2});
  answer.writer->begin_statement(0, {1, {}});
  write(*answer.writer, cpu("a"), {{1, 1}, {2, 2}, {3, 3}});
  write(*answer.writer, cpu("b"), {{4, 4}, {5, 5}});
  answer.writer->end_statement("", "");
  answer.writer->begin_statement(1, {1, {}});
  answer.writer->end_statement("", "");
  answer.writer->finish();
  const std::string a =
      R"({"results":[{"statement_id":0,"series":[{"name":"cpu","tags":{"host":"a"},"columns":["time","v"],)";
  const std::string b =
      R"({"results":[{"statement_id":0,"series":[{"name":"cpu","tags":{"host":"b"},"columns":["time","v"],)";
  EXPECT_EQ(answer.body, a + R"("values":[[1,1],[2,2]],"partial":true}],"partial":true}]})" + "\n" + a +
                             R"("values":[[3,3]]}],"partial":true}]})" + "\n" + b +
                             R"("values":[[4,4],[5,5]]}]}]})" + "\n" + R"({"results":[{"statement_id":1}]})" +
                             "\n");
}

TEST(InfluxAnswer, WritesCsv) {
  Answer answer({Format::kCsv, 0});
  answer.writer->begin_statement(0, {});
  write(*answer.writer, cpu("a b"), {{1'000'000'000, 1e21}, {2'000'000'000, NAN}});
  answer.writer->end_statement("", "");
  answer.writer->begin_statement(1, {});
  answer.writer->end_statement("an error has no place in CSV", "");
  answer.writer->begin_statement(2, {kNsPerSecond, {}});
  SeriesHead head = cpu();
  head.tags = {{"host", "a,\"b\""}, {"dc", ""}};
  write(*answer.writer, head, {{2'000'000'000, 0.5}});
  answer.writer->end_statement("", "");
  answer.writer->finish();
  EXPECT_EQ(answer.body,
            "name,tags,time,v\n"
            "cpu,host=a\\ b,1000000000,1000000000000000000000\n"
            "cpu,host=a\\ b,2000000000,\n"
            "\n"
            "name,tags,time,v\n"
            "cpu,\"host=a\\,\"\"b\"\"\",2,0.5\n");
}

TEST(InfluxAnswer, LeavesValuesOutOfASeriesWithoutRows) {
  Answer answer;
  answer.writer->begin_statement(0, {});
  SeriesHead head;
  head.columns = {"user", "admin"};
  answer.writer->begin(head);
  answer.writer->end_statement("", "");
  answer.writer->finish();
  EXPECT_EQ(answer.body, R"({"results":[{"statement_id":0,"series":[{"columns":["user","admin"]}]}]})"
                         "\n");
}

TEST(InfluxAnswer, StopsWhenTheReaderIsGone) {
  Answer answer;
  answer.gone = true;
  answer.writer->begin_statement(0, {1, {}});
  EXPECT_TRUE(answer.writer->begin(cpu()));
  const std::vector<std::pair<int64_t, double>> many(20'000, {1, 1});
  EXPECT_FALSE(answer.writer->rows(values(many)));
  EXPECT_EQ(answer.pieces, 1);
  EXPECT_FALSE(answer.writer->finish());
}

TEST(InfluxAnswer, ShowsTimesInAZone) {
  Answer answer;
  answer.writer->begin_statement(0, {0, [](int64_t) { return 3600 * kNsPerSecond; }});
  write(*answer.writer, cpu(), {{0, 1}});
  answer.writer->end_statement("", "");
  answer.writer->finish();
  EXPECT_NE(answer.body.find(R"([["1970-01-01T01:00:00+01:00",1]])"), std::string::npos) << answer.body;
}

std::string json_number(double value) {
  std::string text;
  append_json_number(text, value);
  return text;
}

TEST(GoText, PrintsNumbersAsGo) {
  EXPECT_EQ(json_number(0), "0");
  EXPECT_EQ(json_number(-0.0), "-0");
  EXPECT_EQ(json_number(100), "100");
  EXPECT_EQ(json_number(0.1), "0.1");
  EXPECT_EQ(json_number(123.456), "123.456");
  EXPECT_EQ(json_number(1e-6), "0.000001");
  EXPECT_EQ(json_number(9.5e-7), "9.5e-7");
  EXPECT_EQ(json_number(-1e-10), "-1e-10");
  EXPECT_EQ(json_number(1e20), "100000000000000000000");
  EXPECT_EQ(json_number(1.2345678901234567e20), "123456789012345670000");
  EXPECT_EQ(json_number(1e21), "1e+21");
  EXPECT_EQ(json_number(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
  EXPECT_EQ(json_number(std::numeric_limits<double>::denorm_min()), "5e-324");
  EXPECT_EQ(json_number(INFINITY), "null");
  EXPECT_EQ(json_number(NAN), "null");
  std::string plain;
  append_plain_number(plain, 1.5e-7);
  EXPECT_EQ(plain, "0.00000015");
}

TEST(GoText, EscapesStringsAsGo) {
  std::string text;
  append_json_string(text, "<a>&\"\\\n\r\t\x01\x7f\xc3\xa9\xff\xe2\x80\xa8");
  EXPECT_EQ(text, "\"\\u003ca\\u003e\\u0026\\\"\\\\\\n\\r\\t\\u0001\x7f\xc3\xa9\\ufffd\\u2028\"");
  std::string csv;
  for (const char* field : {"plain", "a,b", "a\"b", " lead", "", "\\.", "two\nlines"}) {
    append_csv_field(csv, field);
    csv += ';';
  }
  EXPECT_EQ(csv, "plain;\"a,b\";\"a\"\"b\";\" lead\";;\"\\.\";\"two\nlines\";");
}

TEST(GoText, PrintsTimesAndDurationsAsGo) {
  const auto time = [](int64_t ns, int64_t offset) {
    std::string text;
    append_rfc3339(text, ns, offset);
    return text;
  };
  EXPECT_EQ(time(0, 0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(time(1'230'000'000, 0), "1970-01-01T00:00:01.23Z");
  EXPECT_EQ(time(1, -int64_t{9000} * kNsPerSecond), "1969-12-31T21:30:00.000000001-02:30");
  EXPECT_EQ(time(INT64_MAX, 3600 * kNsPerSecond), "2262-04-11T23:47:16.854775807Z");
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(14'000), "14\xc2\xb5s");
  EXPECT_EQ(duration_text(1'500'000), "1.5ms");
  EXPECT_EQ(duration_text(1'500'000'000), "1.5s");
  EXPECT_EQ(duration_text(3'605'000'000'000), "1h0m5s");
}

}  // namespace
}  // namespace varve::influxql
