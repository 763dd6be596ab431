#include "api/influxql/select_condition.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/influxql/select_expr.h"
#include "storage/base/timestamp.h"

namespace varve::influxql {
namespace {

// What stands beside `time`, folded to one value.
struct Folded {
  enum class Kind { kTime, kDuration, kInteger, kNumber, kOther };
  Kind kind = Kind::kOther;
  int64_t ns = 0;  // kTime, kDuration, kInteger
  double number = 0;
  const Expr* other = nullptr;
};

bool is_time_name(const Expr& expr) {
  if (expr.kind != ExprKind::kName || expr.text.size() != kTimeColumn.size()) return false;
  return std::equal(expr.text.begin(), expr.text.end(), kTimeColumn.begin(),
                    [](char a, char b) { return (a | 0x20) == b; });
}

bool digits(std::string_view text, size_t from, size_t count) {
  for (size_t i = from; i < from + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return false;
  }
  return true;
}

// 2006-01-02, perhaps with more: then InfluxDB takes it for a time.
bool looks_like_time(std::string_view text) {
  return digits(text, 0, 4) && digits(text, 5, 2) && digits(text, 8, 2) && text[4] == '-' && text[7] == '-';
}

bool has_offset(std::string_view text) {
  return text.ends_with('Z') || text.find_first_of("+-", 10) != std::string_view::npos;
}

QueryResult<int64_t> time_of_text(std::string_view text, const TimeZone& zone) {
  constexpr size_t kDate = 10;     // 2006-01-02
  constexpr size_t kSeconds = 19;  // 2006-01-02 15:04:05
  const bool whole = text.size() == kDate || (text.size() >= kSeconds && digits(text, 17, 2));
  auto parsed = parse_timestamp(text);
  // RFC 3339 has a T, the other form a space.
  const bool spaced = text.size() > kDate && text[kDate] == ' ';
  if (!parsed || !whole || (text.size() > kDate && spaced == has_offset(text))) {
    return tl::make_unexpected(influxql_error("invalid timestamp string"));
  }
  return has_offset(text) || zone.is_utc() ? *parsed : zone.to_utc(*parsed);
}

Folded shifted(Folded base, int64_t by, bool minus) {
  base.ns = minus ? saturating_subtract(base.ns, by) : saturating_add(base.ns, by);
  return base;
}

class Folder {
 public:
  Folder(int64_t now_ns, const TimeZone& zone) : now_ns_(now_ns), zone_(zone) {}

  QueryResult<Folded> fold(const Expr& expr) {
    Folded out;
    switch (expr.kind) {
      case ExprKind::kParen:
        return fold(*expr.children[0]);
      case ExprKind::kInteger:
        out.kind = Folded::Kind::kInteger;
        out.ns = std::get<int64_t>(expr.value);
        return out;
      case ExprKind::kDuration:
        out.kind = Folded::Kind::kDuration;
        out.ns = std::get<int64_t>(expr.value);
        return out;
      case ExprKind::kNumber:
        out.kind = Folded::Kind::kNumber;
        out.number = std::get<double>(expr.value);
        return out;
      case ExprKind::kString: {
        if (!looks_like_time(std::get<std::string>(expr.value))) break;
        out.kind = Folded::Kind::kTime;
        VARVE_QUERY_ASSIGN(out.ns, time_of_text(std::get<std::string>(expr.value), zone_));
        return out;
      }
      case ExprKind::kCall:
        if (expr.text != "now" || !expr.children.empty()) break;
        out.kind = Folded::Kind::kTime;
        out.ns = now_ns_;
        return out;
      case ExprKind::kBinary:
        return fold_binary(expr);
      default:
        break;
    }
    out.other = &expr;
    return out;
  }

 private:
  QueryResult<Folded> fold_binary(const Expr& expr) {
    using Kind = Folded::Kind;
    VARVE_QUERY_ASSIGN(const Folded left, fold(*expr.children[0]));
    VARVE_QUERY_ASSIGN(const Folded right, fold(*expr.children[1]));
    const bool minus = expr.op == "-";
    if (minus || expr.op == "+") {
      const bool right_whole = right.kind == Kind::kDuration || right.kind == Kind::kInteger;
      if ((left.kind == Kind::kTime || left.kind == Kind::kDuration || left.kind == Kind::kInteger) &&
          right_whole) {
        Folded out = shifted(left, right.ns, minus);
        if (left.kind != Kind::kTime && left.kind != right.kind) out.kind = Kind::kTime;
        return out;
      }
      if (!minus && right.kind == Kind::kTime &&
          (left.kind == Kind::kDuration || left.kind == Kind::kInteger)) {
        return shifted(right, left.ns, false);
      }
    }
    if (left.kind == Kind::kDuration && (right.kind == Kind::kInteger || right.kind == Kind::kNumber)) {
      const double factor = right.kind == Kind::kNumber ? right.number : static_cast<double>(right.ns);
      if (expr.op == "*" || (expr.op == "/" && factor != 0))
        return scaled(left, right, factor, expr.op == "*");
    }
    if (left.kind == Kind::kInteger && right.kind == Kind::kInteger && expr.op == "*") {
      Folded out = left;
      if (!__builtin_mul_overflow(left.ns, right.ns, &out.ns)) return out;
    }
    Folded out;
    out.other = &expr;
    return out;
  }

