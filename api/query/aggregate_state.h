// The states of the aggregate functions, one struct each, used by aggregate.cc only.
//   add(input, row, bytes):        one valid value; `bytes` counts memory beyond the struct
//   add_run(input, from, to, ...): rows of one group in ascending time
//   add_block(block):              false = the statistics cannot tell; then suffices(block), too, is false
//   merge(other, bytes):           a state that saw later rows; none = it cannot be merged
//   result(out, spec, context):    appends one entry
// Threads: values.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <unordered_set>

#include "api/query/aggregate.h"
#include "api/query/kernels.h"
#include "api/query/t_digest.h"

namespace varve {

__extension__ using WideInt = __int128;  // sums of up to 2^63 int64 values fit

template <class T>
T typed_value(const VectorView& view, size_t row) {
  if constexpr (std::is_same_v<T, std::string>) {
    return std::string(view.string(row));
  } else {
    return view.values<T>()[view.entry(row)];
  }
}

template <class T>
void push_typed(ColumnVector& out, const T& value) {
  if constexpr (std::is_same_v<T, double>) out.push_double(value);
  if constexpr (std::is_same_v<T, int64_t>) out.push_int(value);
  if constexpr (std::is_same_v<T, uint8_t>) out.push_bool(value != 0);
  if constexpr (std::is_same_v<T, std::string>) out.push_string(value);
}

template <class T>
size_t owned_bytes(const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return value.capacity();
  } else {
    return 0;
  }
}

// Calls f(row) for the valid rows of a run.
template <class F>
void for_valid(const AggregateInput& input, size_t from, size_t to, F f) {
  if (input.argument.valid == nullptr) {
    for (size_t row = from; row < to; ++row) f(row);
  } else {
    for (size_t row = from; row < to; ++row) {
      if (input.argument.is_valid(row)) f(row);
    }
  }
}

struct CountRowsState {
  int64_t count = 0;
  void add(const AggregateInput&, size_t, size_t&) { ++count; }
  void add_run(const AggregateInput&, size_t from, size_t to, size_t&) {
    count += static_cast<int64_t>(to - from);
  }
  bool add_block(const BlockInput& block) {
    count += static_cast<int64_t>(block.rows);
    return true;
  }
  void merge(CountRowsState&& other, size_t&) { count += other.count; }
  void result(ColumnVector& out, const AggregateSpec&, EvalContext&) { out.push_int(count); }
};

struct CountState : CountRowsState {
  void add_run(const AggregateInput& input, size_t from, size_t to, size_t&) {
    if (input.argument.valid == nullptr) {
      count += static_cast<int64_t>(to - from);
    } else if (!input.argument.constant) {
      count += static_cast<int64_t>(count_set(input.argument.valid + from, to - from));
    } else {
      count += input.argument.valid[0] != 0 ? static_cast<int64_t>(to - from) : 0;
    }
  }
  bool add_block(const BlockInput& block) {
    count += static_cast<int64_t>(block.column->count);
    return true;
  }
};

// Runs shorter than this are over before a kernel has begun. Guessed: two steps of its widest loop.
constexpr size_t kKernelRowsMin = 32;

// Exact; small values, as most are, by additions of 64 bits.
inline WideInt sum_of_ints(const int64_t* values, size_t count) {
  constexpr int64_t kSafe = INT64_MAX >> 20;  // a million of them
  if (count >= kKernelRowsMin && count <= (size_t{1} << 20) && min_of(values, count) >= -kSafe &&
      max_of(values, count) <= kSafe) {
    return sum_of(values, count);
  }
  WideInt total = 0;
  for (size_t i = 0; i < count; ++i) total += values[i];
  return total;
}

template <class T>
struct TotalState {
  using Total = std::conditional_t<std::is_same_v<T, double>, double, WideInt>;
  Total total = 0;
  uint64_t count = 0;

