#include "api/query/grouping.h"

#include <algorithm>
#include <numeric>

#include "api/query/budgeted_sort.h"
#include "storage/base/check.h"

namespace varve {
namespace {

constexpr uint64_t kKeyNodeBytes = 80;  // an encoded key in a node of the map, beyond its text

// Strings of keys copied between two looks at the budget. A single key may have more.
constexpr uint64_t kStepKeyBytesMax = 1 << 20;

// Key columns hold strings behind 32-bit offsets.
constexpr size_t kKeyColumnBytesMax = 3ULL << 30;

// The values of exact percentiles may take a quarter of the query's memory (guessed: groups and sorting have the rest).
constexpr uint64_t kExactShare = 4;

uint64_t mixed(uint64_t x) {  // splitmix64's finisher: near keys land far apart
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

// First row of [from, rows) at or after `bound`, looking near `from` first.
size_t first_at_or_after(const int64_t* times, size_t from, size_t rows, int64_t bound) {
  if (times[rows - 1] < bound) return rows;
  size_t step = 1;
  size_t low = from;
  while (low + step < rows && times[low + step] < bound) {
    low += step;
    step *= 2;
  }
  const size_t high = std::min(low + step + 1, rows);
  return static_cast<size_t>(std::lower_bound(times + low, times + high, bound) - times);
}

}  // namespace

size_t BucketTable::place_of(uint32_t series_group, int64_t bucket) const {
  const size_t mask = places_.size() - 1;
  size_t place = mixed(static_cast<uint64_t>(bucket) + series_group * 0x9e3779b97f4a7c15ULL) & mask;
  while (places_[place] != 0) {
    const Entry& entry = entries_[places_[place] - 1];
    if (entry.series_group == series_group && entry.bucket == bucket) break;
    place = (place + 1) & mask;
  }
  return place;
}

void BucketTable::grow() {
  places_.assign(std::max<size_t>(64, places_.size() * 2), 0);
  for (uint32_t group = 0; group < entries_.size(); ++group) {
    places_[place_of(entries_[group].series_group, entries_[group].bucket)] = group + 1;
  }
}

uint32_t BucketTable::find_or_add(uint32_t series_group, int64_t bucket) {
  if (expected_ < entries_.size() && entries_[expected_].series_group == series_group &&
      entries_[expected_].bucket == bucket) {
    return static_cast<uint32_t>(expected_++);
  }
  if (2 * (entries_.size() + 1) > places_.size()) grow();
  uint32_t& place = places_[place_of(series_group, bucket)];
  if (place == 0) {
    entries_.push_back({series_group, bucket});
    place = static_cast<uint32_t>(entries_.size());
  }
  expected_ = place;
  return place - 1;
}

Grouping::Grouping(const SelectPlan& plan, QueryBudget& budget, EvalContext& context, uint64_t at_once)
    : plan_(plan), budget_(budget), context_(context), memory_(budget) {
  bool any_needs_times = false;
  for (const GroupKey& key : plan.keys) {
    key_columns_.emplace_back(physical_type(key.expr->type));
    series_values_.emplace_back(physical_type(key.expr->type));
    key.expr->collect_slots(slots_);
    if (key.kind == GroupKey::Kind::kRow) by_runs_ = false;
    if (key.kind == GroupKey::Kind::kBucket) bucket_key_ = &key;
  }
  series_keys_.resize(plan.keys.size());
  const auto percentiles = std::count_if(
      plan.aggregates.begin(), plan.aggregates.end(),
      [](const PlannedAggregate& aggregate) { return aggregate.spec.kind == AggregateKind::kPercentile; });
  for (const PlannedAggregate& aggregate : plan.aggregates) {
    AggregateSpec spec = aggregate.spec;
    if (percentiles > 0) {
      spec.exact_bytes_max =
          budget.max_memory_bytes() / kExactShare / at_once / static_cast<uint64_t>(percentiles);
    }
    aggregates_.push_back(make_aggregate(spec));
    group_bytes_ += aggregates_.back()->group_bytes();
    if (aggregate.argument) aggregate.argument->collect_slots(slots_);
    any_needs_times |= needs_times(aggregate.spec.kind);
  }
  if ((any_needs_times || bucket_key_ != nullptr) && plan.has_table) slots_.push_back(kTimeSlot);
  std::sort(slots_.begin(), slots_.end());
  slots_.erase(std::unique(slots_.begin(), slots_.end()), slots_.end());
  inputs_.resize(aggregates_.size());
  found_since_.resize(aggregates_.size(), INT64_MIN);
  if (plan.keys.empty()) add_group({}, 0);  // one group, also of no rows
  resize_aggregates();
}

void Grouping::add_group(const std::vector<VectorView>& keys, size_t row) {
  for (size_t i = 0; i < keys.size(); ++i) append_entry(key_columns_[i], keys[i], row);
  ++groups_;
}

void Grouping::resize_aggregates() {
  for (const auto& aggregate : aggregates_) aggregate->resize(groups_);
}

QueryResult<void> Grouping::begin_series(const Chunk& chunk, SeriesId series) {
  if (series_ == series) return {};
  series_ = series;
  std::fill(found_since_.begin(), found_since_.end(), INT64_MIN);
  encoded_.clear();
  for (size_t i = 0; i < plan_.keys.size(); ++i) {
    if (plan_.keys[i].kind != GroupKey::Kind::kSeries) continue;
    const VectorView view = plan_.keys[i].expr->evaluate(chunk, context_);
    if (context_.failed()) return tl::make_unexpected(context_.error());
    series_values_[i].clear();  // a copy: the view is gone with the chunk
    append_entry(series_values_[i], view, 0);
    series_keys_[i] = view_of(series_values_[i], true);
    append_encoded(encoded_, view, 0);
  }
  series_group_ = add_series_key(encoded_);
  return {};
}

uint32_t Grouping::add_series_key(const std::string& key) {
  const auto [place, fresh] = groups_by_key_.try_emplace(key, static_cast<uint32_t>(groups_by_key_.size()));
  if (fresh) key_bytes_ += kKeyNodeBytes + key.size();
  return place->second;
}

uint32_t Grouping::group_of_bucket(int64_t bucket) {
  const uint32_t group = buckets_.find_or_add(series_group_, bucket);
  if (group < groups_) return group;
  if (bucket_key_ != nullptr) {
    const auto index = static_cast<size_t>(bucket_key_ - plan_.keys.data());
    series_values_[index].clear();
    series_values_[index].push_int(bucket);
    series_keys_[index] = view_of(series_values_[index], true);
  }
  add_group(series_keys_, 0);
  resize_aggregates();
  return group;
}

QueryResult<void> Grouping::evaluate_arguments(const Chunk& chunk, SeriesId series) {
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    Scalar* argument = plan_.aggregates[i].argument.get();
    if (argument != nullptr) inputs_[i].argument = argument->evaluate(chunk, context_);
    inputs_[i].series = series;
    inputs_[i].times = chunk.slots.empty() ? nullptr : chunk.slots[kTimeSlot].ints;
  }
  if (context_.failed()) return tl::make_unexpected(context_.error());
  return {};
}

QueryResult<void> Grouping::add(const Chunk& chunk, SeriesId series) {
  if (chunk.rows == 0) return {};
  VARVE_QUERY_TRY(evaluate_arguments(chunk, series));
  if (plan_.keys.empty()) {
    for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->add_run(0, inputs_[i], 0, chunk.rows);
    note_found(chunk);
  } else if (by_runs_) {
    VARVE_QUERY_TRY(begin_series(chunk, series));
    VARVE_QUERY_TRY(add_runs(chunk));
  } else {
    VARVE_QUERY_TRY(add_rows(chunk));
  }
  return account();
}

QueryResult<void> Grouping::add_runs(const Chunk& chunk) {
  if (bucket_key_ == nullptr) {
    const uint32_t group = group_of_bucket(0);
    for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->add_run(group, inputs_[i], 0, chunk.rows);
    note_found(chunk);
    return {};
  }
  const int64_t* times = chunk.slots[kTimeSlot].ints;
  const BucketRule& rule = bucket_key_->bucket;
  int64_t end = INT64_MIN;  // of the bucket before
  for (size_t from = 0; from < chunk.rows;) {
    // Mostly the next bucket; finding that out saves a division, or a look at a calendar.
    const bool follows = from > 0 && times[from] >= end && times[from] < rule.end_of(end);
    const int64_t bucket = follows ? end : rule.start_of(times[from]);
    end = rule.end_of(bucket);
    const bool last = end == INT64_MAX && rule.start_of(INT64_MAX) == bucket;
    const size_t to = last ? chunk.rows : std::max(from + 1, first_at_or_after(times, from, chunk.rows, end));
    const uint32_t group = group_of_bucket(bucket);
    for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->add_run(group, inputs_[i], from, to);
    from = to;
  }
  return {};
}

void Grouping::note_found(const Chunk& chunk) {
  const int64_t* times = chunk.slots.empty() ? nullptr : chunk.slots[kTimeSlot].ints;
  if (times == nullptr) return;
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    const VectorView& argument = inputs_[i].argument;
    size_t row = 0;
    while (row < chunk.rows && plan_.aggregates[i].argument && !argument.is_valid(row)) ++row;
    if (row < chunk.rows) found_since_[i] = std::max(found_since_[i], times[row]);
  }
}

