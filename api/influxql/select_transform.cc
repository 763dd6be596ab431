#include "api/influxql/select_transform.h"

#include <cmath>

namespace varve::influxql {
namespace {

double number(const ColumnVector& column, size_t row) {
  return column.type == FieldType::kInt64 ? static_cast<double>(column.ints[row]) : column.doubles[row];
}

int64_t unit_of(const Expr& call, int64_t otherwise) {
  return call.children.size() == 2 ? std::get<int64_t>(call.children[1]->value) : otherwise;
}

void push_number(ColumnVector& column, double value) {
  std::isfinite(value) ? column.push_double(value) : column.push_null();
}

// Calls f(previous, current) for the points that advance in time.
template <class F>
void for_steps(const Points& input, F f) {
  bool any = false;
  size_t previous = 0;
  for (size_t i = 0; i < input.size(); ++i) {
    if (!input.values.is_valid(i)) continue;
    if (any && input.times[i] == input.times[previous]) continue;
    if (any) f(previous, i);
    previous = i;
    any = true;
  }
}

Points derivative(const Expr& call, const Points& input, const CallOptions& options) {
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t unit = unit_of(call, options.window.none() ? kSecond : options.window.interval_ns);
  const bool positive = call.text.starts_with("non_negative");
  Points out;
  for_steps(input, [&](size_t a, size_t b) {
    const double difference = number(input.values, b) - number(input.values, a);
    if (positive && difference < 0) return;
    const auto elapsed = static_cast<double>(saturating_subtract(input.times[b], input.times[a])) *
                         (options.descending ? -1 : 1);
    out.times.push_back(input.times[b]);
    push_number(out.values, difference / (elapsed / static_cast<double>(unit)));
  });
  return out;
}

Points difference(const Expr& call, const Points& input) {
  const bool positive = call.text.starts_with("non_negative");
  Points out;
  out.values.type = input.values.type;
  for_steps(input, [&](size_t a, size_t b) {
    if (input.values.type == FieldType::kInt64) {
      const auto value = static_cast<int64_t>(static_cast<uint64_t>(input.values.ints[b]) -
                                              static_cast<uint64_t>(input.values.ints[a]));
      if (positive && value < 0) return;
      out.values.push_int(value);
    } else {
      const double value = number(input.values, b) - number(input.values, a);
      if (positive && value < 0) return;
      push_number(out.values, value);
    }
    out.times.push_back(input.times[b]);
  });
  return out;
}

Points moving_average(const Expr& call, const Points& input) {
  const auto size = static_cast<size_t>(std::get<int64_t>(call.children[1]->value));
  Points out;
  std::vector<size_t> seen;  // points with values
  double sum = 0;
  for (size_t i = 0; i < input.size(); ++i) {
    if (!input.values.is_valid(i)) continue;
    if (seen.size() >= size) sum -= number(input.values, seen[seen.size() - size]);
    seen.push_back(i);
    sum += number(input.values, i);
    if (seen.size() < size) continue;
    out.times.push_back(input.times[i]);
    push_number(out.values, sum / static_cast<double>(size));
  }
  return out;
}

Points cumulative_sum(const Points& input) {
  Points out;
  out.values.type = input.values.type;
  double sum = 0;
  uint64_t whole = 0;  // wraps
  for (size_t i = 0; i < input.size(); ++i) {
    if (!input.values.is_valid(i)) continue;
    out.times.push_back(input.times[i]);
    if (input.values.type == FieldType::kInt64) {
      whole += static_cast<uint64_t>(input.values.ints[i]);
      out.values.push_int(static_cast<int64_t>(whole));
    } else {
      sum += number(input.values, i);
      push_number(out.values, sum);
    }
  }
  return out;
}

Points elapsed(const Expr& call, const Points& input) {
  const int64_t unit = unit_of(call, 1);
  Points out;
  out.values.type = FieldType::kInt64;
  bool any = false;
  int64_t previous = 0;
  for (size_t i = 0; i < input.size(); ++i) {
    if (!input.values.is_valid(i)) continue;
    if (any) {
      out.times.push_back(input.times[i]);
      out.values.push_int(saturating_subtract(input.times[i], previous) / unit);
    }
    previous = input.times[i];
    any = true;
  }
  return out;
}

double on_line(int64_t at, int64_t time_a, int64_t time_b, double a, double b) {
  const double slope = (b - a) / static_cast<double>(saturating_subtract(time_b, time_a));
  return slope * static_cast<double>(saturating_subtract(at, time_a)) + a;
}

class Integral {
 public:
  Integral(int64_t unit, const CallOptions& options) : unit_(static_cast<double>(unit)), options_(options) {}

  void add(int64_t time, double value) {
    if (!any_) {
      if (!options_.window.none()) enter(time);
    } else if (time == time_) {
      value_ = value;
      return;
    } else {
      if (!options_.window.none() && (options_.descending ? time <= end_ : time >= end_)) leave(time, value);
      area(time, value);
    }
    any_ = true;
    time_ = time;
    value_ = value;
  }

  Points finish() {
    // A point alone at a bucket's start has no area.
    if (any_ && time_ != start_) emit();
    return std::move(out_);
  }

 private:
  void enter(int64_t time) {
    const Bucket bucket = options_.window.at(time);
    start_ = options_.descending ? bucket.end : bucket.start;
    end_ = options_.descending ? bucket.start : bucket.end;
  }

  void area(int64_t time, double value) {
    sum_ += 0.5 * (value + value_) * (static_cast<double>(saturating_subtract(time, time_)) / unit_);
  }

  void leave(int64_t time, double value) {
    if (time_ != end_) {
      const double at_end = on_line(end_, time_, time, value_, value);
      area(end_, at_end);
      time_ = end_;
      value_ = at_end;
    }
    emit();
    sum_ = 0;
    enter(time);
  }

  void emit() {
    out_.times.push_back(options_.descending ? end_ : start_);
    push_number(out_.values, sum_);
  }

  const double unit_;
  const CallOptions& options_;
  bool any_ = false;
  int64_t time_ = 0;
  double value_ = 0;
  double sum_ = 0;
  int64_t start_ = 0;
  int64_t end_ = 0;
  Points out_;
};

}  // namespace

Points transform(const Expr& call, const Points& input, const CallOptions& options) {
  if (call.text.ends_with("derivative")) return derivative(call, input, options);
  if (call.text.ends_with("difference")) return difference(call, input);
  if (call.text == "moving_average") return moving_average(call, input);
  if (call.text == "cumulative_sum") return cumulative_sum(input);
  return elapsed(call, input);
}

Points integrate(const Expr& call, const Points& input, const CallOptions& options) {
  constexpr int64_t kSecond = 1'000'000'000;
  Integral integral(unit_of(call, kSecond), options);
  for (size_t i = 0; i < input.size(); ++i) {
    if (input.values.is_valid(i)) integral.add(input.times[i], number(input.values, i));
  }
  return integral.finish();
}

}  // namespace varve::influxql