  void add(const AggregateInput& input, size_t row, size_t&) {
    total += typed_value<T>(input.argument, row);
    ++count;
  }
  void add_run(const AggregateInput& input, size_t from, size_t to, size_t& bytes) {
    const bool plain = input.argument.valid == nullptr && !input.argument.constant;
    if (!plain) {
      for_valid(input, from, to, [&](size_t row) { add(input, row, bytes); });
      return;
    }
    const T* values = input.argument.values<T>() + from;
    if constexpr (std::is_same_v<T, double>) {
      total += sum_of(values, to - from);
    } else {
      total += sum_of_ints(values, to - from);
    }
    count += to - from;
  }
  bool add_block(const BlockInput& block) {
    if constexpr (std::is_same_v<T, double>) {
      total += block.column->sum;
    } else {
      total += block.column->sum_int;
    }
    count += block.column->count;
    return true;
  }
  void merge(TotalState&& other, size_t&) {
    total += other.total;
    count += other.count;
  }
};

template <class T>
struct SumState : TotalState<T> {
  void result(ColumnVector& out, const AggregateSpec& spec, EvalContext& context) {
    if (this->count == 0) return out.push_null();
    if constexpr (std::is_same_v<T, double>) {
      if (std::isnan(this->total)) return out.push_null();  // inf - inf
      out.push_double(this->total);
    } else {
      if (this->total > INT64_MAX || this->total < INT64_MIN) {
        context.fail(invalid_query("overflow", "the sum is beyond the range of int64", spec.position,
                                   "sum(cast(x as double)) has the range"));
        return out.push_null();
      }
      out.push_int(static_cast<int64_t>(this->total));
    }
  }
};

template <class T>
struct AvgState : TotalState<T> {
  void result(ColumnVector& out, const AggregateSpec&, EvalContext&) {
    const double mean = static_cast<double>(this->total) / static_cast<double>(this->count);
    if (std::isnan(mean)) return out.push_null();  // of nothing, or inf - inf
    out.push_double(mean);
  }
};

template <class T, bool is_max>
struct ExtremeState {
  T value{};
  bool has_value = false;

  static bool better(const T& a, const T& b) { return is_max ? a > b : a < b; }
  static T extreme_of(const T* values, size_t count) {
    if constexpr (sizeof(T) == sizeof(double)) {
      if (count >= kKernelRowsMin) return is_max ? max_of(values, count) : min_of(values, count);
    }
    T best = values[0];
    for (size_t i = 1; i < count; ++i) best = better(values[i], best) ? values[i] : best;
    return best;
  }
  void take(T candidate, size_t& bytes) {
    if (has_value && !better(candidate, value)) return;
    bytes -= owned_bytes(value);
    value = std::move(candidate);
    bytes += owned_bytes(value);
    has_value = true;
  }
  void add(const AggregateInput& input, size_t row, size_t& bytes) {
    if constexpr (std::is_same_v<T, std::string>) {  // compare before copying
      const std::string_view text = input.argument.string(row);
      if (has_value && !(is_max ? text > value : text < value)) return;
    }
    take(typed_value<T>(input.argument, row), bytes);
  }
  void add_run(const AggregateInput& input, size_t from, size_t to, size_t& bytes) {
    if constexpr (std::is_arithmetic_v<T>) {
      if (input.argument.valid == nullptr && !input.argument.constant && to > from) {
        return take(extreme_of(input.argument.values<T>() + from, to - from), bytes);
      }
    }
    for_valid(input, from, to, [&](size_t row) { add(input, row, bytes); });
  }
  void merge(ExtremeState&& other, size_t& bytes) {
    if (other.has_value) take(std::move(other.value), bytes);
  }
  bool add_block(const BlockInput& block) {
    size_t bytes = 0;
    if (block.column->count == 0) return true;
    if constexpr (std::is_same_v<T, double>) {
      take(is_max ? block.column->max : block.column->min, bytes);
    } else if constexpr (std::is_same_v<T, int64_t>) {
      take(is_max ? block.column->max_int : block.column->min_int, bytes);
    } else {
      return false;
    }
    return true;
  }
  void result(ColumnVector& out, const AggregateSpec&, EvalContext&) {
    if (!has_value) return out.push_null();
    push_typed(out, value);
  }
};