bool Grouping::wants_older(SeriesId series, int64_t time_max) const {
  const bool of_series = plan_.keys.empty() || series_ == series;
  return !of_series || std::any_of(found_since_.begin(), found_since_.end(),
                                   [&](int64_t found) { return time_max >= found; });
}

QueryResult<void> Grouping::add_rows(const Chunk& chunk) {
  std::vector<VectorView> keys;
  for (const GroupKey& key : plan_.keys) keys.push_back(key.expr->evaluate(chunk, context_));
  if (context_.failed()) return tl::make_unexpected(context_.error());
  row_groups_.resize(chunk.rows);
  for (size_t row = 0; row < chunk.rows;) {
    const RowsOfBytes step = rows_within(keys, row, chunk.rows - row, kStepKeyBytesMax);
    // Before they are copied: to encoded_, the map and the key columns.
    if (step.bytes > kStepKeyBytesMax) VARVE_QUERY_TRY(memory_.add(3 * step.bytes));
    for (const size_t end = row + step.rows; row < end; ++row) {
      encoded_.clear();
      for (const VectorView& key : keys) append_encoded(encoded_, key, row);
      const auto [place, fresh] = groups_by_key_.try_emplace(encoded_, static_cast<uint32_t>(groups_));
      row_groups_[row] = place->second;
      if (!fresh) continue;
      add_group(keys, row);
      key_bytes_ += kKeyNodeBytes + encoded_.size();
    }
    if (row < chunk.rows) VARVE_QUERY_TRY(account());
  }
  resize_aggregates();
  for (size_t i = 0; i < aggregates_.size(); ++i)
    aggregates_[i]->add_rows(row_groups_.data(), inputs_[i], chunk.rows);
  return {};
}

