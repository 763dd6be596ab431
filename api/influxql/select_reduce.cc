#include "api/influxql/select_reduce.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>

namespace varve::influxql {
namespace {

using Rows = std::vector<uint32_t>;  // of one bucket, with values, in the query's order

template <class T>
T cell(const ColumnVector& column, size_t row) {
  if constexpr (std::is_same_v<T, double>) return column.doubles[row];
  if constexpr (std::is_same_v<T, int64_t>) return column.ints[row];
  if constexpr (std::is_same_v<T, bool>) return column.bools[row] != 0;
  if constexpr (std::is_same_v<T, std::string_view>) return column.strings[row];
}

template <class F>
auto by_type(const ColumnVector& column, F f) {
  switch (column.type) {
    case FieldType::kInt64:
      return f(int64_t{});
    case FieldType::kBool:
      return f(bool{});
    case FieldType::kString:
      return f(std::string_view{});
    case FieldType::kDouble:
      break;
  }
  return f(double{});
}

double number(const ColumnVector& column, size_t row) {
  return column.type == FieldType::kInt64 ? static_cast<double>(column.ints[row]) : column.doubles[row];
}

template <class T>
bool preferred(std::string_view name, const ColumnVector& column, const std::vector<int64_t>& times,
               uint32_t a, uint32_t b) {
  const T left = cell<T>(column, a);
  const T right = cell<T>(column, b);
  if (name == "max" || name == "min") {
    if (left != right) return (left > right) == (name == "max");
    return times[a] < times[b];
  }
  if (times[a] != times[b]) return (times[a] > times[b]) == (name == "last");
  return left > right;
}

uint32_t choose(std::string_view name, const Rows& rows, const ColumnVector& column,
                const std::vector<int64_t>& times) {
  return by_type(column, [&](auto type) {
    using T = decltype(type);
    uint32_t best = rows.front();
    for (const uint32_t row : rows) {
      if (preferred<T>(name, column, times, row, best)) best = row;
    }
    return best;
  });
}

Rows by_value(const Rows& rows, const ColumnVector& column) {
  Rows sorted = rows;
  by_type(column, [&](auto type) {
    using T = decltype(type);
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](uint32_t a, uint32_t b) { return cell<T>(column, a) < cell<T>(column, b); });
  });
  return sorted;
}

std::optional<uint32_t> percentile(const Rows& rows, const ColumnVector& column, double percent) {
  const double rank = std::floor(static_cast<double>(rows.size()) * percent / 100 + 0.5) - 1;
  if (!(rank >= 0) || rank >= static_cast<double>(rows.size())) return std::nullopt;
  return by_value(rows, column)[static_cast<size_t>(rank)];
}

// Of values that are equally frequent, the one met first, as InfluxDB counts: a value that comes once counts only if it
// is the smallest.
uint32_t mode(const Rows& rows, const ColumnVector& column, const std::vector<int64_t>& times) {
  const Rows sorted = by_value(rows, column);
  return by_type(column, [&](auto type) {
    using T = decltype(type);
    uint32_t best = sorted.front();
    size_t best_count = 0;
    uint32_t first = sorted.front();
    size_t count = 0;
    for (const uint32_t row : sorted) {
      if (cell<T>(column, row) != cell<T>(column, first)) {
        first = row;
        count = 1;
        continue;
      }
      ++count;
      if (best_count > count || (best_count == count && times[first] > times[best])) continue;
      best_count = count;
      best = first;
    }
    return best;
  });
}

Value median(const Rows& rows, const ColumnVector& column) {
  const Rows sorted = by_value(rows, column);
  const size_t middle = sorted.size() / 2;
  const double high = number(column, sorted[middle]);
  if (sorted.size() % 2 == 1) return high;
  const double low = number(column, sorted[middle - 1]);
  return low + (high - low) / 2;
}

Value stddev(const Rows& rows, const ColumnVector& column) {
  if (rows.size() < 2) return {};
  double mean = 0;
  double count = 0;
  for (const uint32_t row : rows) mean += (number(column, row) - mean) / ++count;
  double squares = 0;
  for (const uint32_t row : rows) squares += (number(column, row) - mean) * (number(column, row) - mean);
  return std::sqrt(squares / (count - 1));
}

