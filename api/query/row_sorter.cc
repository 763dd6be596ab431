#include "api/query/row_sorter.h"

#include <algorithm>
#include <numeric>
#include <queue>

namespace varve {
namespace {

constexpr size_t kRunRows = 64 << 10;          // sorts in some 10 ms: the grain of a timeout
constexpr size_t kRunBytesMax = 64 << 20;      // a run's string offsets are 32 bits wide
constexpr uint64_t kPruneLimitMax = 16 << 10;  // beyond it pruning costs more than sorting runs
constexpr size_t kEmitRows = 1024;
constexpr size_t kEmitBytes = 1 << 20;

template <class T>
int order_of(const T& a, const T& b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

std::vector<VectorView> views_of(const std::vector<ColumnVector>& columns) {
  std::vector<VectorView> views;
  for (const ColumnVector& column : columns) views.push_back(view_of(column));
  return views;
}

}  // namespace

int compare_entries(const VectorView& a, size_t row_a, const VectorView& b, size_t row_b) {
  const bool valid_a = a.is_valid(row_a);
  const bool valid_b = b.is_valid(row_b);
  if (!valid_a || !valid_b) return order_of(valid_a ? 1 : 0, valid_b ? 1 : 0);
  const size_t i = a.entry(row_a);
  const size_t j = b.entry(row_b);
  switch (a.type) {
    case FieldType::kDouble:
      return order_of(a.doubles[i], b.doubles[j]);
    case FieldType::kInt64:
      return order_of(a.ints[i], b.ints[j]);
    case FieldType::kBool:
      return order_of(a.bools[i], b.bools[j]);
    case FieldType::kString:
      return order_of(a.string(row_a), b.string(row_b));
  }
  return 0;
}

RowSorter::RowSorter(std::vector<FieldType> columns, std::vector<SortKey> keys, std::optional<uint64_t> limit,
                     QueryBudget& budget)
    : types_(std::move(columns)), keys_(std::move(keys)), budget_(budget), memory_(budget) {
  if (limit && *limit <= kPruneLimitMax) limit_ = limit;
}

int RowSorter::compare(std::span<const VectorView> a, size_t row_a, std::span<const VectorView> b,
                       size_t row_b) const {
  for (const SortKey& key : keys_) {
    const VectorView& left = a[key.column];
    const VectorView& right = b[key.column];
    const bool left_null = !left.is_valid(row_a);
    const bool right_null = !right.is_valid(row_b);
    if (left_null || right_null) {
      if (left_null == right_null) continue;
      return left_null == key.nulls_first ? -1 : 1;
    }
    const int order = compare_entries(left, row_a, right, row_b);
    if (order != 0) return key.descending ? -order : order;
  }
  return 0;
}

// Where the first key is a number, nearly every row is refused by one comparison.
bool RowSorter::candidates_by_number(std::span<const VectorView> columns, size_t rows,
                                     std::vector<uint32_t>& selection) const {
  const SortKey& key = keys_.front();
  const VectorView& view = columns[key.column];
  const VectorView& worst = worst_views_[key.column];
  const bool plain = view.valid == nullptr && !view.constant && worst.is_valid(0);
  if (!plain) return false;
  const auto pick = [&](const auto* values, auto bound) {
    for (uint32_t row = 0; row < rows; ++row) {
      const bool may = key.descending ? values[row] >= bound : values[row] <= bound;
      if (may && compare(columns, row, worst_views_, 0) < 0) selection.push_back(row);
    }
    return true;
  };
  if (view.type == FieldType::kDouble) return pick(view.doubles, worst.doubles[0]);
  if (view.type == FieldType::kInt64) return pick(view.ints, worst.ints[0]);
  return false;
}

void RowSorter::candidates(std::span<const VectorView> columns, size_t rows,
                           std::vector<uint32_t>& selection) const {
  selection.clear();
  if (!worst_views_.empty() && candidates_by_number(columns, rows, selection)) return;
  for (uint32_t row = 0; row < rows; ++row) {
    if (worst_views_.empty() || compare(columns, row, worst_views_, 0) < 0) selection.push_back(row);
  }
}

RowSorter::Run& RowSorter::open_run() {
  const bool full =
      !runs_.empty() && !limit_ && (runs_.back().rows >= kRunRows || runs_.back().bytes >= kRunBytesMax);
  if (full) sort_run(runs_.back());
  if (runs_.empty() || full) {
    Run& run = runs_.emplace_back();
    for (const FieldType type : types_) run.columns.emplace_back(type);
  }
  return runs_.back();
}

QueryResult<void> RowSorter::add(std::span<const VectorView> columns, size_t rows) {
  if (rows == 0 || limit_ == 0U) return {};
  VARVE_QUERY_TRY(budget_.check());
  VARVE_QUERY_TRY(memory_.add(rows_within(columns, 0, rows, UINT64_MAX).bytes));  // before they are copied
  Run& run = open_run();
  for (size_t i = 0; i < columns.size(); ++i) append_entries(run.columns[i], columns[i], 0, rows);
  run.rows += rows;
  if (limit_ && (run.rows >= 2 * *limit_ + kChunkRows || run.bytes >= kRunBytesMax) && run.rows > *limit_)
    prune(run);
  run.bytes = run.rows * sizeof(uint32_t);
  for (const ColumnVector& column : run.columns) run.bytes += column.memory_bytes();
  return account();
}

QueryResult<void> RowSorter::account() {
  uint64_t total = 0;
  for (const Run& each : runs_) total += each.bytes;
  return memory_.set(total);
}

void RowSorter::sort() {
  if (runs_.empty()) return;
  if (limit_ && runs_.back().rows > *limit_) prune(runs_.back());
  sort_run(runs_.back());
}

QueryResult<void> RowSorter::take(RowSorter& later) {
  if (!limit_) {
    for (Run& run : later.runs_) runs_.push_back(std::move(run));
    later.runs_.clear();
    VARVE_QUERY_TRY(later.account());
    return account();
  }
  for (const Run& run : later.runs_) {
    std::vector<ColumnVector> sorted;
    for (size_t i = 0; i < types_.size(); ++i) {
      append_selected(sorted.emplace_back(types_[i]), run.views[i], run.order);
    }
    VARVE_QUERY_TRY(add(views_of(sorted), run.rows));
  }
  return {};
}

// Rows often come in order: those of one series do, by time.
void RowSorter::sort_run(Run& run) const {
  run.views = views_of(run.columns);
  run.order.resize(run.rows);
  std::iota(run.order.begin(), run.order.end(), 0U);
  const VectorView& first = run.views[keys_.front().column];
  if (keys_.size() == 1 && first.type == FieldType::kInt64 && first.valid == nullptr) return sort_by_int(run);
  const auto before = [&](uint32_t a, uint32_t b) {
    const int order = compare(run.views, a, run.views, b);
    return order != 0 ? order < 0 : a < b;
  };
  run.as_arrived = std::is_sorted(run.order.begin(), run.order.end(), before);
  if (run.as_arrived) return;
  std::sort(run.order.begin(), run.order.end(), before);
}

// By one column of times or whole numbers, where a comparison is one instruction.
void RowSorter::sort_by_int(Run& run) const {
  const SortKey& key = keys_.front();
  const int64_t* const values = run.views[key.column].ints;
  std::vector<std::pair<int64_t, uint32_t>> entries(run.rows);
  for (uint32_t row = 0; row < run.rows; ++row) {
    entries[row] = {key.descending ? ~values[row] : values[row], row};  // ~ turns the order round
  }
  run.as_arrived = std::is_sorted(entries.begin(), entries.end());
  if (run.as_arrived) return;
  std::sort(entries.begin(), entries.end());
  std::transform(entries.begin(), entries.end(), run.order.begin(),
                 [](const auto& entry) { return entry.second; });
}

void RowSorter::prune(Run& run) {
  const std::vector<VectorView> views = views_of(run.columns);
  std::vector<uint32_t> rows(run.rows);
  std::iota(rows.begin(), rows.end(), 0U);
  const auto last = rows.begin() + static_cast<std::ptrdiff_t>(*limit_ - 1);
  std::nth_element(rows.begin(), last, rows.end(), [&](uint32_t a, uint32_t b) {
    const int order = compare(views, a, views, b);
    return order != 0 ? order < 0 : a < b;
  });
  worst_.clear();
  for (size_t i = 0; i < types_.size(); ++i) append_entry(worst_.emplace_back(types_[i]), views[i], *last);
  worst_views_ = views_of(worst_);
  rows.resize(*limit_);
  std::sort(rows.begin(), rows.end());  // back to the order of arrival
  std::vector<ColumnVector> kept;
  for (size_t i = 0; i < types_.size(); ++i) append_selected(kept.emplace_back(types_[i]), views[i], rows);
  run.columns = std::move(kept);
  run.rows = rows.size();
}

QueryResult<void> RowSorter::finish(const Emit& emit) {
  if (runs_.empty()) return {};
  if (runs_.back().order.size() != runs_.back().rows) sort_run(runs_.back());
  if (!in_sequence()) return merge(emit);
  bool more = true;
  for (size_t run = 0; run < runs_.size() && more; ++run) VARVE_QUERY_TRY(hand_out(runs_[run], emit, more));
  return {};
}

// Whether each run's first row is not before the last one of the run before it: parts of one series, by time.
bool RowSorter::in_sequence() const {
  for (size_t i = 1; i < runs_.size(); ++i) {
    const Run& a = runs_[i - 1];
    const Run& b = runs_[i];
    if (compare(a.views, a.order.back(), b.views, b.order.front()) > 0) return false;
  }
  return true;
}

QueryResult<void> RowSorter::hand_out(const Run& run, const Emit& emit, bool& more) {
  const size_t step = std::clamp<size_t>(kEmitBytes / (run.bytes / run.rows + 1), 1, kEmitRows);
  std::vector<ColumnVector> picked;
  for (const FieldType type : types_) picked.emplace_back(type);
  std::vector<VectorView> batch(types_.size());
  std::vector<uint32_t> order;
  for (size_t from = 0; from < run.rows && more; from += step) {
    VARVE_QUERY_TRY(budget_.check());
    const size_t rows = std::min(step, run.rows - from);
    if (!run.as_arrived) {
      const auto begin = run.order.begin() + static_cast<std::ptrdiff_t>(from);
      order.assign(begin, begin + static_cast<std::ptrdiff_t>(rows));
    }
    for (size_t i = 0; i < batch.size(); ++i) {
      if (run.as_arrived) {
        batch[i] = run.views[i].from(from);
        continue;
      }
      picked[i].clear();
      append_selected(picked[i], run.views[i], order);
      batch[i] = view_of(picked[i]);
    }
    VARVE_QUERY_ASSIGN(more, emit(batch, rows));
  }
  return {};
}

QueryResult<void> RowSorter::merge(const Emit& emit) {
  struct Cursor {
    size_t run;
    size_t next;
  };
  const auto later = [&](const Cursor& a, const Cursor& b) {
    const Run& x = runs_[a.run];
    const Run& y = runs_[b.run];
    const int order = compare(x.views, x.order[a.next], y.views, y.order[b.next]);
    return order != 0 ? order > 0 : a.run > b.run;
  };
  std::priority_queue<Cursor, std::vector<Cursor>, decltype(later)> heads(later);
  for (size_t run = 0; run < runs_.size(); ++run) heads.push({run, 0});
  std::vector<ColumnVector> batch;
  for (const FieldType type : types_) batch.emplace_back(type);
  while (!heads.empty()) {
    VARVE_QUERY_TRY(budget_.check());
    for (ColumnVector& column : batch) column.clear();
    size_t rows = 0;
    size_t bytes = 0;  // of strings; each run knows its average
    for (; rows < kEmitRows && bytes < kEmitBytes && !heads.empty(); ++rows) {
      Cursor head = heads.top();
      heads.pop();
      const Run& run = runs_[head.run];
      bytes += run.bytes / run.rows;
      for (size_t i = 0; i < batch.size(); ++i) append_entry(batch[i], run.views[i], run.order[head.next]);
      if (++head.next < run.rows) heads.push(head);
    }
    VARVE_QUERY_ASSIGN(const bool more, emit(views_of(batch), rows));
    if (!more) return {};
  }
  return {};
}

}  // namespace varve
