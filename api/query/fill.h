// FILL: the groups of a plan are gathered, and every group of the keys other than the bucket gets a row in every bucket
// of the range (plan.h, FillPlan). Without ORDER BY rows come in the order of the keys, as without FILL.
//   previous: the value of the last earlier bucket that has one. For the first buckets of a range bounded by WHERE the
//   store is asked: the same SELECT over slices of time before the range, each larger than the one before, until every
//   group has its values or the table begins; only series of groups that still lack one are read.
// Errors:  row_limit when the buckets of all groups are more than query.max_rows, before any is made; memory_limit.
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

class Fill {
 public:
  // Scans and groups a plan, handing on its groups (keys, then aggregates) after HAVING. False: the table's types changed.
  using GroupSink = std::function<QueryResult<bool>(const Chunk&)>;
  using RunGroups = std::function<QueryResult<bool>(const SelectPlan&, const GroupSink&)>;

  Fill(const SelectPlan& plan, QueryBudget& budget, EvalContext& context);

  QueryResult<bool> collect(const Chunk& groups);  // always true: more are wanted
  // Between the last collect() and finish(). False as RunGroups.
  QueryResult<bool> look_back(const RunGroups& run);
  QueryResult<void> finish(RowOutput& output);

 private:
  static constexpr uint32_t kNoRow = UINT32_MAX;
  struct Place {  // of a group's row in a bucket
    int64_t bucket;
    uint32_t row;
  };
  struct Group {           // of the other keys
    uint32_t key_row = 0;  // a row of it in keys_
    std::vector<Place> places;
    size_t next = 0;               // finish(): the place at or after the present bucket
    std::vector<uint32_t> before;  // by item: the row of values_ that holds the last value, or kNoRow
    std::vector<size_t> after;     // by item: the next place with a value
  };
  struct Wanted;  // look_back(): what is still unknown

  QueryResult<void> prepare();
  void encode_group(const std::vector<VectorView>& keys, size_t row);
  QueryResult<void> check_size() const;
  QueryResult<void> account();
  std::vector<uint32_t> group_order() const;
  int compare_keys(uint32_t a, uint32_t b, size_t from, size_t to) const;
  QueryResult<bool> run_slice(const RunGroups& run, Wanted& wanted);
  void append_row(Group& group, int64_t bucket, std::vector<ColumnVector>& out);
  void append_missing(Group& group, size_t item, int64_t bucket, ColumnVector& out);
  bool append_linear(Group& group, size_t item, int64_t bucket, ColumnVector& out);
  QueryResult<bool> flush(std::vector<ColumnVector>& columns, RowOutput& output);

  const SelectPlan& plan_;
  const FillPlan& fill_;
  const BucketRule& rule_;
  QueryBudget& budget_;
  EvalContext& context_;
  MemoryUse memory_;
  std::vector<ColumnVector> keys_;    // by key, a row per group of the plan
  std::vector<ColumnVector> values_;  // by item; rows beyond those of keys_ are values from before the range
  std::vector<Group> groups_;
  std::unordered_map<std::string, uint32_t> group_of_;
  uint64_t group_bytes_ = 0;
  std::string encoded_;
  int64_t first_ = 0;  // buckets
  int64_t last_ = 0;
  bool prepared_ = false;
};

}  // namespace varve