  static Folded scaled(Folded duration, const Folded& by, double factor, bool times) {
    Folded out = duration;
    if (by.kind == Folded::Kind::kInteger) {
      if (!times && by.ns != -1) {
        out.ns = duration.ns / by.ns;
        return out;
      }
      if (times && !__builtin_mul_overflow(duration.ns, by.ns, &out.ns)) return out;
    }
    const auto ns = static_cast<double>(duration.ns);
    out.ns = clamped_int64(times ? ns * factor : ns / factor);
    return out;
  }

  const int64_t now_ns_;
  const TimeZone& zone_;
};

std::string flipped(const std::string& op) {
  if (op == "<") return ">";
  if (op == "<=") return ">=";
  if (op == ">") return "<";
  if (op == ">=") return "<=";
  return op;
}

QueryResult<TimeBounds> time_bounds(const std::string& op, const Expr& value, int64_t now_ns,
                                    const TimeZone& zone) {
  VARVE_QUERY_ASSIGN(const Folded folded, Folder(now_ns, zone).fold(value));
  if (folded.kind == Folded::Kind::kOther) {
    return tl::make_unexpected(influxql_error(
        fmt::format("invalid operation: time and {} are not compatible", go_type(*folded.other))));
  }
  const int64_t at = folded.kind == Folded::Kind::kNumber ? clamped_int64(folded.number) : folded.ns;
  TimeBounds out;
  if (op == "=") {
    out.min = out.max = at;
  } else if (op == ">") {
    out.min = saturating_add(at, 1);
  } else if (op == ">=") {
    out.min = at;
  } else if (op == "<") {
    out.max = saturating_subtract(at, 1);
  } else if (op == "<=") {
    out.max = at;
  } else {
    return tl::make_unexpected(influxql_error("invalid time comparison operator: " + op));
  }
  return out;
}

class Splitter {
 public:
  Splitter(int64_t now_ns, const TimeZone& zone) : now_ns_(now_ns), zone_(zone) {}

  QueryResult<SplitCondition> split(const Expr& expr) {
    if (expr.kind == ExprKind::kParen) {
      VARVE_QUERY_ASSIGN(SplitCondition inner, split(*expr.children[0]));
      return inner;
    }
    SplitCondition out;
    if (expr.kind == ExprKind::kBool) {
      out.rest = clone(expr);
      return out;
    }
    if (expr.kind != ExprKind::kBinary) {
      return tl::make_unexpected(influxql_error("invalid condition expression: " + expr_text(expr)));
    }
    if (expr.op == "and" || expr.op == "or") return both(expr);
    VARVE_QUERY_ASSIGN(const auto bounds, time_comparison(expr, now_ns_, zone_));
    if (bounds) {
      out.time = *bounds;
    } else {
      out.rest = clone(expr);
    }
    return out;
  }

 private:
  QueryResult<SplitCondition> both(const Expr& expr) {
    VARVE_QUERY_ASSIGN(SplitCondition left, split(*expr.children[0]));
    VARVE_QUERY_ASSIGN(SplitCondition right, split(*expr.children[1]));
    left.time.narrow(right.time);
    if (!left.rest) {
      left.rest = std::move(right.rest);
    } else if (right.rest) {
      auto joined = std::make_unique<Expr>();
      joined->kind = ExprKind::kBinary;
      joined->op = expr.op;
      joined->position = expr.position;
      joined->depth = expr.depth;
      joined->children.push_back(std::move(left.rest));
      joined->children.push_back(std::move(right.rest));
      left.rest = std::move(joined);
    }
    return left;
  }

  const int64_t now_ns_;
  const TimeZone& zone_;
};

}  // namespace

void TimeBounds::narrow(const TimeBounds& other) {
  if (other.min && (!min || *min < *other.min)) min = other.min;
  if (other.max && (!max || *max > *other.max)) max = other.max;
}

QueryResult<std::optional<TimeBounds>> time_comparison(const Expr& comparison, int64_t now_ns,
                                                       const TimeZone& zone) {
  const Expr& left = *comparison.children[0];
  const Expr& right = *comparison.children[1];
  const bool turned = !is_time_name(left);
  if (turned && !is_time_name(right)) return std::optional<TimeBounds>();
  const std::string op = turned ? flipped(comparison.op) : comparison.op;
  VARVE_QUERY_ASSIGN(const TimeBounds bounds, time_bounds(op, turned ? left : right, now_ns, zone));
  return std::optional<TimeBounds>(bounds);
}

QueryResult<SplitCondition> split_condition(const Expr* condition, int64_t now_ns, const TimeZone& zone) {
  if (condition == nullptr) return SplitCondition{};
  return Splitter(now_ns, zone).split(*condition);
}

}  // namespace varve::influxql
