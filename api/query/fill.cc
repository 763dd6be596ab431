#include "api/query/fill.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace varve {
namespace {

constexpr uint64_t kGroupNodeBytes = 200;  // a group, its node in the map and their vectors, beyond the text

// The first slice of a look back, and how much longer each next one is. A gap is mostly short; four times per step
// finds a value a year back in a handful of steps.
constexpr int64_t kSliceBuckets = 64;
constexpr int64_t kSliceGrowth = 4;
// Groups of one slice, so that its memory stays small beside the query's (guessed: some 100 MB of wide answers).
constexpr int64_t kSliceGroupsMax = 1'000'000;

}  // namespace

struct Fill::Wanted {
  struct Best {
    int64_t bucket = INT64_MIN;
    Value value;
    bool known = false;
  };
  struct Lacking {
    uint32_t group = 0;
    std::vector<Best> items;
  };
  std::unordered_map<std::string, Lacking> groups;
};

namespace {

// Passes the series of the groups that still lack a value. Its child is the plan's own filter, if there is one.
template <class Groups>
class LackingSeries : public Scalar {
 public:
  LackingSeries(std::vector<ScalarPtr> own_filter, const SelectPlan& plan, const Groups& groups)
      : Scalar(SqlType::kBool, 0, std::move(own_filter)),
        plan_(plan),
        groups_(groups),
        out_(FieldType::kBool) {}

  VectorView evaluate(const Chunk& chunk, EvalContext& context) override {
    bool passes = true;
    if (!children.empty()) {
      const VectorView own = children[0]->evaluate(chunk, context);
      passes = own.is_valid(0) && own.bools[own.entry(0)] != 0;
    }
    if (passes) {
      encoded_.clear();
      for (const GroupKey& key : plan_.keys) {
        if (key.kind == GroupKey::Kind::kSeries)
          append_encoded(encoded_, key.expr->evaluate(chunk, context), 0);
      }
      passes = groups_.contains(encoded_);
    }
    out_.clear();
    out_.push_bool(passes);
    return view_of(out_, true);
  }
  bool can_fail() const override { return true; }
  void collect_slots(std::vector<size_t>& slots) const override {
    Scalar::collect_slots(slots);
    for (const GroupKey& key : plan_.keys) {
      if (key.kind == GroupKey::Kind::kSeries) key.expr->collect_slots(slots);
    }
  }

 private:
  const SelectPlan& plan_;
  const Groups& groups_;
  ColumnVector out_;
  std::string encoded_;
};

}  // namespace

Fill::Fill(const SelectPlan& plan, QueryBudget& budget, EvalContext& context)
    : plan_(plan),
      fill_(*plan.fill),
      rule_(plan.keys[plan.fill->bucket_key].bucket),
      budget_(budget),
      context_(context),
      memory_(budget) {
  for (const GroupKey& key : plan.keys) keys_.emplace_back(physical_type(key.expr->type));
  for (const FillItem& item : fill_.items) values_.emplace_back(physical_type(item.expr->type));
}

void Fill::encode_group(const std::vector<VectorView>& keys, size_t row) {
  encoded_.clear();
  for (size_t i = 0; i < plan_.keys.size(); ++i) {
    if (i != fill_.bucket_key) append_encoded(encoded_, keys[i], row);
  }
}

QueryResult<bool> Fill::collect(const Chunk& groups) {
  const auto first_row = static_cast<uint32_t>(keys_[0].size());
  const std::vector<VectorView> keys(groups.slots.begin(),
                                     groups.slots.begin() + static_cast<std::ptrdiff_t>(plan_.keys.size()));
  for (size_t i = 0; i < keys.size(); ++i) append_entries(keys_[i], keys[i], 0, groups.rows);
  for (size_t i = 0; i < fill_.items.size(); ++i) {
    append_entries(values_[i], fill_.items[i].expr->evaluate(groups, context_), 0, groups.rows);
  }
  if (context_.failed()) return tl::make_unexpected(context_.error());
  for (uint32_t row = 0; row < groups.rows; ++row) {
    encode_group(keys, row);
    const auto [place, fresh] = group_of_.try_emplace(encoded_, static_cast<uint32_t>(groups_.size()));
    if (fresh) {
      groups_.emplace_back().key_row = first_row + row;
      group_bytes_ += kGroupNodeBytes + encoded_.size();
    }
    const VectorView& buckets = keys[fill_.bucket_key];
    groups_[place->second].places.push_back({buckets.ints[buckets.entry(row)], first_row + row});
  }
  VARVE_QUERY_TRY(account());
  return true;
}

