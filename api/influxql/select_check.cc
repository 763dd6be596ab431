#include "api/influxql/select_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/influxql/select_expr.h"

namespace varve::influxql {
namespace {

template <size_t n>
bool is_one_of(std::string_view name, const std::array<std::string_view, n>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr std::array<std::string_view, 8> kSelectors = {"max",        "min", "first",  "last",
                                                        "percentile", "top", "bottom", "sample"};
constexpr std::array<std::string_view, 7> kAggregates = {"count", "sum",    "mean",  "median",
                                                         "mode",  "stddev", "spread"};
constexpr std::array<std::string_view, 7> kTransformations = {
    "derivative",     "non_negative_derivative", "difference", "non_negative_difference",
    "cumulative_sum", "moving_average",          "elapsed"};

template <class... Args>
tl::unexpected<QueryError> refused(fmt::format_string<Args...> text, Args&&... args) {
  return tl::make_unexpected(influxql_error(fmt::format(text, std::forward<Args>(args)...)));
}

// Folds to a literal.
bool is_constant(const Expr& expr) {
  const bool folds = expr.kind == ExprKind::kParen || expr.kind == ExprKind::kBinary ||
                     (expr.kind == ExprKind::kCall && math_arguments(expr.text) > 0);
  if (!folds) return is_literal(expr) && expr.kind != ExprKind::kRegex;
  return std::all_of(expr.children.begin(), expr.children.end(),
                     [](const ExprPtr& child) { return is_constant(*child); });
}

// One SELECT's field list.
class Checker {
 public:
  Checker(const SelectStatement& select, bool interval, bool inherited)
      : select_(select), interval_(interval), inherited_(inherited) {}

  QueryResult<void> run() {
    size_t fields = 0;
    for (const Field& field : select_.fields) {
      const Expr& expr = *field.expr;
      if (expr.kind == ExprKind::kName && expr.text == kTimeColumn) continue;
      ++fields;
      wildcards_allowed_ = true;
      VARVE_QUERY_TRY(check(expr));
    }
    if (fields == 0) return refused("at least 1 non-time field must be queried");
    return check_together();
  }

 private:
  QueryResult<void> check(const Expr& expr) {
    if (is_constant(expr)) return refused("field must contain at least one variable");
    switch (expr.kind) {
      case ExprKind::kName:
        auxiliary_ = true;
        return {};
      case ExprKind::kWildcard:
        auxiliary_ = true;
        if (!wildcards_allowed_) return refused("unable to use wildcard in a binary expression");
        return {};
      case ExprKind::kRegex:
        auxiliary_ = true;
        if (!wildcards_allowed_) return refused("unable to use regex in a binary expression");
        return {};
      case ExprKind::kParen:
        return check(*expr.children[0]);
      case ExprKind::kCall:
        return check_call(expr);
      case ExprKind::kBinary: {
        wildcards_allowed_ = false;
        for (const ExprPtr& child : expr.children) {
          if (!is_constant(*child)) VARVE_QUERY_TRY(check(*child));
        }
        return {};
      }
      default:
        return refused("field must contain at least one variable");
    }
  }

  QueryResult<void> check_call(const Expr& call) {
    const std::string& name = call.text;
    if (const size_t wanted = math_arguments(name); wanted > 0) return check_math(call, wanted);
    ++calls_;
    if (name == "percentile") return check_percentile(call);
    if (name == "sample") return check_sample(call);
    if (name == "distinct") return check_distinct(call, false);
    if (name == "top" || name == "bottom") return check_top(call);
    if (name == "integral") return check_integral(call);
    if (name == "moving_average") return check_moving_average(call);
    if (name == "holt_winters" || name == "holt_winters_with_fit") return check_holt_winters(call);
    if (is_transformation(name)) return check_transformation(call);
    return check_function(call);
  }

  QueryResult<void> check_math(const Expr& call, size_t wanted) {
    if (call.children.size() != wanted) return arguments(call, wanted);
    for (const ExprPtr& child : call.children) {
      if (!is_constant(*child)) VARVE_QUERY_TRY(check(*child));
    }
    return {};
  }

  static tl::unexpected<QueryError> arguments(const Expr& call, size_t wanted) {
    return refused("invalid number of arguments for {}, expected {}, got {}", call.text, wanted,
                   call.children.size());
  }

  static QueryResult<void> one_or_two(const Expr& call) {
    if (call.children.size() == 1 || call.children.size() == 2) return {};
    return refused("invalid number of arguments for {}, expected at least 1 but no more than 2, got {}",
                   call.text, call.children.size());
  }

  QueryResult<void> check_symbol(const Expr& call, const Expr& argument) {
    switch (argument.kind) {
      case ExprKind::kName:
        return {};
      case ExprKind::kWildcard:
        if (!wildcards_allowed_) return refused("unsupported expression with wildcard: {}()", call.text);
        if (argument.cast == Cast::kTag) return refused("unable to use tag wildcard in {}()", call.text);
        return {};
      case ExprKind::kRegex:
        if (!wildcards_allowed_) return refused("unsupported expression with regex field: {}()", call.text);
        return {};
      default:
        return refused("expected field argument in {}()", call.text);
    }
  }

  // `max(*)` may become several selectors, which go with no other field.
  QueryResult<void> check_selected(const Expr& call) {
    VARVE_QUERY_TRY(check_symbol(call, *call.children[0]));
    if (call.children[0]->kind != ExprKind::kName) only_selectors_ = false;
    return {};
  }

  QueryResult<void> check_function(const Expr& call) {
    const bool aggregate = is_one_of(call.text, kAggregates);
    if (!aggregate && !is_one_of(call.text, kSelectors)) return refused("undefined function {}()", call.text);
    if (aggregate) only_selectors_ = false;
    if (call.children.size() != 1) return arguments(call, 1);
    const Expr& argument = *call.children[0];
    if (call.text == "count" && argument.kind == ExprKind::kCall && argument.text == "distinct") {
      return check_distinct(argument, true);
    }
    return check_selected(call);
  }

  QueryResult<void> check_percentile(const Expr& call) {
    if (call.children.size() != 2) return arguments(call, 2);
    const ExprKind kind = call.children[1]->kind;
    if (kind != ExprKind::kInteger && kind != ExprKind::kNumber) {
      return refused("expected float argument in percentile()");
    }
    return check_selected(call);
  }

  QueryResult<void> check_sample(const Expr& call) {
    if (call.children.size() != 2) return arguments(call, 2);
    if (call.children[1]->kind != ExprKind::kInteger) return refused("expected integer argument in sample()");
    const int64_t size = std::get<int64_t>(call.children[1]->value);
    if (size <= 0) return refused("sample window must be greater than 1, got {}", size);
    return check_selected(call);
  }

  QueryResult<void> check_distinct(const Expr& call, bool nested) {
    if (call.children.empty()) return refused("distinct function requires at least one argument");
    if (call.children.size() != 1) return refused("distinct function can only have one argument");
    if (!nested) has_distinct_ = true;
    only_selectors_ = false;
    if (call.children[0]->kind == ExprKind::kName) return {};
    if (call.children[0]->kind == ExprKind::kWildcard || call.children[0]->kind == ExprKind::kRegex) {
      return check_symbol(call, *call.children[0]);
    }
    return refused("expected field argument in distinct()");
  }

  QueryResult<void> check_top(const Expr& call) {
    if (!top_.empty()) return cannot_combine();
    const auto& arguments = call.children;
    if (arguments.size() < 2) {
      return refused("invalid number of arguments for {}, expected at least 2, got {}", call.text,
                     arguments.size());
    }
    const Expr& last = *arguments.back();
    if (last.kind != ExprKind::kInteger) {
      return refused("expected integer as last argument in {}(), found {}", call.text, expr_text(last));
    }
    const int64_t count = std::get<int64_t>(last.value);
    if (count <= 0) return refused("limit ({}) in {} function must be at least 1", count, call.text);
    if (select_.limit > 0 && count > select_.limit) {
      return refused(
          "limit ({}) in {} function can not be larger than the LIMIT ({}) in the select statement", count,
          call.text, select_.limit);
    }
    if (arguments[0]->kind != ExprKind::kName) {
      return refused("expected first argument to be a field in {}(), found {}", call.text,
                     expr_text(*arguments[0]));
    }
    for (size_t i = 1; i + 1 < arguments.size(); ++i) {
      if (arguments[i]->kind == ExprKind::kName) continue;
      return refused("only fields or tags are allowed in {}(), found {}", call.text,
                     expr_text(*arguments[i]));
    }
    top_ = call.text;
    return {};
  }

  QueryResult<void> check_integral(const Expr& call) {
    VARVE_QUERY_TRY(one_or_two(call));
    if (call.children.size() == 2) {
      if (call.children[1]->kind != ExprKind::kDuration) return refused("second argument must be a duration");
      VARVE_QUERY_TRY(check_duration(*call.children[1]));
    }
    only_selectors_ = false;
    return check_symbol(call, *call.children[0]);
  }

  static QueryResult<void> check_duration(const Expr& duration) {
    const int64_t ns = std::get<int64_t>(duration.value);
    if (ns > 0) return {};
    return refused("duration argument must be positive, got {}", interval_text(ns));
  }

  QueryResult<void> check_transformation(const Expr& call) {
    const bool has_unit = call.text == "elapsed" || call.text.ends_with("derivative");
    if (!has_unit && call.children.size() != 1) return arguments(call, 1);
    if (has_unit) VARVE_QUERY_TRY(one_or_two(call));
    if (call.children.size() == 2) {
      const Expr& unit = *call.children[1];
      if (unit.kind != ExprKind::kDuration) {
        return refused("second argument to {} must be a duration, got {}", call.text, go_type(unit));
      }
      VARVE_QUERY_TRY(check_duration(unit));
    }
    return check_input(call);
  }

  QueryResult<void> check_moving_average(const Expr& call) {
    if (call.children.size() != 2) return arguments(call, 2);
    const Expr& count = *call.children[1];
    if (count.kind != ExprKind::kInteger) {
      return refused("second argument for moving_average must be an integer, got {}", go_type(count));
    }
    const int64_t rows = std::get<int64_t>(count.value);
    if (rows <= 1) return refused("moving_average window must be greater than 1, got {}", rows);
    return check_input(call);
  }

  // Of points as they are, or of an aggregate per bucket.
  QueryResult<void> check_input(const Expr& call) {
    only_selectors_ = false;
    const Expr& argument = *call.children[0];
    if (argument.kind == ExprKind::kCall) {
      if (!interval_) return refused("{} aggregate requires a GROUP BY interval", call.text);
      return check_call(argument);
    }
    if (interval_ && !inherited_)
      return refused("aggregate function required inside the call to {}", call.text);
    return check_symbol(call, argument);
  }

  QueryResult<void> check_holt_winters(const Expr& call) {
    if (call.children.size() != 3) return arguments(call, 3);
    const Expr& count = *call.children[1];
    const Expr& season = *call.children[2];
    if (count.kind != ExprKind::kInteger)
      return refused("expected integer argument as second arg in {}", call.text);
    if (std::get<int64_t>(count.value) <= 0) {
      return refused("second arg to {} must be greater than 0, got {}", call.text,
                     std::get<int64_t>(count.value));
    }
    if (season.kind != ExprKind::kInteger)
      return refused("expected integer argument as third arg in {}", call.text);
    if (std::get<int64_t>(season.value) < 0) {
      return refused("third arg to {} cannot be negative, got {}", call.text,
                     std::get<int64_t>(season.value));
    }
    only_selectors_ = false;
    if (call.children[0]->kind != ExprKind::kCall)
      return refused("must use aggregate function with {}", call.text);
    if (!interval_) return refused("{} aggregate requires a GROUP BY interval", call.text);
    return check_call(*call.children[0]);
  }

  tl::unexpected<QueryError> cannot_combine() const {
    return refused("selector function {}() cannot be combined with other functions", top_);
  }

  QueryResult<void> check_together() const {
    if (calls_ > 1 && !top_.empty()) return cannot_combine();
    if (calls_ == 0) {
      if (select_.fill.kind == Fill::Kind::kNone) return refused("fill(none) must be used with a function");
      if (select_.fill.kind == Fill::Kind::kLinear)
        return refused("fill(linear) must be used with a function");
      if (interval_ && !inherited_) return refused("GROUP BY requires at least one aggregate function");
    }
    if (has_distinct_ && (calls_ != 1 || auxiliary_)) {
      return refused("aggregate function distinct() cannot be combined with other functions or fields");
    }
    if (auxiliary_ && calls_ > 0) {
      if (!only_selectors_) return refused("mixing aggregate and non-aggregate queries is not supported");
      if (calls_ > 1) {
        return refused("mixing multiple selector functions with tags or fields is not supported");
      }
    }
    return {};
  }

  const SelectStatement& select_;
  const bool interval_;
  const bool inherited_;
  bool wildcards_allowed_ = true;
  bool auxiliary_ = false;
  bool only_selectors_ = true;
  bool has_distinct_ = false;
  size_t calls_ = 0;
  std::string top_;
};

QueryResult<void> check(const SelectStatement& select, bool outer_interval) {
  if (!select.dimension_error.empty()) return refused("{}", select.dimension_error);
  const bool own = select.time_dimension && select.time_dimension->interval_ns > 0;
  VARVE_QUERY_TRY(Checker(select, own || outer_interval, !own && outer_interval).run());
  for (const Source& source : select.sources) {
    if (!source.subquery) continue;
    // Ascending is also what a sub-query says that says nothing.
    if (source.subquery->descending && !select.descending) {
      return refused("subqueries must be ordered in the same direction as the query itself");
    }
    VARVE_QUERY_TRY(check(*source.subquery, own || outer_interval));
  }
  return {};
}

}  // namespace

QueryResult<void> check_select(const SelectStatement& select) {
  return check(select, false);
}

bool is_selector(const Expr& call) {
  return is_one_of(call.text, kSelectors);
}

bool is_transformation(std::string_view name) {
  return is_one_of(name, kTransformations);
}

}  // namespace varve::influxql
