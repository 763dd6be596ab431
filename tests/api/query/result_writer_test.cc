#include "api/query/result_writer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace varve {
namespace {

std::vector<ResultColumn> columns() {
  return {{"time", ResultType::kTimestamp},
          {"ph \"x\"", ResultType::kDouble},
          {"n", ResultType::kInt64},
          {"ok", ResultType::kBool},
          {"note", ResultType::kString}};
}

ResultBatch batch() {
  ResultBatch batch;
  for (const FieldType type :
       {FieldType::kInt64, FieldType::kDouble, FieldType::kInt64, FieldType::kBool, FieldType::kString}) {
    batch.columns.emplace_back(type);
  }
  const auto add = [&](int64_t time, double ph, int64_t n, bool ok, std::string_view note) {
    batch.columns[0].push_int(time);
    batch.columns[1].push_double(ph);
    batch.columns[2].push_int(n);
    batch.columns[3].push_bool(ok);
    batch.columns[4].push_string(note);
    ++batch.rows;
  };
  add(1'767'225'600'000'000'000, 7.31, -5, true, "a,b \"c\"\n");
  add(-1'500'000, 0.1, INT64_MAX, false, "");
  for (ColumnVector& column : batch.columns) column.push_null();
  ++batch.rows;
  add(0, INFINITY, 0, true, "\xe6\xb0\xb4\x01\xff");
  return batch;
}

std::string written(ResultFormat format, TimeFormat time_format = TimeFormat::kRfc3339) {
  std::string text;
  auto writer = ResultWriter::make(format, time_format, [&](std::string_view piece) {
    text += piece;
    return true;
  });
  EXPECT_TRUE(writer->begin(columns()));
  EXPECT_TRUE(writer->rows(batch()));
  QueryStats stats;
  stats.engine = "native";
  stats.elapsed_ms = 0.4;
  stats.row_count = 4;
  stats.rows_scanned = 1440;
  EXPECT_TRUE(writer->finish(stats));
  return text;
}

TEST(ResultWriter, WritesTheJsonOfTheContract) {
  EXPECT_EQ(written(ResultFormat::kJson),
            "{\"columns\":[{\"name\":\"time\",\"type\":\"timestamp\"},{\"name\":\"ph "
            "\\\"x\\\"\",\"type\":\"double\"},"
            "{\"name\":\"n\",\"type\":\"int64\"},{\"name\":\"ok\",\"type\":\"bool\"},"
            "{\"name\":\"note\",\"type\":\"string\"}],\"rows\":["
            "[\"2026-01-01T00:00:00Z\",7.31,-5,true,\"a,b \\\"c\\\"\\n\"],"
            "[\"1969-12-31T23:59:59.998500Z\",0.1,9223372036854775807,false,\"\"],"
            "[null,null,null,null,null],"
            "[\"1970-01-01T00:00:00Z\",null,0,true,\"\xe6\xb0\xb4\\u0001\xef\xbf\xbd\"]],"
            "\"row_count\":4,\"stats\":{\"elapsed_ms\":0.4,\"engine\":\"native\",\"rows_scanned\":1440,"
            "\"blocks_decoded\":0,\"blocks_from_statistics\":0}}");
}

TEST(ResultWriter, WritesTimesInTheUnitAskedFor) {
  using nlohmann::json;
  const auto second_time = [](TimeFormat format) {
    return json::parse(written(ResultFormat::kJson, format))["rows"][1][0].get<int64_t>();
  };
  EXPECT_EQ(second_time(TimeFormat::kNs), -1'500'000);
  EXPECT_EQ(second_time(TimeFormat::kUs), -1'500);
  EXPECT_EQ(second_time(TimeFormat::kMs), -2);
  EXPECT_EQ(second_time(TimeFormat::kS), -1);
}

TEST(ResultWriter, WritesCsvThatCanBeReadBack) {
  EXPECT_EQ(written(ResultFormat::kCsv),
            "time,\"ph \"\"x\"\"\",n,ok,note\r\n"
            "2026-01-01T00:00:00Z,7.31,-5,true,\"a,b \"\"c\"\"\n\"\r\n"
            "1969-12-31T23:59:59.998500Z,0.1,9223372036854775807,false,\"\"\r\n"
            ",,,,\r\n"
            "1970-01-01T00:00:00Z,Inf,0,true,\xe6\xb0\xb4\x01\xff\r\n");
}

TEST(ResultWriter, WritesOneObjectALine) {
  std::istringstream lines(written(ResultFormat::kNdjson, TimeFormat::kMs));
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(
      line,
      "{\"time\":1767225600000,\"ph \\\"x\\\"\":7.31,\"n\":-5,\"ok\":true,\"note\":\"a,b \\\"c\\\"\\n\"}");
  int count = 1;
  for (; std::getline(lines, line); ++count) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  EXPECT_EQ(count, 4);
}

TEST(ResultWriter, AlignsTables) {
  EXPECT_EQ(written(ResultFormat::kTable),
            "time                         ph \"x\"                    n  ok     note\n"
            "---------------------------  ------  -------------------  -----  ----------\n"
            "2026-01-01T00:00:00Z           7.31                   -5  true   a,b \"c\"\\n\n"
            "1969-12-31T23:59:59.998500Z     0.1  9223372036854775807  false  \n"
            "NULL                           NULL                 NULL  NULL   NULL\n"
            "1970-01-01T00:00:00Z            Inf                    0  true   \xe6\xb0\xb4\\x01\\xff\n"
            "(4 rows, 0.4 ms)\n");
}

TEST(ResultWriter, CutsLongTables) {
  std::string text;
  auto writer = ResultWriter::make(ResultFormat::kTable, TimeFormat::kNs, [&](std::string_view piece) {
    text += piece;
    return true;
  });
  writer->begin({{"n", ResultType::kInt64}});
  ResultBatch batch;
  batch.columns.emplace_back(FieldType::kInt64);
  batch.rows = 4000;
  for (int i = 0; i < 4000; ++i) batch.columns[0].push_int(i);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(writer->rows(batch));
  QueryStats stats;
  stats.row_count = 16'000;
  EXPECT_TRUE(writer->finish(stats));
  EXPECT_TRUE(text.ends_with("(16000 rows, the first 10000 shown, 0.0 ms)\n"));
}

TEST(ResultWriter, StopsWhenTheReaderIsGone) {
  for (const ResultFormat format : {ResultFormat::kJson, ResultFormat::kCsv, ResultFormat::kNdjson}) {
    int pieces = 0;
    auto writer = ResultWriter::make(format, TimeFormat::kNs, [&](std::string_view) { return ++pieces < 2; });
    writer->begin(columns());
    const ResultBatch rows = batch();
    int batches = 0;
    while (writer->rows(rows)) ASSERT_LT(++batches, 100'000);
    EXPECT_EQ(pieces, 2);
    EXPECT_FALSE(writer->finish({}));
  }
}

TEST(ResultWriter, KnowsItsNames) {
  EXPECT_EQ(parse_result_format("ndjson"), ResultFormat::kNdjson);
  EXPECT_EQ(parse_result_format("xml"), std::nullopt);
  EXPECT_EQ(parse_time_format("us"), TimeFormat::kUs);
  EXPECT_EQ(parse_time_format("min"), std::nullopt);
  EXPECT_EQ(content_type(ResultFormat::kCsv), "text/csv; charset=utf-8");
}

}  // namespace
}  // namespace varve