Value sum(const Rows& rows, const ColumnVector& column) {
  if (column.type == FieldType::kInt64) {
    uint64_t total = 0;  // wraps
    for (const uint32_t row : rows) total += static_cast<uint64_t>(column.ints[row]);
    return static_cast<int64_t>(total);
  }
  double total = 0;
  for (const uint32_t row : rows) total += number(column, row);
  return total;
}

Value mean(const Rows& rows, const ColumnVector& column) {
  double total = 0;
  for (const uint32_t row : rows) total += number(column, row);
  return total / static_cast<double>(rows.size());
}

Value spread(const Rows& rows, const ColumnVector& column, const std::vector<int64_t>& times) {
  const uint32_t low = choose("min", rows, column, times);
  const uint32_t high = choose("max", rows, column, times);
  if (column.type != FieldType::kInt64) return number(column, high) - number(column, low);
  return static_cast<int64_t>(static_cast<uint64_t>(column.ints[high]) -
                              static_cast<uint64_t>(column.ints[low]));
}

Rows distinct(const Rows& rows, const ColumnVector& column, const std::vector<int64_t>& times,
              bool descending) {
  return by_type(column, [&](auto type) {
    using T = decltype(type);
    std::map<T, uint32_t> first;
    for (const uint32_t row : rows) first.try_emplace(cell<T>(column, row), row);
    Rows found;
    for (const auto& [value, row] : first) found.push_back(row);  // by value
    std::stable_sort(found.begin(), found.end(), [&](uint32_t a, uint32_t b) { return times[a] < times[b]; });
    if (descending) std::reverse(found.begin(), found.end());
    return found;
  });
}

// The best row of every combination of the values of `dimensions`.
Rows best_of_each(std::string_view function, const Rows& rows, const ColumnVector& column,
                  const std::vector<const ColumnVector*>& dimensions, const std::vector<int64_t>& times) {
  const std::string_view best = function == "top" ? "max" : "min";
  std::map<std::vector<Value>, Rows> parts;
  for (const uint32_t row : rows) {
    std::vector<Value> key;
    for (const ColumnVector* dimension : dimensions) key.push_back(dimension->value(row));
    parts[std::move(key)].push_back(row);
  }
  Rows found;
  for (const auto& [key, part] : parts) found.push_back(choose(best, part, column, times));
  return found;
}

Rows extreme(std::string_view function, Rows rows, const ColumnVector& column,
             const std::vector<int64_t>& times, size_t count) {
  const bool top = function == "top";
  by_type(column, [&](auto type) {
    using T = decltype(type);
    std::stable_sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) {
      const T left = cell<T>(column, a);
      const T right = cell<T>(column, b);
      if (left != right) return (left > right) == top;
      return times[a] < times[b];
    });
  });
  if (rows.size() > count) rows.resize(count);
  // Ascending within a bucket even in a descending query, as InfluxDB has them.
  std::stable_sort(rows.begin(), rows.end(), [&](uint32_t a, uint32_t b) { return times[a] < times[b]; });
  return rows;
}

Rows sample(const Rows& rows, size_t count, const std::vector<int64_t>& times) {  // reservoir sampling
  thread_local std::minstd_rand generator{std::random_device{}()};
  Rows kept(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(std::min(count, rows.size())));
  for (size_t i = count; i < rows.size(); ++i) {
    const size_t place = std::uniform_int_distribution<size_t>(0, i)(generator);
    if (place < count) kept[place] = rows[i];
  }
  std::sort(kept.begin(), kept.end());
  std::stable_sort(kept.begin(), kept.end(), [&](uint32_t a, uint32_t b) { return times[a] < times[b]; });
  return kept;
}

class Reducer {
 public:
  Reducer(const Expr& call, const std::vector<int64_t>& times, const ColumnVector& values,
          const std::vector<const ColumnVector*>& dimensions, const CallOptions& options)
      : call_(call),
        name_(call.text),
        times_(times),
        values_(values),
        dimensions_(dimensions),
        options_(options) {
    const bool is_count = name_ == "count";
    const bool is_double = name_ == "mean" || name_ == "median" || name_ == "stddev";
    out_.values.type = is_count ? FieldType::kInt64 : is_double ? FieldType::kDouble : values.type;
  }