template <class T, bool is_last>
struct EdgeState {
  T value{};
  int64_t time = 0;
  bool has_value = false;

  // Whether a row at `at` takes the place of what is kept.
  bool wins(int64_t at) const { return !has_value || (is_last ? at >= time : at < time); }
  void add(const AggregateInput& input, size_t row, size_t& bytes) {
    const int64_t at = input.times == nullptr ? 0 : input.times[row];  // SELECT without FROM has no times
    if (!wins(at)) return;
    bytes -= owned_bytes(value);
    value = typed_value<T>(input.argument, row);
    bytes += owned_bytes(value);
    time = at;
    has_value = true;
  }
  void add_run(const AggregateInput& input, size_t from, size_t to, size_t& bytes) {
    for (size_t k = 0; k < to - from; ++k) {  // times ascend, so the first valid row from the edge decides
      const size_t row = is_last ? to - 1 - k : from + k;
      if (!input.argument.is_valid(row)) continue;
      add(input, row, bytes);
      return;
    }
  }
  void merge(EdgeState&& other, size_t& bytes) {
    if (!other.has_value || !wins(other.time)) return;
    bytes -= owned_bytes(value);
    value = std::move(other.value);
    bytes += owned_bytes(value);
    time = other.time;
    has_value = true;
  }
  static bool suffices(const BlockInput& block) {
    return block.column->count == 0 || block.column->count == block.rows || block.one_series;
  }
  bool add_block(const BlockInput& block) {
    if (block.column->count == 0) return true;
    const int64_t edge = is_last ? block.time_max : block.time_min;
    if (!wins(edge)) return true;  // no row of the block can
    // With NULLs in the block, the time of its first or last value is not known; in one series it does not matter.
    if (block.column->count < block.rows && !block.one_series) return false;
    if constexpr (std::is_same_v<T, double>) {
      value = is_last ? block.column->last : block.column->first;
    } else if constexpr (std::is_same_v<T, int64_t>) {
      value = is_last ? block.column->last_int : block.column->first_int;
    } else {
      return false;
    }
    time = edge;
    has_value = true;
    return true;
  }
  void result(ColumnVector& out, const AggregateSpec&, EvalContext&) {
    if (!has_value) return out.push_null();
    push_typed(out, value);
  }
};

// Base of the states that need every value.
struct RowsOnlyState {
  bool add_block(const BlockInput&) { return false; }
};

template <class T>
struct VarianceState : RowsOnlyState {
  uint64_t count = 0;
  double mean = 0;
  double squares = 0;  // sum of squared distances from the mean

  void add(const AggregateInput& input, size_t row, size_t&) {  // Welford, Technometrics 1962
    const auto x = static_cast<double>(typed_value<T>(input.argument, row));
    ++count;
    const double delta = x - mean;
    mean += delta / static_cast<double>(count);
    squares += delta * (x - mean);
  }
  void add_run(const AggregateInput& input, size_t from, size_t to, size_t& bytes) {
    for_valid(input, from, to, [&](size_t row) { add(input, row, bytes); });
  }
  void merge(VarianceState&& other, size_t&) {  // Chan, Golub and LeVeque, COMPSTAT 1982
    if (other.count == 0) return;
    const auto ours = static_cast<double>(count);
    const auto theirs = static_cast<double>(other.count);
    const double delta = other.mean - mean;
    count += other.count;
    mean += delta * theirs / (ours + theirs);
    squares += other.squares + delta * delta * ours * theirs / (ours + theirs);
  }
  void result(ColumnVector& out, const AggregateSpec& spec, EvalContext&) {
    const double variance = count < 2 ? NAN : squares / static_cast<double>(count - 1);
    if (std::isnan(variance)) return out.push_null();
    out.push_double(spec.kind == AggregateKind::kStddev ? std::sqrt(variance) : variance);
  }
};

template <class T>
struct PercentileState : RowsOnlyState {
  // A group of fewer values stays exact whatever the memory: a digest would be no smaller.
  static constexpr size_t kDigestValuesMin = 4096;

