// Writes a frozen memtable to segment files: one per time partition, rows in order of (series key, time).
// Crash promise: as segment_set_writer.h. Errors: kIo, kExhausted. Threads: any; one flush of a table at a time.
#pragma once

#include <vector>

#include "storage/segment_set_writer.h"
#include "storage/table.h"

namespace varve {

struct FlushTarget {
  SegmentTarget segments;
  int64_t partition_ns = 0;
  int64_t partition_ns_max = 0;  // partitions grow up to here where rows are few
};

Result<std::vector<CatalogSegment>> write_segments(const Table& table, const FrozenMemtable& frozen,
                                                   const FlushTarget& target);

}  // namespace varve