  void bucket(const Bucket& bucket, const Rows& rows) {
    const int64_t time = bucket_time(bucket, options_);
    const bool own_times = options_.lone_selector && options_.window.none();
    if (name_ == "distinct") {
      for (const uint32_t row : distinct(rows, values_, times_, options_.descending)) add_row(row, time);
    } else if (name_ == "top" || name_ == "bottom") {
      const Rows from =
          call_.children.size() == 2 ? rows : best_of_each(name_, rows, values_, dimensions_, times_);
      const auto count = static_cast<size_t>(std::get<int64_t>(call_.children.back()->value));
      for (const uint32_t row : extreme(name_, from, values_, times_, count)) {
        add_row(row, times_[row]);
      }
    } else if (name_ == "sample") {
      const auto count = static_cast<size_t>(std::get<int64_t>(call_.children[1]->value));
      for (const uint32_t row : sample(rows, count, times_)) add_row(row, times_[row]);
    } else if (name_ == "percentile") {
      const auto row = percentile(rows, values_, percent());
      if (row) add_row(*row, own_times ? times_[*row] : time);
    } else if (name_ == "min" || name_ == "max" || name_ == "first" || name_ == "last") {
      const uint32_t row = choose(name_, rows, values_, times_);
      add_row(row, own_times ? times_[row] : time);
    } else if (name_ == "mode") {
      out_.times.push_back(time);
      out_.values.push_from(values_, mode(rows, values_, times_));
    } else {
      out_.times.push_back(time);
      out_.values.push_value(aggregate(rows));
    }
  }

  Points finish() { return std::move(out_); }

 private:
  double percent() const {
    const Value& value = call_.children[1]->value;
    if (const auto* whole = std::get_if<int64_t>(&value)) return static_cast<double>(*whole);
    return std::get<double>(value);
  }

  void add_row(uint32_t row, int64_t time) {
    out_.times.push_back(time);
    out_.values.push_from(values_, row);
    out_.rows.push_back(row);
  }

  Value aggregate(const Rows& rows) const {
    if (name_ == "count") return static_cast<int64_t>(rows.size());
    if (name_ == "sum") return sum(rows, values_);
    if (name_ == "mean") return mean(rows, values_);
    if (name_ == "median") return median(rows, values_);
    if (name_ == "stddev") return stddev(rows, values_);
    return spread(rows, values_, times_);
  }

  const Expr& call_;
  const std::string& name_;
  const std::vector<int64_t>& times_;
  const ColumnVector& values_;
  const std::vector<const ColumnVector*>& dimensions_;
  const CallOptions& options_;
  Points out_;
};

}  // namespace

int64_t bucket_time(const Bucket& bucket, const CallOptions& options) {
  const int64_t time = options.window.none() ? options.range.min : bucket.start;
  return time == kTimeMin ? 0 : time;
}

RowSpan rows_within(const std::vector<int64_t>& times, const TimeRange& range, bool descending) {
  const auto before = [&](int64_t time) { return descending ? time > range.max : time < range.min; };
  const auto not_after = [&](int64_t time) { return descending ? time >= range.min : time <= range.max; };
  const auto from = std::partition_point(times.begin(), times.end(), before);
  const auto to = std::partition_point(from, times.end(), not_after);
  return {times, static_cast<size_t>(from - times.begin()), static_cast<size_t>(to - times.begin())};
}

Points reduce(const Expr& call, const RowSpan& rows, const ColumnVector& values,
              const std::vector<const ColumnVector*>& dimensions, const CallOptions& options) {
  Reducer reducer(call, rows.times, values, dimensions, options);
  Rows of_bucket;
  Bucket bucket;
  bool any = false;
  for (size_t row = rows.from; row < rows.to; ++row) {
    if (!values.is_valid(row)) continue;
    const int64_t time = rows.times[row];
    if (!any || (!options.window.none() && (time < bucket.start || time >= bucket.end))) {
      if (!of_bucket.empty()) reducer.bucket(bucket, of_bucket);
      of_bucket.clear();
      bucket = options.window.at(time);
      any = true;
    }
    of_bucket.push_back(static_cast<uint32_t>(row));
  }
  if (!of_bucket.empty()) reducer.bucket(bucket, of_bucket);
  return reducer.finish();
}

}  // namespace varve::influxql
