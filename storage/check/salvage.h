// Saves what a damaged segment still holds: the blocks that verify become a new segment. A damaged page of a field costs
// that field's values in that block, a damaged page of times the rows of that block; a row without any value left goes.
// Header, footer and index must be whole: without them nothing says which bytes are what.
// Memory:  twice the segment. Errors: kIo. Threads: one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/segment/reader.h"

namespace varve {

// Values that are gone: of one series, in one segment.
struct Loss {
  std::string series;  // "site=a, sensor=7"; "(no tags)"; empty = which ones is not known
  std::string column;  // empty = whole rows
  TimeRange time;      // every value the segment held of them in this range, and nothing else
  uint64_t rows = 0;
};

struct Salvage {
  std::string image;  // of the new segment; empty when no row is left
  uint64_t rows = 0;
  uint64_t series = 0;
  TimeRange time;  // of the rows saved
  SegmentIdentity identity;
  std::vector<Loss> losses;
};

Result<Salvage> salvage_segment(const std::shared_ptr<const SegmentReader>& segment, uint64_t new_id);

std::string describe(const Loss& loss);  // "site=a: column ph: 12 rows from 2025-01-01T00:00:00Z to ..."

}  // namespace varve
