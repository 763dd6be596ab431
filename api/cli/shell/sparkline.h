// A series as a line of blocks, "▁▂▄█", and an answer as one such line for each group of its columns of text.
// An answer needs a column of times and one of numbers; columns of text (tags) tell the series apart, in the order they
// first come. Each series becomes a row: its tags, the value's name when there are several, the line, points, min, max,
// last. All lines cover the answer's whole range of time in kSparkWidth equal steps (means); a step without a value is a
// space.
// Threads: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "api/cli/shell/answer_reader.h"

namespace varve {

constexpr size_t kSparkWidth = 32;             // guessed: beside tags and four numbers it fits in 100 columns
constexpr size_t kSparkPointsMax = 4'000'000;  // 64 MiB; further rows are counted as left out

// nullopt = no value there. A line of equal values is drawn low.
std::string sparkline(const std::vector<std::optional<double>>& values);

class SparkTable : public AnswerSink {
 public:
  explicit SparkTable(AnswerSink& out) : out_(out) {}

  bool columns(const std::vector<AnswerColumn>& columns) override;
  bool row(const AnswerRow& row) override;
  bool finish(const AnswerEnd& end) override;

 private:
  struct Point {
    int64_t time_ns;
    double value;
  };
  struct Series {
    AnswerRow tags;
    size_t value_column = 0;
    std::vector<Point> points;
  };

  AnswerRow line_of(const Series& series, int64_t from_ns, int64_t to_ns) const;

  AnswerSink& out_;
  std::vector<AnswerColumn> columns_;
  std::optional<size_t> time_column_;
  std::vector<size_t> tag_columns_;
  std::vector<size_t> value_columns_;
  bool possible_ = false;  // else rows go on as they are
  std::vector<Series> series_;
  std::map<std::string, size_t> by_key_;  // first of series_ of a group of tags
  size_t points_ = 0;
};

}  // namespace varve
