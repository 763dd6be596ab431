// Writes a frozen memtable to segment files: one per time partition, rows in order of (series key, time).
// Crash promise: when it returns, the files and their names are durable under segments/; they become part of the
// table only through the catalog. Files of a flush that failed are removed, or at the next open.
// Errors: kIo, kExhausted. Threads: any; one flush of a table at a time.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "storage/base/file.h"
#include "storage/stored_segment.h"
#include "storage/table.h"

namespace varve {

struct FlushTarget {
  FileSystem& file_system;
  std::string segment_directory;
  int64_t partition_ns;
  std::function<Result<uint64_t>()> next_segment_id;
};

Result<std::vector<CatalogSegment>> write_segments(const Table& table, const FrozenMemtable& frozen,
                                                   const FlushTarget& target);

// Of a flush that did not get into the catalog. What cannot be removed now is at the next open.
void remove_segments(const std::vector<CatalogSegment>& segments, const FlushTarget& target);

std::string segment_file_name(uint64_t segment_id);  // 16 hex digits + ".seg"

}  // namespace varve
