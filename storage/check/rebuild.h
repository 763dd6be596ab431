// A catalog from what else there is: segment footers, the log, and the old catalog as far as it can be read.
//   live        whole segments that no whole merge replaces; of a damaged merge whose inputs are all there, the inputs
//   deletes     whole tombstones; one of a delete that segments already know of hides nothing and goes by itself
//   columns     in the order of arrival that the segments tell, a field widened when any segment has it as double
//   flushed     a log without holes is replayed from its oldest record: re-applied in order it changes nothing that is
//               there. A log with holes, or one that ends before segments of the same times, is replayed only where it
//               is newer than the table's segments, for an old row of it could cover a newer one.
//   positions   of the log's records; with none left, of the old catalog
//   cursors     none: sinks start at the oldest record kept
// Threads: pure.
#pragma once

#include <string>
#include <vector>

#include "storage/check/inventory.h"

namespace varve {

// A segment that cannot stay as it is, and the table it is of.
struct DamagedSegment {
  std::string file;
  std::string reason;
  TableName table;  // empty names when not known
  std::optional<SegmentIdentity> identity;
  TimeRange time;     // with the identity
  uint64_t rows = 0;  // 0 = not known
  bool present = true;
  bool readable = false;    // header, footer and index are whole
  bool superseded = false;  // its rows are in other segments: nothing is lost with it
};

struct CatalogPlan {
  CatalogState state;
  std::vector<DamagedSegment> damaged;  // none is in `state`
  std::vector<std::string> doubts;      // rows that may be missing
};

// The catalog of the inventory, less the segments that are damaged or missing.
CatalogPlan plan_from_catalog(const Inventory& inventory);
CatalogPlan plan_rebuild(const Inventory& inventory);

// The highest id any segment or tombstone carries.
uint64_t highest_segment_id(const Inventory& inventory);

}  // namespace varve
