// Deletes in memory: which rows of a source they hide.
// A tombstone hides the rows of its series and range of time that were written before it: those of memtable runs and
// segments whose applied lsn is smaller than its own. Rows written again later are seen.
// Threads: values and immutable lists, shared by readers; a HiddenRows belongs to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "storage/model/types.h"
#include "storage/scan.h"
#include "storage/wal/lsn.h"

namespace varve {

// Deletes of one table that rows still wait for. Each costs every scan of the table a look (guessed).
constexpr size_t kTombstonesPerTableMax = 1000;

struct Tombstone {
  uint64_t id = 0;  // of its file; 0 = only the log has it
  Lsn lsn = 0;
  TimeRange time;
  bool all_series = false;
  std::vector<SeriesId> series;  // ascending; none when all_series

  bool hides(SeriesId wanted) const;
  // Whether it hides rows of these series, in this range, that know of all deletes up to `applied`; as far as the
  // range of each series is that of all.
  bool hides_some(Lsn applied, const TimeRange& rows, std::span<const SeriesId> of_series) const;
};

// By lsn. Null when there are none.
using TombstoneList = std::shared_ptr<const std::vector<std::shared_ptr<const Tombstone>>>;

TombstoneList make_tombstone_list(std::vector<std::shared_ptr<const Tombstone>> tombstones);

// What is hidden of one source, whose rows lie in `rows` and know of all deletes up to `applied`.
class HiddenRows {
 public:
  HiddenRows(const TombstoneList& tombstones, Lsn applied, const TimeRange& rows);

  bool none() const { return tombstones_.empty(); }
  // The hidden times of a series: ascending, neither overlapping nor touching. Valid until the next call.
  std::span<const TimeRange> of(SeriesId series);
  // Every row of these series in `rows` is hidden.
  bool cover(const TimeRange& rows, std::span<const SeriesId> of_series);

 private:
  void collect(std::optional<SeriesId> series);

  std::vector<std::shared_ptr<const Tombstone>> tombstones_;
  bool same_for_all_ = true;  // no tombstone names series
  std::vector<TimeRange> ranges_;
  std::optional<SeriesId> ranges_of_;  // what ranges_ was collected for, unless same_for_all_
};

// True when one of `ranges` (as HiddenRows gives them) holds all of `wanted`.
bool holds(std::span<const TimeRange> ranges, const TimeRange& wanted);

}  // namespace varve
