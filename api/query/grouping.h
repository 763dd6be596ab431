// GROUP BY: collects groups and their aggregates, then hands them on as chunks (slot i is key i, then the aggregates).
// When the keys are tags and at most one time bucket, rows come as runs: the tag part is found once per series, bucket
// bounds by arithmetic, and the table of groups is asked once per run. Otherwise every row's key is hashed.
// Without ORDER BY groups come in the order of their keys.
// Errors:  memory_limit, expression errors; overflow of sums at the end.
// Threads: one thread.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/query/budget.h"
#include "api/query/plan.h"
#include "api/query/row_output.h"

namespace varve {

// (series group, bucket start) -> group: open addressing over the groups' own arrays.
class BucketTable {
 public:
  uint32_t find_or_add(uint32_t series_group, int64_t bucket);  // a new group's number is groups() - 1
  size_t groups() const { return entries_.size(); }
  uint32_t series_group(size_t group) const { return entries_[group].series_group; }
  int64_t bucket(size_t group) const { return entries_[group].bucket; }
  size_t memory_bytes() const {
    return places_.capacity() * sizeof(uint32_t) + entries_.capacity() * sizeof(Entry);
  }

 private:
  struct Entry {
    uint32_t series_group;
    int64_t bucket;
  };
  size_t place_of(uint32_t series_group, int64_t bucket) const;
  void grow();

  std::vector<Entry> entries_;
  std::vector<uint32_t> places_;  // group + 1; 0 = free; a power of two
  size_t expected_ = 0;           // runs mostly come in the order of their groups: where the next one may be
};

class Grouping {
 public:
  // `at_once`: about how many groupings of the query hold rows at the same time, and share its memory.
  Grouping(const SelectPlan& plan, QueryBudget& budget, EvalContext& context, uint64_t at_once = 1);

  // Slots that add() reads.
  const std::vector<size_t>& slots() const { return slots_; }
  // Rows of one series in ascending time.
  QueryResult<void> add(const Chunk& chunk, SeriesId series);
  // A whole block of one series by its statistics; false when they do not suffice and its rows are needed. `tags` is a
  // one-row chunk with the series' tags in their slots.
  QueryResult<bool> add_block(const ScanBlock& block, const Chunk& tags);
  // Hands on the groups, keys then aggregates, that HAVING lets pass, until `sink` answers false.
  using GroupSink = std::function<QueryResult<bool>(const Chunk&)>;
  QueryResult<void> finish(const GroupSink& sink);
  size_t groups() const { return groups_; }
  std::vector<std::string> approximate() const;  // aggregates whose values are estimates

  // How the groups of parts of the rows can be put together. kWholeSeries: when no series is in two parts.
  enum class Parts { kOne, kWholeSeries, kAny };
  Parts parts() const;
  // Adds the groups of later series, or of later times of the same, and uses them up.
  QueryResult<void> merge(Grouping& later);

  // When rows come from the newest on and the plan wants last values only: whether rows of `series` up to `time_max`
  // could still matter.
  bool wants_older(SeriesId series, int64_t time_max) const;

 private:
  QueryResult<void> begin_series(const Chunk& chunk, SeriesId series);  // unless it is the current one
  QueryResult<void> add_runs(const Chunk& chunk);
  QueryResult<void> add_rows(const Chunk& chunk);
  uint32_t group_of_bucket(int64_t bucket);
  uint32_t add_series_key(const std::string& key);
  void note_found(const Chunk& chunk);
  void encode_keys(size_t group, bool of_series);  // into encoded_
  void add_group(const std::vector<VectorView>& keys, size_t row);
  void resize_aggregates();
  QueryResult<void> evaluate_arguments(const Chunk& chunk, SeriesId series);
  QueryResult<void> account();
  QueryResult<std::vector<uint32_t>> output_order();
  QueryResult<bool> emit(const std::vector<uint32_t>& groups, const GroupSink& sink);

  const SelectPlan& plan_;
  QueryBudget& budget_;
  EvalContext& context_;
  MemoryUse memory_;
  bool by_runs_ = true;
  const GroupKey* bucket_key_ = nullptr;
  std::vector<size_t> slots_;
  std::vector<std::unique_ptr<Aggregate>> aggregates_;
  std::vector<AggregateInput> inputs_;
  std::vector<ColumnVector> key_columns_;  // one entry per group
  size_t groups_ = 0;
  size_t group_bytes_ = 0;

  std::unordered_map<std::string, uint32_t> groups_by_key_;  // series keys when by_runs_, else whole keys
  uint64_t key_bytes_ = 0;
  std::optional<SeriesId> series_;
  uint32_t series_group_ = 0;
  std::vector<int64_t>
      found_since_;  // of each aggregate: a value of the current series at or after it was seen
  std::vector<VectorView> series_keys_;      // of the current series; the bucket's entry is unset
  std::vector<ColumnVector> series_values_;  // what series_keys_ views
  BucketTable buckets_;
  std::vector<uint32_t> row_groups_;
  std::string encoded_;
  std::vector<BlockInput> block_inputs_;
};

}  // namespace varve
