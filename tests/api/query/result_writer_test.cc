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

// The widest piece a writer ever hands over, and all of them.
struct Pieces {
  std::string text;
  size_t largest = 0;
  ResultWriter::Output output() {
    return [this](std::string_view piece) {
      text += piece;
      largest = std::max(largest, piece.size());
      return true;
    };
  }
};

TEST(ResultWriter, StreamsLongTablesWithTheWidthsOfTheFirstRows) {
  Pieces pieces;
  auto writer = ResultWriter::make(ResultFormat::kTable, TimeFormat::kNs, pieces.output());
  writer->begin({{"n", ResultType::kInt64}, {"m", ResultType::kInt64}});
  for (int64_t i = 0; i < 200'000; i += 1000) {
    ResultBatch batch;
    batch.rows = 1000;
    batch.columns.assign(2, ColumnVector(FieldType::kInt64));
    for (int64_t k = i; k < i + 1000; ++k) {
      batch.columns[0].push_int(k);
      batch.columns[1].push_int(7);
    }
    EXPECT_TRUE(writer->rows(batch));
    if (i == 100'000) {
      EXPECT_GT(pieces.text.size(), 500'000U) << "rows must not wait for the last one";
    }
  }
  QueryStats stats;
  stats.row_count = 200'000;
  EXPECT_TRUE(writer->finish(stats));
  EXPECT_TRUE(pieces.text.starts_with("  n  m\n---  -\n  0  7\n  1  7\n"));
  EXPECT_TRUE(pieces.text.ends_with("\n199998  7\n199999  7\n(200000 rows, 0.0 ms)\n"));
  EXPECT_LT(pieces.largest, 200U << 10);
}

TEST(ResultWriter, HandsOutLongTextInParts) {
  std::string text = "\"";
  while (text.size() < (5U << 20))
    text += "a\xe6\xb0\xb4";  // of odd length, so that characters straddle every border
  for (const ResultFormat format : {ResultFormat::kJson, ResultFormat::kNdjson, ResultFormat::kCsv}) {
    Pieces pieces;
    auto writer = ResultWriter::make(format, TimeFormat::kNs, pieces.output());
    writer->begin({{"a", ResultType::kString}, {"b", ResultType::kString}});
    ResultBatch batch;
    batch.rows = 1;
    batch.columns.assign(2, ColumnVector(FieldType::kString));
    batch.columns[0].push_string(text);
    batch.columns[1].push_string(text.substr(1));
    EXPECT_TRUE(writer->rows(batch));
    EXPECT_TRUE(writer->finish({}));
    EXPECT_LT(pieces.largest, 300U << 10);
    if (format == ResultFormat::kCsv) {
      EXPECT_EQ(pieces.text, "a,b\r\n\"\"" + text + "\"," + text.substr(1) + "\r\n");
    } else {
      const nlohmann::json json = nlohmann::json::parse(pieces.text);
      EXPECT_EQ((format == ResultFormat::kJson ? json["rows"][0][0] : json["a"]).get<std::string>(), text);
    }
  }
}

TEST(ResultWriter, CutsCellsOfMarksThatTakeNoPlace) {
  Pieces pieces;
  auto writer = ResultWriter::make(ResultFormat::kTable, TimeFormat::kNs, pieces.output());
  writer->begin({{"a", ResultType::kString}});
  std::string marks;
  for (int i = 0; i < 100'000; ++i) marks += "\xcc\x80";  // combining grave
  ResultBatch batch;
  batch.rows = 1;
  batch.columns.emplace_back(FieldType::kString).push_string(marks);
  EXPECT_TRUE(writer->rows(batch));
  EXPECT_TRUE(writer->finish({}));
  EXPECT_LT(pieces.text.size(), 2000U);
}

TEST(ResultWriter, StopsWhenTheReaderIsGone) {
  for (const ResultFormat format :
       {ResultFormat::kJson, ResultFormat::kCsv, ResultFormat::kNdjson, ResultFormat::kTable}) {
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

TEST(ResultWriter, WritesObjectsAsTheLinesOfNdjsonInOneArray) {
  std::string array = "[";
  std::string lines = written(ResultFormat::kNdjson, TimeFormat::kMs);
  for (size_t end = lines.find('\n'); end != std::string::npos; end = lines.find('\n')) {
    array += (array.size() == 1 ? "" : ",\n") + lines.substr(0, end);
    lines.erase(0, end + 1);
  }
  EXPECT_EQ(written(ResultFormat::kObjects, TimeFormat::kMs), array + "]\n");
  EXPECT_EQ(nlohmann::json::parse(array + "]").size(), 4U);
}

TEST(ResultWriter, KnowsItsNames) {
  EXPECT_EQ(parse_result_format("objects"), ResultFormat::kObjects);
  EXPECT_EQ(parse_result_format("ndjson"), ResultFormat::kNdjson);
  EXPECT_EQ(parse_result_format("xml"), std::nullopt);
  EXPECT_EQ(parse_time_format("us"), TimeFormat::kUs);
  EXPECT_EQ(parse_time_format("min"), std::nullopt);
  EXPECT_EQ(content_type(ResultFormat::kCsv), "text/csv; charset=utf-8");
}

}  // namespace
}  // namespace varve
