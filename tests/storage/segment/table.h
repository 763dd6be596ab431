// A small table in memory: what a segment must give back. Builds images and compares what is read with
// itself.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "storage/segment/reader.h"
#include "storage/segment/writer.h"
#include "tests/storage/codec/generators.h"

namespace varve::testing {

struct TestSeries {
  std::vector<std::pair<std::string, std::string>> tags;  // sorted by name
  std::vector<int64_t> times;
  std::vector<ColumnVector> columns;

  std::vector<TagPair> pairs() const { return {tags.begin(), tags.end()}; }
};

struct TestTable {
  SegmentSchema schema;
  std::map<std::string, TestSeries> series;  // by canonical key

  size_t rows() const;
};

struct TableShape {
  size_t series = 3;
  size_t rows_min = 1;
  size_t rows_max = 2000;
  bool nulls = true;
};

// Fields: a double with two decimals, a full double, an int64, a bool, a string; tags site and sensor.
TestTable random_table(Random& random, TableShape shape);

// In chunks of at most `chunk` rows a call.
Result<std::string> write_table(const TestTable& table, SegmentIdentity identity,
                                Effort effort = Effort::kFast, size_t chunk = 700);

// Every row and every usable statistic through the reader's doors; the first difference, or empty.
std::string difference(const std::shared_ptr<const SegmentReader>& segment, const TestTable& table);

}  // namespace varve::testing