  uint64_t exact_bytes_max;
  std::vector<double> values;
  std::unique_ptr<TDigest> digest;

  explicit PercentileState(uint64_t bytes_max) : exact_bytes_max(bytes_max) {}
  bool approximate() const { return digest != nullptr; }

  void add(const AggregateInput& input, size_t row, size_t& bytes) {
    const auto value = static_cast<double>(typed_value<T>(input.argument, row));
    if (digest) return digest->add(value);
    if (values.size() == values.capacity()) {
      if (bytes > exact_bytes_max && values.size() >= kDigestValuesMin) return go_over(value, bytes);
      bytes -= values.capacity() * sizeof(double);
      values.reserve(std::max<size_t>(8, 2 * values.capacity()));
      bytes += values.capacity() * sizeof(double);
    }
    values.push_back(value);
  }
  void go_over(double value, size_t& bytes) {
    digest = std::make_unique<TDigest>();
    for (const double kept : values) digest->add(kept);
    digest->add(value);
    bytes -= values.capacity() * sizeof(double);
    bytes += digest->memory_bytes();
    values = std::vector<double>();
  }
  void add_run(const AggregateInput& input, size_t from, size_t to, size_t& bytes) {
    for_valid(input, from, to, [&](size_t row) { add(input, row, bytes); });
  }
  void merge(PercentileState&& other, size_t& bytes) {
    bytes -= values.capacity() * sizeof(double) + (digest ? digest->memory_bytes() : 0);
    if (values.empty() && !digest) {
      *this = std::move(other);
    } else if (digest || other.digest) {
      if (!digest) digest = std::make_unique<TDigest>();
      if (other.digest) digest->merge(*other.digest);
      for (const double value : values) digest->add(value);
      for (const double value : other.values) digest->add(value);
      values = std::vector<double>();
    } else {
      values.insert(values.end(), other.values.begin(), other.values.end());
    }
    bytes += values.capacity() * sizeof(double) + (digest ? digest->memory_bytes() : 0);
    if (!digest && bytes > exact_bytes_max && values.size() >= kDigestValuesMin) {
      const double last = values.back();
      values.pop_back();
      go_over(last, bytes);
    }
  }
  void result(ColumnVector& out, const AggregateSpec& spec, EvalContext&) {
    if (values.empty() && !digest) return out.push_null();
    const double value = digest ? digest->quantile(spec.percentile / 100) : exact(spec.percentile / 100);
    if (std::isnan(value)) return out.push_null();
    out.push_double(value);
  }
  double exact(double share_below) {
    const double rank = share_below * static_cast<double>(values.size() - 1);
    const auto below = static_cast<size_t>(rank);
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(below);
    std::nth_element(values.begin(), middle, values.end());
    double value = *middle;
    if (below + 1 < values.size()) {
      const double next = *std::min_element(middle + 1, values.end());
      const double share = rank - static_cast<double>(below);
      if (share > 0) value += (next - value) * share;
    }
    return value;
  }
};

template <class T>
struct CountDistinctState : RowsOnlyState {
  static constexpr size_t kNodeBytes = 48;  // a node and its share of the table
  std::unordered_set<T> values;

  void add(const AggregateInput& input, size_t row, size_t& bytes) {
    const auto [place, fresh] = values.insert(typed_value<T>(input.argument, row));
    if (fresh) bytes += kNodeBytes + owned_bytes(*place);
  }
  void merge(CountDistinctState&& other, size_t& bytes) {
    for (const T& value : other.values) {
      if (values.insert(value).second) bytes += kNodeBytes + owned_bytes(value);
    }
  }
  void add_run(const AggregateInput& input, size_t from, size_t to, size_t& bytes) {
    for_valid(input, from, to, [&](size_t row) { add(input, row, bytes); });
  }
  void result(ColumnVector& out, const AggregateSpec&, EvalContext&) {
    out.push_int(static_cast<int64_t>(values.size()));
  }
};

}  // namespace varve
