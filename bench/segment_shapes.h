// Tables that whole segments are measured on, seeded: the same bits in every run.
//   water     60 sensors * 10240 rows, timestamp + 5 fields of data_sets.h: the segment of the format notes
//   cpu       10 s steps, 10 doubles (TSBS cpu-only), with 2 decimals or full
//   sensors   60 s steps with +-0.5 s of jitter at ms, 4 doubles with 2 decimals + 2 ints
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/codec/int_page.h"
#include "storage/model/column.h"
#include "storage/model/series_key.h"
#include "storage/segment/format.h"

namespace varve::bench {

// Rows of one series; series k of a shape takes those of pool[k % pool size], as often as it has rows.
struct Rows {
  std::vector<int64_t> offsets;  // from the grid of the shape, ns
  std::vector<ColumnVector> columns;
};
struct Shape {
  std::string name;
  size_t series = 0;
  size_t rows = 0;  // of each series
  int64_t step_ns = 0;
  std::vector<SegmentField> fields;
  std::vector<Rows> pool;

  uint64_t all_rows() const { return uint64_t{series} * rows; }
  SegmentSchema schema() const { return {"varve", name, {"sensor_id", "site"}, fields, {}}; }
  void times(size_t series, size_t first_row, std::vector<int64_t>& out) const;  // out.size() of them
};

struct SeriesTags {
  explicit SeriesTags(size_t series);
  std::vector<TagPair> pairs() const { return {{"sensor_id", id}, {"site", site}}; }
  char id[32], site[32];
};

Shape water();
Shape cpu(std::string name, size_t hosts, size_t rows, bool full);
Shape sensors(std::string name, size_t series, size_t rows);

double heap_bytes();  // in use by this process

// The image of one segment of all its rows. `memory` gets the bytes of heap the writer held before finish().
std::string write_segment(const Shape& shape, Effort effort, double* memory = nullptr);

}  // namespace varve::bench
