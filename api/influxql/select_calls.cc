#include "api/influxql/select_calls.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/influxql/select_check.h"
#include "api/influxql/select_holt_winters.h"
#include "api/influxql/select_reduce.h"
#include "api/influxql/select_transform.h"

namespace varve::influxql {
namespace {

bool is_holt_winters(const Expr& call) {
  return call.text.starts_with("holt_winters");
}

bool takes_points(const Expr& call) {
  return is_transformation(call.text) || is_holt_winters(call);
}

// Functions whose points are the buckets', so that gaps can be filled.
bool has_bucket_times(const Expr& call) {
  return call.text != "top" && call.text != "bottom" && call.text != "sample" && call.text != "distinct" &&
         call.text != "integral";
}

// count(distinct(x)): how many points each time has.
Points counted(const Points& points) {
  Points out;
  out.values.type = FieldType::kInt64;
  for (size_t i = 0; i < points.size(); ++i) {
    if (out.times.empty() || out.times.back() != points.times[i]) {
      out.times.push_back(points.times[i]);
      out.values.push_int(0);
    }
    ++out.values.ints.back();
  }
  return out;
}

class Filler {
 public:
  Filler(const Points& points, bool is_count, const CallOptions& options)
      : points_(points), options_(options), fill_(options.fill) {
    const bool nulls = fill_.kind == Fill::Kind::kDefault || fill_.kind == Fill::Kind::kNull;
    if (is_count && nulls) {
      fill_.kind = Fill::Kind::kNumber;
      fill_.number = 0;
    }
    out_.values.type = points.values.type;
  }

  QueryResult<Points> run() {
    int64_t bucket = first_bucket();
    const int64_t last = last_bucket();
    const bool down = options_.descending;
    const int64_t steps =
        saturating_subtract(std::max(bucket, last), std::min(bucket, last)) / options_.window.interval_ns;
    if (steps >= kBucketsMax) {
      QueryError error = limit_error(
          "max_select_buckets",
          fmt::format("max-select-buckets limit exceeded: ({}/{})", saturating_add(steps, 1), kBucketsMax));
      error.hint = "narrow the time range, widen GROUP BY time() or use fill(none)";
      return tl::make_unexpected(std::move(error));
    }
    size_t next = 0;
    while (down ? bucket >= last : bucket <= last) {
      for (; next < points_.size() && is_before(points_.times[next], bucket); ++next) take(next);
      if (next < points_.size() && points_.times[next] == bucket) {
        take(next++);
      } else {
        add_missing(bucket, next);
      }
      const Bucket at = options_.window.at(bucket);
      const int64_t following = down ? options_.window.at(saturating_subtract(at.start, 1)).start : at.end;
      if (following == bucket) break;  // the end of time
      bucket = following;
    }
    for (; next < points_.size(); ++next) take(next);
    return std::move(out_);
  }

 private:
  int64_t bucket_of(int64_t time) const { return options_.window.at(time).start; }
  bool is_before(int64_t a, int64_t b) const { return options_.descending ? a > b : a < b; }

  int64_t first_bucket() const {
    if (options_.descending) return bucket_of(options_.range.max);
    return options_.range.min == kTimeMin ? points_.times.front() : bucket_of(options_.range.min);
  }
  int64_t last_bucket() const {
    if (!options_.descending) return bucket_of(options_.range.max);
    return options_.range.min == kTimeMin ? points_.times.back() : bucket_of(options_.range.min);
  }

  void take(size_t point) {
    out_.times.push_back(points_.times[point]);
    out_.values.push_from(points_.values, point);
    if (!points_.rows.empty()) out_.rows.push_back(points_.rows[point]);
    previous_ = point;
  }

  void add_missing(int64_t bucket, size_t next) {
    out_.times.push_back(bucket);
    if (!points_.rows.empty()) out_.rows.push_back(kNoRow);
    switch (fill_.kind) {
      case Fill::Kind::kNumber:
        return add_number();
      case Fill::Kind::kPrevious:
        return previous_ ? out_.values.push_from(points_.values, *previous_) : out_.values.push_null();
      case Fill::Kind::kLinear:
        return add_on_line(bucket, next);
      default:
        return out_.values.push_null();
    }
  }

  void add_number() {
    switch (out_.values.type) {
      case FieldType::kDouble:
        return out_.values.push_double(fill_.number);
      case FieldType::kInt64:
        return out_.values.push_int(clamped_int64(fill_.number));
      case FieldType::kBool:
        return out_.values.push_bool(false);
      case FieldType::kString:
        return out_.values.push_string("");
    }
  }

  void add_on_line(int64_t bucket, size_t next) {
    const ColumnVector& values = points_.values;
    const bool numbers = values.type == FieldType::kDouble || values.type == FieldType::kInt64;
    if (!numbers || !previous_ || next >= points_.size() || !values.is_valid(*previous_) ||
        !values.is_valid(next)) {
      return out_.values.push_null();
    }
    const int64_t interval = options_.window.interval_ns;
    const auto steps = [&](int64_t to) {
      return static_cast<double>(to / interval - points_.times[*previous_] / interval);
    };
    const auto value = [&](size_t point) {
      return values.type == FieldType::kInt64 ? static_cast<double>(values.ints[point])
                                              : values.doubles[point];
    };
    const double slope = (value(next) - value(*previous_)) / steps(points_.times[next]);
    const double at = slope * steps(bucket) + value(*previous_);
    values.type == FieldType::kInt64 ? out_.values.push_int(clamped_int64(at)) : out_.values.push_double(at);
  }

