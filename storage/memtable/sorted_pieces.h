// The append buffer as readers see it: sorted, in a few runs, later rows in later ones, so that a reader who comes again
// pays for the rows that came since and not for the whole buffer. Each run is more than twice as large as the next: a row
// is sorted again only when half as many new ones have come, so some log(rows / kSmallRows) times.
// A buffer of up to kWholeRows is one run, which has each (series, time) once.
// Threads: none of its own; the runs are immutable and shared by readers.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "storage/memtable/sorted_run.h"

namespace varve {

class SortedPieces {
 public:
  using Runs = std::vector<std::shared_ptr<const SortedRun>>;

  static constexpr size_t kWholeRows = 4096;  // sorted in less than a millisecond (guessed)
  // The last run grows to two of them, so there are at most eight runs (guessed).
  static constexpr size_t kSmallRows = 1024;

  // All rows of `buffer`, to which rows were only added since the last call or clear().
  const Runs& update(const RowBuffer& buffer, const SortedRun::SortByKey& sort_by_key);
  // The run that has all rows of `buffer`, if that is how they were sorted; else null.
  std::shared_ptr<const SortedRun> whole(const RowBuffer& buffer) const;
  bool empty() const { return runs_.empty(); }
  void clear();

 private:
  Runs runs_;
  std::vector<size_t> begins_;  // of each run, in the buffer
  size_t end_ = 0;              // rows of the buffer that are in runs
};

}  // namespace varve