QueryResult<void> Fill::account() {
  uint64_t bytes = group_bytes_ + 2 * keys_[0].size() * sizeof(Place);
  bytes += groups_.size() * fill_.items.size() * (sizeof(uint32_t) + sizeof(size_t));
  for (const ColumnVector& column : keys_) bytes += column.memory_bytes();
  for (const ColumnVector& column : values_) bytes += column.memory_bytes();
  return memory_.set(bytes);
}

// The range of buckets, each group's places in order, and what is known at its start.
QueryResult<void> Fill::prepare() {
  if (prepared_) return {};
  prepared_ = true;
  const bool bounded_below = plan_.time.min != INT64_MIN;
  const bool bounded_above = plan_.time.max != INT64_MAX;
  if (groups_.empty() && plan_.keys.size() == 1 && bounded_below && bounded_above && !plan_.time.empty()) {
    groups_.emplace_back();  // no other keys: one group, also of no rows
    group_of_.emplace(std::string(), 0U);
  }
  first_ = INT64_MAX;
  last_ = INT64_MIN;
  for (Group& group : groups_) {
    std::sort(group.places.begin(), group.places.end(),
              [](const Place& a, const Place& b) { return a.bucket < b.bucket; });
    if (!group.places.empty()) {
      first_ = std::min(first_, group.places.front().bucket);
      last_ = std::max(last_, group.places.back().bucket);
    }
    group.before.assign(fill_.items.size(), kNoRow);
    group.after.assign(fill_.items.size(), 0);
  }
  if (bounded_below) first_ = rule_.start_of(plan_.time.min);
  if (bounded_above) last_ = rule_.start_of(plan_.time.max);
  return check_size();
}

QueryResult<void> Fill::check_size() const {
  if (groups_.empty()) return {};
  const double buckets = std::floor((static_cast<double>(last_) - static_cast<double>(first_)) /
                                    static_cast<double>(rule_.mean_width_ns())) +
                         1;
  const double rows = buckets * static_cast<double>(groups_.size());
  if (rows <= static_cast<double>(budget_.max_rows())) return {};
  QueryError error = limit_error(
      "row_limit",
      fmt::format("FILL makes {:.0f} buckets for each of {} groups, more rows than query.max_rows = {}",
                  buckets, groups_.size(), budget_.max_rows()));
  error.hint = "use wider buckets, narrow the range of time, or raise query.max_rows";
  return tl::make_unexpected(std::move(error));
}

QueryResult<bool> Fill::run_slice(const RunGroups& run, Wanted& wanted) {
  const SelectPlan& plan = *fill_.look_back;
  std::vector<VectorView> values(fill_.items.size());
  return run(plan, [&](const Chunk& groups) -> QueryResult<bool> {
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = plan.fill->items[i].expr->evaluate(groups, context_);
    if (context_.failed()) return tl::make_unexpected(context_.error());
    const VectorView& buckets = groups.slots[fill_.bucket_key];
    for (size_t row = 0; row < groups.rows; ++row) {
      encode_group(groups.slots, row);
      const auto found = wanted.groups.find(encoded_);
      if (found == wanted.groups.end()) continue;
      const int64_t bucket = buckets.ints[buckets.entry(row)];
      for (size_t i = 0; i < values.size(); ++i) {
        Wanted::Best& best = found->second.items[i];
        if (best.known || bucket < best.bucket || !values[i].is_valid(row)) continue;
        best.bucket = bucket;
        ColumnVector one(values[i].type);
        append_entry(one, values[i], row);
        best.value = one.value(0);
      }
    }
    return true;
  });
}