QueryResult<bool> Grouping::add_block(const ScanBlock& block, const Chunk& tags) {
  ColumnStatistics of_time;
  of_time.count = block.rows;
  of_time.min_int = of_time.first_int = block.time_min;
  of_time.max_int = of_time.last_int = block.time_max;
  ColumnStatistics of_tag;
  of_tag.count = block.rows;
  const ColumnStatistics of_null;
  std::vector<BlockInput>& inputs = block_inputs_;
  inputs.clear();
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    BlockInput& input = inputs.emplace_back(
        BlockInput{nullptr, block.rows, block.time_min, block.time_max, plan_.one_series_per_group});
    if (plan_.aggregates[i].argument) {
      const size_t slot = as_slot(*plan_.aggregates[i].argument)->slot;
      const SlotSource& source = plan_.slots[slot];
      input.column = source.kind == ColumnKind::kTime ? &of_time
                     : source.kind == ColumnKind::kTag
                         ? (tags.slots[slot].is_null_constant() ? &of_null : &of_tag)
                         : &block.statistics[source.field];
    }
    if (!aggregates_[i]->block_suffices(input)) return false;
  }
  uint32_t group = 0;
  if (!plan_.keys.empty()) {
    VARVE_QUERY_TRY(begin_series(tags, block.series));
    const bool bucketed = bucket_key_ != nullptr;
    group = group_of_bucket(bucketed ? bucket_key_->bucket.start_of(block.time_min) : 0);
  }
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    VARVE_CHECK(aggregates_[i]->add_block(group, inputs[i]));
    if (inputs[i].column == nullptr || inputs[i].column->count > 0) {
      found_since_[i] = std::max(found_since_[i], block.time_min);
    }
  }
  VARVE_QUERY_TRY(account());
  return true;
}

Grouping::Parts Grouping::parts() const {
  bool all = true;
  for (const auto& aggregate : aggregates_) {
    const Aggregate::Merging merging = aggregate->merging();
    if (merging == Aggregate::Merging::kNo) return Parts::kOne;
    all = all && merging == Aggregate::Merging::kYes;
  }
  if (all) return Parts::kAny;
  return plan_.one_series_per_group ? Parts::kWholeSeries : Parts::kOne;
}

void Grouping::encode_keys(size_t group, bool of_series) {
  encoded_.clear();
  for (size_t i = 0; i < plan_.keys.size(); ++i) {
    if (of_series && plan_.keys[i].kind != GroupKey::Kind::kSeries) continue;
    append_encoded(encoded_, view_of(key_columns_[i]), group);
  }
}

