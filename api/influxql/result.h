// What InfluxQL statements answer with: series of rows, each row's first column `time` where the statement has one.
// Rows travel column by column in batches, so that an answer of any length takes one batch of memory.
// Threads: a sink belongs to one statement on one thread.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "storage/model/column.h"

namespace varve::influxql {

// Heads a series of the answer.
struct SeriesHead {
  std::string name;  // empty = the answer has none (SHOW RETENTION POLICIES)
  std::vector<std::pair<std::string, std::string>>
      tags;  // of GROUP BY, by name; a series without the tag has ""
  std::vector<std::string> columns;
  bool has_time = false;  // column 0 is time: int64 ns, shown by the request's `epoch`
};

struct SeriesRows {
  std::vector<ColumnVector> columns;  // as many as SeriesHead::columns
  size_t rows = 0;
};

class ResultSink {
 public:
  virtual ~ResultSink() = default;
  // False = stop, the reader is gone. rows() belong to the series begun last; a series without rows is not begun.
  virtual bool begin(const SeriesHead& head) = 0;
  virtual bool rows(const SeriesRows& batch) = 0;
};

}  // namespace varve::influxql