QueryResult<bool> Fill::look_back(const RunGroups& run) {
  VARVE_QUERY_TRY(prepare());
  if (!fill_.look_back) return true;
  Wanted wanted;
  for (const auto& [key, index] : group_of_) {
    Wanted::Lacking lacking{index, std::vector<Wanted::Best>(fill_.items.size())};
    const Group& group = groups_[index];
    const bool begins = !group.places.empty() && group.places.front().bucket == first_;
    bool any = false;
    for (size_t i = 0; i < fill_.items.size(); ++i) {
      const bool needs = fill_.items[i].kind == FillItem::Kind::kPrevious &&
                         !(begins && values_[i].is_valid(group.places.front().row));
      lacking.items[i].known = !needs;
      any |= needs;
    }
    if (any) wanted.groups.emplace(key, std::move(lacking));
  }
  SelectPlan& plan = *fill_.look_back;
  const bool by_series = std::none_of(plan.keys.begin(), plan.keys.end(),
                                      [](const GroupKey& key) { return key.kind == GroupKey::Kind::kRow; });
  if (by_series) {
    std::vector<ScalarPtr> own;
    if (plan.series_filter) own.push_back(std::move(plan.series_filter));
    plan.series_filter =
        std::make_unique<LackingSeries<decltype(wanted.groups)>>(std::move(own), plan, wanted.groups);
  }
  // A step begins at the row before, which a slice's first row lacks: then all that is earlier is one slice.
  const bool steps =
      std::any_of(plan.aggregates.begin(), plan.aggregates.end(),
                  [](const PlannedAggregate& aggregate) { return is_step_aggregate(aggregate.spec.kind); });
  int64_t end = plan_.time.min - 1;
  int64_t buckets = kSliceBuckets;
  while (!wanted.groups.empty() && end >= fill_.oldest) {
    const int64_t most =
        std::max<int64_t>(kSliceBuckets, kSliceGroupsMax / static_cast<int64_t>(wanted.groups.size()));
    buckets = std::min(buckets, most);
    int64_t length = 0;
    if (steps || __builtin_mul_overflow(buckets, rule_.mean_width_ns(), &length)) length = INT64_MAX;
    plan.time = {std::max(fill_.oldest, rule_.start_of(saturating_subtract(end, length))), end};
    VARVE_QUERY_ASSIGN(const bool types_agree, run_slice(run, wanted));
    if (!types_agree) return false;
    for (auto it = wanted.groups.begin(); it != wanted.groups.end();) {
      bool lacks = false;
      for (size_t i = 0; i < fill_.items.size(); ++i) {
        Wanted::Best& best = it->second.items[i];
        if (!best.known && !std::holds_alternative<std::monostate>(best.value)) {
          groups_[it->second.group].before[i] = static_cast<uint32_t>(values_[i].size());
          values_[i].push_value(best.value);
          best.known = true;
        }
        lacks |= !best.known;
      }
      it = lacks ? std::next(it) : wanted.groups.erase(it);
    }
    end = plan.time.min - 1;
    buckets = buckets > INT64_MAX / kSliceGrowth ? buckets : buckets * kSliceGrowth;
    if (plan.time.min == INT64_MIN) break;
  }
  plan.series_filter.reset();  // it looks at `wanted`
  VARVE_QUERY_TRY(account());
  return true;
}

int Fill::compare_keys(uint32_t a, uint32_t b, size_t from, size_t to) const {
  for (size_t i = from; i < to; ++i) {
    const VectorView key = view_of(keys_[i]);
    const int compared = compare_entries(key, groups_[a].key_row, key, groups_[b].key_row);
    if (compared != 0) return compared;
  }
  return 0;
}

std::vector<uint32_t> Fill::group_order() const {
  std::vector<uint32_t> order(groups_.size());
  std::iota(order.begin(), order.end(), 0U);
  if (keys_.size() == 1) return order;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    const int first = compare_keys(a, b, 0, fill_.bucket_key);
    return (first != 0 ? first : compare_keys(a, b, fill_.bucket_key + 1, keys_.size())) < 0;
  });
  return order;
}