// Groups are found by their keys; new ones are made, so that every group of `later` has its place here.
QueryResult<void> Grouping::merge(Grouping& later) {
  std::vector<uint32_t> targets(later.groups_, 0);
  std::vector<VectorView> keys;
  for (const ColumnVector& column : later.key_columns_) keys.push_back(view_of(column));
  constexpr uint32_t kUnknown = UINT32_MAX;
  std::vector<uint32_t> series_groups(later.groups_by_key_.size(), kUnknown);
  for (size_t group = 0; group < later.groups_ && !plan_.keys.empty(); ++group) {
    bool fresh = false;
    if (by_runs_) {
      uint32_t& series_group = series_groups[later.buckets_.series_group(group)];
      if (series_group == kUnknown) {
        later.encode_keys(group, true);
        series_group = add_series_key(later.encoded_);
      }
      targets[group] = buckets_.find_or_add(series_group, later.buckets_.bucket(group));
      fresh = targets[group] == groups_;
    } else {
      later.encode_keys(group, false);
      const auto [place, inserted] =
          groups_by_key_.try_emplace(later.encoded_, static_cast<uint32_t>(groups_));
      targets[group] = place->second;
      fresh = inserted;
      if (fresh) key_bytes_ += kKeyNodeBytes + later.encoded_.size();
    }
    if (fresh) add_group(keys, group);
  }
  resize_aggregates();
  for (size_t i = 0; i < aggregates_.size(); ++i) aggregates_[i]->merge(*later.aggregates_[i], targets);
  series_.reset();
  return account();
}

QueryResult<void> Grouping::account() {
  uint64_t bytes = groups_ * group_bytes_ + groups_ * group_bytes_ / 2 + key_bytes_ + buckets_.memory_bytes();
  for (const ColumnVector& column : key_columns_) {
    if (column.memory_bytes() > kKeyColumnBytesMax) {
      return tl::make_unexpected(limit_error("memory_limit", "the group keys need more than 3 GiB"));
    }
    bytes += column.memory_bytes();
  }
  for (const auto& aggregate : aggregates_) bytes += aggregate->dynamic_bytes();
  return memory_.set(bytes);
}

QueryResult<std::vector<uint32_t>> Grouping::output_order() {
  VARVE_QUERY_TRY(memory_.add(2 * groups_ * sizeof(uint32_t)));  // the order, and what sorting it takes
  std::vector<uint32_t> order(groups_);
  std::iota(order.begin(), order.end(), 0U);
  if (!plan_.order.empty()) return order;
  std::vector<VectorView> keys;
  for (const ColumnVector& column : key_columns_) keys.push_back(view_of(column));
  const auto before = [&](uint32_t a, uint32_t b) {
    for (const VectorView& key : keys) {
      const int compared = compare_entries(key, a, key, b);
      if (compared != 0) return compared < 0;
    }
    return a < b;
  };
  VARVE_QUERY_TRY(sort_within_budget(order, before, budget_));
  return order;
}

std::vector<std::string> Grouping::approximate() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    if (aggregates_[i]->approximate()) names.push_back(plan_.aggregates[i].text);
  }
  return names;
}

QueryResult<void> Grouping::finish(const GroupSink& sink) {
  VARVE_QUERY_ASSIGN(const std::vector<uint32_t> order, output_order());
  for (size_t from = 0; from < order.size(); from += kChunkRows) {
    VARVE_QUERY_TRY(budget_.check());
    const auto first = order.begin() + static_cast<std::ptrdiff_t>(from);
    const size_t count = std::min(kChunkRows, order.size() - from);
    VARVE_QUERY_ASSIGN(const bool more, emit({first, first + static_cast<std::ptrdiff_t>(count)}, sink));
    if (!more) return {};
  }
  return {};
}

QueryResult<bool> Grouping::emit(const std::vector<uint32_t>& groups, const GroupSink& sink) {
  std::vector<ColumnVector> columns;
  for (const ColumnVector& key : key_columns_) {
    append_selected(columns.emplace_back(key.type), view_of(key), groups);
  }
  for (size_t i = 0; i < aggregates_.size(); ++i) {
    ColumnVector& column =
        columns.emplace_back(physical_type(aggregate_result_type(plan_.aggregates[i].spec)));
    for (const uint32_t group : groups) aggregates_[i]->results(group, 1, column, context_);
  }
  if (context_.failed()) return tl::make_unexpected(context_.error());
  Chunk chunk{groups.size(), {}};
  std::vector<size_t> all_slots;
  for (const ColumnVector& column : columns) {
    all_slots.push_back(chunk.slots.size());
    chunk.slots.push_back(view_of(column));
  }
  if (!plan_.having) return sink(chunk);
  std::vector<uint32_t> passed;
  select_true(plan_.having->evaluate(chunk, context_), chunk.rows, passed);
  if (context_.failed()) return tl::make_unexpected(context_.error());
  if (passed.empty()) return true;
  CompactedChunk compacted;
  return sink(compacted.assign(chunk, passed, all_slots));
}

}  // namespace varve
