// What a SELECT does, resolved and typed: the planner's answer, the executor's order. Other query languages plan to
// the same structure.
//   scan (time range, series filter) -> row filter -> [group -> having] -> outputs -> [distinct] -> [order] -> limit
// Slots: expressions before grouping see `slots`; after grouping slot i is key i, then aggregate i - keys.
// Threads: a plan belongs to one query on one thread (its expressions keep buffers).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/query/aggregate.h"
#include "api/query/scalar.h"
#include "storage/model/types.h"

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
  int64_t width_ns = 0;  // kBucket
  int64_t origin_ns = 0;
};

struct PlannedAggregate {
  AggregateSpec spec;
  ScalarPtr argument;  // null for count(*)
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
  ScalarPtr series_filter;  // of tags only; null = every series
  ScalarPtr row_filter;     // null = every row
  bool grouped = false;
  std::vector<GroupKey> keys;
  std::vector<PlannedAggregate> aggregates;
  bool one_series_per_group = false;  // the keys tell all series apart
  bool may_use_statistics = false;
  ScalarPtr having;
  std::vector<OutputColumn> outputs;
  bool distinct = false;
  std::vector<OrderKey> order;
  std::optional<uint64_t> limit;
  uint64_t offset = 0;
};

}  // namespace varve
