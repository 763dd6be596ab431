// What compaction remembers between merges: since when a segment is known, which one cannot be read, what is running
// and what was done.
// Threads: any; every method locks inside.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "storage/base/metrics.h"
#include "storage/compaction/merge.h"
#include "storage/compaction/policy.h"
#include "storage/engine.h"

namespace varve {

class CompactionJournal {
 public:
  explicit CompactionJournal(MetricsRegistry& metrics);

  // A table's segments as the policy wants them. Those it saw before and does not see again are forgotten.
  std::vector<CompactionSegment> describe(uint32_t table_id,
                                          const std::vector<std::shared_ptr<const StoredSegment>>& segments,
                                          const TombstoneList& tombstones, int64_t now_monotonic_ns);
  // Until restart no merge takes this segment. It counts as damaged until describe() finds it gone.
  void exclude(uint64_t segment_id);

  void flushed(const std::vector<CatalogSegment>& written);
  void begin(const std::string& table, uint64_t bytes, std::shared_ptr<const MergeProgress> progress);
  void finish(const std::vector<CatalogSegment>& written);
  void abandon();                         // the running merge: its inputs are gone
  void fail(const std::string& problem);  // the running merge
  void wait(const std::string& problem);  // no merge can begin
  void set_due(uint64_t segments);

  CompactionStatus status() const;

 private:
  Counter& merges_;
  Counter& failures_;
  Counter& read_bytes_;
  Counter& read_rows_;
  Counter& written_bytes_;
  Counter& flushed_bytes_;

  void clear_running();                    // mutex_ held
  void forget_excluded(uint64_t segment);  // mutex_ held

  mutable std::mutex mutex_;                                 // guards everything below
  std::map<uint32_t, std::map<uint64_t, int64_t>> seen_ns_;  // by table and segment: when it was first seen
  std::set<uint64_t> excluded_;
  bool problem_is_damage_ = false;  // status_.problem tells of one of them
  std::shared_ptr<const MergeProgress> running_;
  CompactionStatus status_;
};

}  // namespace varve