  const Points& points_;
  const CallOptions& options_;
  Fill fill_;
  std::optional<size_t> previous_;
  Points out_;
};

}  // namespace

QueryResult<Points> fill_gaps(const Points& points, bool is_count, const CallOptions& options) {
  return Filler(points, is_count, options).run();
}

TimeRange input_range(const Expr& call, const CallOptions& options) {
  TimeRange range = options.range;
  if (options.window.none() || is_holt_winters(call) || call.text == "cumulative_sum") return range;
  const int64_t by = options.window.interval_ns;
  if (options.descending) {
    range.max = std::min(saturating_add(range.max, by), kTimeMax);
  } else if (range.min != kTimeMin) {
    range.min = std::max(saturating_subtract(range.min, by), kTimeMin);
  }
  return range;
}

void for_innermost(const Expr& call, const CallOptions& options,
                   const std::function<void(const Expr&, const TimeRange&)>& f) {
  const bool nested = !call.children.empty() && call.children[0]->kind == ExprKind::kCall;
  if (!takes_points(call) || !nested)
    return f(call, takes_points(call) ? input_range(call, options) : options.range);
  CallOptions inner = options;
  inner.range = input_range(call, options);
  for_innermost(*call.children[0], inner, f);
}

Points SeriesCalls::reduced(const Expr& call, const CallOptions& options) {
  if (const Points* known = known_ ? known_(call, options.range) : nullptr) return *known;
  const ColumnVector& values = group_.columns[column_of_(*call.children[0])];
  const RowSpan rows = rows_within(group_.times, options.range, options.descending);
  std::vector<const ColumnVector*> dimensions;
  if (call.text == "top" || call.text == "bottom") {
    for (size_t i = 1; i + 1 < call.children.size(); ++i) {
      if (type_of_name(*call.children[i]) != DataType::kTag) continue;  // a field does not tell rows apart
      dimensions.push_back(&group_.columns[column_of_(*call.children[i])]);
    }
  }
  return reduce(call, rows, values, dimensions, options);
}

QueryResult<Points> SeriesCalls::evaluate_input(const Expr& argument, const CallOptions& options) {
  if (argument.kind == ExprKind::kCall) return evaluate(argument, options);
  const ColumnVector& values = group_.columns[column_of_(argument)];
  const RowSpan rows = rows_within(group_.times, options.range, options.descending);
  Points out;
  out.times.assign(group_.times.begin() + static_cast<std::ptrdiff_t>(rows.from),
                   group_.times.begin() + static_cast<std::ptrdiff_t>(rows.to));
  out.values.type = values.type;
  out.values.push_range(values, rows.from, rows.to);
  return out;
}

QueryResult<Points> SeriesCalls::evaluate_holt_winters(const Expr& call, const CallOptions& options) {
  VARVE_QUERY_ASSIGN(const Points input, evaluate_input(*call.children[0], options));
  const int64_t forecasts = std::get<int64_t>(call.children[1]->value);
  const int64_t season = std::get<int64_t>(call.children[2]->value);
  const int64_t limit = static_cast<int64_t>(kHoltWintersPointsMax);
  const int64_t span = input.times.empty()
                           ? 0
                           : std::abs(saturating_subtract(input.times.back(), input.times.front())) /
                                 options.window.interval_ns;
  if (forecasts > limit || season > limit || span > limit) {
    return tl::make_unexpected(limit_error(
        "holt_winters_limit", fmt::format("{} takes at most {} points, forecasts and points of a season",
                                          call.text, kHoltWintersPointsMax)));
  }
  HoltWintersOptions shape;
  shape.forecasts = static_cast<size_t>(forecasts);
  shape.season = static_cast<size_t>(season);
  shape.with_fit = call.text.ends_with("with_fit");
  shape.interval_ns = options.window.interval_ns;
  QueryResult<void> checked;
  const auto keep_on = [&] {
    checked = budget_.check();
    return checked.has_value();
  };
  Points out = holt_winters(input, shape, keep_on);
  if (!checked) return tl::make_unexpected(checked.error());
  return out;
}

QueryResult<Points> SeriesCalls::evaluate(const Expr& call, const CallOptions& options) {
  VARVE_QUERY_TRY(budget_.check());
  if (is_holt_winters(call)) return evaluate_holt_winters(call, options);
  if (takes_points(call) || call.text == "integral") {
    CallOptions inner = options;
    if (call.text != "integral") inner.range = input_range(call, options);
    inner.lone_selector = false;
    VARVE_QUERY_ASSIGN(const Points input, evaluate_input(*call.children[0], inner));
    return call.text == "integral" ? integrate(call, input, options) : transform(call, input, options);
  }
  Points points;
  if (call.text == "count" && call.children[0]->kind == ExprKind::kCall) {
    points = counted(reduced(*call.children[0], options));
  } else {
    points = reduced(call, options);
  }
  const bool fills =
      !options.window.none() && options.fill.kind != Fill::Kind::kNone && has_bucket_times(call);
  if (!fills || points.times.empty()) return points;
  return fill_gaps(points, call.text == "count", options);
}

}  // namespace varve::influxql