// Groups that agree in the keys before the bucket go through the buckets side by side.
QueryResult<void> Fill::finish(RowOutput& output) {
  VARVE_QUERY_TRY(prepare());
  if (groups_.empty()) return {};
  const std::vector<uint32_t> order = group_order();
  std::vector<ColumnVector> columns;
  for (const ColumnVector& key : keys_) columns.emplace_back(key.type);
  for (const ColumnVector& value : values_) columns.emplace_back(value.type);
  for (size_t from = 0; from < order.size();) {
    size_t to = from + 1;
    while (to < order.size() && compare_keys(order[from], order[to], 0, fill_.bucket_key) == 0) ++to;
    for (int64_t bucket = first_;;) {
      for (size_t i = from; i < to; ++i) {
        append_row(groups_[order[i]], bucket, columns);
        if (columns[0].size() < kChunkRows) continue;
        VARVE_QUERY_ASSIGN(const bool more, flush(columns, output));
        if (!more) return {};
      }
      if (bucket >= last_) break;
      const int64_t next = rule_.end_of(bucket);
      if (next <= bucket) break;
      bucket = next;
    }
    from = to;
  }
  VARVE_QUERY_ASSIGN(const bool more, flush(columns, output));
  static_cast<void>(more);
  return {};
}

QueryResult<bool> Fill::flush(std::vector<ColumnVector>& columns, RowOutput& output) {
  VARVE_QUERY_TRY(budget_.check());
  Chunk chunk{columns[0].size(), {}};
  if (chunk.rows == 0) return true;
  for (const ColumnVector& column : columns) chunk.slots.push_back(view_of(column));
  VARVE_QUERY_ASSIGN(const bool more, output.push(chunk));
  for (ColumnVector& column : columns) column.clear();
  return more;
}

void Fill::append_row(Group& group, int64_t bucket, std::vector<ColumnVector>& out) {
  while (group.next < group.places.size() && group.places[group.next].bucket < bucket) ++group.next;
  const bool present = group.next < group.places.size() && group.places[group.next].bucket == bucket;
  for (size_t i = 0; i < keys_.size(); ++i) {
    if (i == fill_.bucket_key) {
      out[i].push_int(bucket);
    } else {
      append_entry(out[i], view_of(keys_[i]), group.key_row);
    }
  }
  for (size_t i = 0; i < values_.size(); ++i) {
    ColumnVector& column = out[keys_.size() + i];
    const uint32_t row = present ? group.places[group.next].row : kNoRow;
    if (present && values_[i].is_valid(row)) {
      append_entry(column, view_of(values_[i]), row);
      group.before[i] = row;
    } else {
      append_missing(group, i, bucket, column);
    }
  }
}

void Fill::append_missing(Group& group, size_t item, int64_t bucket, ColumnVector& out) {
  switch (fill_.items[item].kind) {
    case FillItem::Kind::kNull:
      return out.push_null();
    case FillItem::Kind::kValue:
      return out.push_value(fill_.items[item].value);
    case FillItem::Kind::kPrevious:
      if (group.before[item] == kNoRow) return out.push_null();
      return append_entry(out, view_of(values_[item]), group.before[item]);
    case FillItem::Kind::kLinear:
      if (!append_linear(group, item, bucket, out)) out.push_null();
      return;
  }
}

// `after` only moves on, so all rows of a group together look at each place once.
bool Fill::append_linear(Group& group, size_t item, int64_t bucket, ColumnVector& out) {
  const ColumnVector& values = values_[item];
  size_t& after = group.after[item];
  after = std::max(after, group.next);
  while (after < group.places.size() &&
         (group.places[after].bucket <= bucket || !values.is_valid(group.places[after].row))) {
    ++after;
  }
  if (group.before[item] == kNoRow || after == group.places.size()) return false;
  const int64_t left_time = keys_[fill_.bucket_key].ints[group.before[item]];
  const auto length =
      static_cast<long double>(group.places[after].bucket) - static_cast<long double>(left_time);
  const long double passed = static_cast<long double>(bucket) - static_cast<long double>(left_time);
  const uint32_t right = group.places[after].row;
  const uint32_t left = group.before[item];
  if (values.type == FieldType::kInt64) {
    const auto low = static_cast<long double>(values.ints[left]);
    // Divided last, so that a half is one and is rounded away from zero.
    out.push_int(std::llround(low + (static_cast<long double>(values.ints[right]) - low) * passed / length));
    return true;
  }
  const double low = values.doubles[left];
  const double high = values.doubles[right];
  if (!std::isfinite(low) || !std::isfinite(high))
    return false;  // a line to or from an infinity has no points
  out.push_double(low + (high - low) * static_cast<double>(passed / length));
  return true;
}

}  // namespace varve
