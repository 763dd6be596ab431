// What a SELECT does, resolved and typed: the planner's answer, the executor's order. Other query languages plan to
// the same structure.
//   scan (time range, series filter) -> row filter -> [group -> having -> [fill] | latest row per group] -> outputs
//   -> [distinct] -> [order] -> limit
// Slots: expressions before grouping see `slots`; after grouping slot i is key i, then aggregate i - keys; after fill
// slot i is key i, then fill item i - keys.
// Threads: a plan belongs to one query on one thread (its expressions keep buffers).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/query/aggregate.h"
#include "api/query/scalar.h"
#include "api/query/time_buckets.h"
#include "storage/model/types.h"
#include "storage/scan.h"

namespace varve {

struct SlotSource {
  ColumnKind kind = ColumnKind::kTime;
  std::string name;
  size_t field = 0;  // index into SelectPlan::fields, of a field
};
constexpr size_t kTimeSlot = 0;  // always there, also when the query does not name it

struct GroupKey {
  enum class Kind {
    kSeries,  // of tags only: one value per series
    kBucket,  // time_bucket of the time column: one value per run of rows
    kRow,     // anything else
  };
  Kind kind = Kind::kRow;
  ScalarPtr expr;
  BucketRule bucket;  // kBucket
};

struct PlannedAggregate {
  AggregateSpec spec;
  std::string text;    // as SQL, cut short
  ScalarPtr argument;  // null for count(*)
};

// One SELECT column with an aggregate, and what stands for it where it is missing: in a bucket without rows, or NULL.
struct FillItem {
  enum class Kind {
    kNull,
    kPrevious,  // of the last earlier bucket that has a value, also before the range of time
    kLinear,    // on the line between its neighbours; NULL before the first and after the last
    kValue,
  };
  Kind kind = Kind::kNull;
  ScalarPtr expr;  // over groups
  Value value;     // kValue, of the expression's physical type
};

struct SelectPlan;

// Gap filling: every group of the other keys has a row in every bucket, from the bucket of the WHERE's lower bound on
// time (else the first bucket of the answer) to that of its upper bound (else the last). Groups are those with rows; if
// there are no other keys there is one, with rows or without.
struct FillPlan {
  size_t bucket_key = 0;  // index into SelectPlan::keys
  std::vector<FillItem> items;
  // The same SELECT once more, for looking back before time.min; null when no item needs it. It runs between scans of
  // the plan it belongs to, with its time and series filter set by who runs it.
  std::unique_ptr<SelectPlan> look_back;
  int64_t oldest = 0;  // no row of the table is older
};

struct OutputColumn {
  std::string name;
  ScalarPtr expr;
};

struct OrderKey {
  std::optional<size_t> output;  // an output column, else
  ScalarPtr expr;
  bool descending = false;
  bool nulls_first = true;
};

struct SelectPlan {
  bool has_table = false;  // else one row without columns
  std::string database;
  std::string table;
  std::vector<SlotSource> slots;
  std::vector<std::string> fields;     // of the scan
  std::vector<FieldType> field_types;  // as planned; the scan must agree
  TimeRange time;
  ScalarPtr series_filter;               // of tags only; null = every series
  ScalarPtr row_filter;                  // null = every row
  std::vector<FieldRange> field_ranges;  // what row_filter says of single fields, by index into `fields`
  bool ranges_are_filter = false;        // and it says nothing else
  bool grouped = false;
  std::vector<GroupKey> keys;
  std::vector<PlannedAggregate> aggregates;
  bool one_series_per_group = false;  // the keys tell all series apart
  bool may_use_statistics = false;    // LATEST BY: for the last row of a series
  ScalarPtr having;
  std::optional<FillPlan> fill;
  // LATEST BY: slots of tags. Of every combination of their values only the row at the largest time is handed on; of
  // equal times the one of the series met last. Not with `grouped`.
  std::vector<size_t> latest_by;
  std::vector<OutputColumn> outputs;
  bool distinct = false;
  std::vector<OrderKey> order;
  std::optional<uint64_t> limit;
  uint64_t offset = 0;
};

}  // namespace varve
