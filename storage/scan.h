// The store's one read door: rows of a table, series by series, each series in ascending time without duplicates.
// A scan sees the state of the moment it was opened; later writes, flushes and compactions do not disturb it.
// Errors: kCorruption naming segment and block. Threads: a Scan belongs to one thread at a time; several may run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/base/error.h"
#include "storage/model/column.h"
#include "storage/model/types.h"

namespace varve {

using SeriesId = uint32_t;  // dense within a table, stable while the store is open

// The tags of one series. Views live as long as the scan.
class SeriesTags {
 public:
  virtual ~SeriesTags() = default;
  virtual std::string_view value(std::string_view tag_name) const = 0;  // empty = the series lacks the tag
};

struct ScanRequest {
  std::string database;
  std::string table;
  std::vector<std::string> fields;  // the order of ScanBlock::columns; a name the table lacks gives all nulls
  TimeRange time;
  std::function<bool(const SeriesTags&)> series_filter;  // empty = every series
  // When set, a block whose rows are all wanted and lie in one time bucket may come as statistics only.
  // Bucket k is [origin + k * width, origin + (k + 1) * width); width 0 = the whole range is one bucket.
  bool may_use_statistics = false;
  int64_t bucket_width_ns = 0;
  int64_t bucket_origin_ns = 0;
};

// Of the non-null values of one column in one block. For doubles: NaN counts but takes part in nothing else
// (a block with a NaN never comes as statistics). For int64, sum is exact or the block does not come as statistics.
struct ColumnStatistics {
  uint64_t count = 0;
  double min = 0, max = 0, sum = 0, first = 0, last = 0;                       // type double
  int64_t min_int = 0, max_int = 0, sum_int = 0, first_int = 0, last_int = 0;  // type int64
};

struct ScanBlock {
  SeriesId series = 0;
  size_t rows = 0;
  // Either rows ...
  std::span<const int64_t> times;
  std::span<const ColumnVector> columns;
  // ... or statistics of all `rows` rows between time_min and time_max, one per requested field.
  bool from_statistics = false;
  std::span<const ColumnStatistics> statistics;
  int64_t time_min = 0;
  int64_t time_max = 0;
};

struct ScanCounters {
  uint64_t rows = 0;  // rows handed out, decoded or by statistics
  uint64_t blocks_decoded = 0;
  uint64_t blocks_from_statistics = 0;
  uint64_t segments = 0;         // opened
  uint64_t segments_pruned = 0;  // not opened, by time range or because all their rows are deleted
};

class Scan {
 public:
  virtual ~Scan() = default;
  // The type of each requested field; nullopt where the table lacks it.
  virtual std::span<const std::optional<FieldType>> field_types() const = 0;
  // Fills `block` with the next run of rows; views are valid until the next call. False at the end.
  virtual Result<bool> next(ScanBlock& block) = 0;
  virtual const SeriesTags& tags(SeriesId series) const = 0;  // of a series this scan has handed out
  virtual const ScanCounters& counters() const = 0;
};

}  // namespace varve
