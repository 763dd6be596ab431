// Executes one merge: rows of several segments of a table, in order of (series, time), duplicates resolved field by
// field with the later write winning, without the rows deletes hide, into new segments encoded with full effort. There
// are none when every row is deleted.
// Memory: one segment being written (at most twice kSegmentBytesMax while it is finished, plus two blocks of rows), one
// decoded block of each input (8 KiB a field) with what is read ahead of it.
// Crash promise: as segment_set_writer.h. Only the last output names the inputs as replaced, and the other outputs as
// its parts: without a catalog, the inputs count until every output is whole.
// Errors: kCorruption or kIo of an input, which `MergeProgress::damaged` then names; kIo, kExhausted of the outputs;
// kUnavailable when cancelled. Whatever was written is removed again.
// Threads: one merge belongs to one thread; MergeProgress may be read by any.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/segment_set_writer.h"
#include "storage/stored_segment.h"
#include "storage/tombstone/tombstone.h"

namespace varve {

struct MergeRequest {
  std::string database;
  std::string table;
  std::vector<ColumnInfo> columns;                             // of the table; the outputs get these types
  std::vector<std::shared_ptr<const StoredSegment>> segments;  // older first
  TombstoneList tombstones;   // every delete of the table up to the newest in it; their rows are left out
  std::vector<int64_t> cuts;  // see MergePlan
  std::function<bool()> cancelled;
};

struct MergeProgress {
  std::atomic<uint64_t> rows_read{0};
  std::atomic<uint64_t> bytes_written{0};
  uint64_t damaged = 0;  // id of the input that cannot be read; 0 = none
};

Result<std::vector<CatalogSegment>> merge_segments(const MergeRequest& request, const SeriesIndex& series,
                                                   const SegmentTarget& target, MergeProgress& progress);

}  // namespace varve
