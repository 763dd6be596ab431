#include "api/influxql/condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/sql/text.h"
#include "storage/base/timestamp.h"

namespace varve::influxql {
namespace {

constexpr std::string_view kCode = "influxql";

tl::unexpected<QueryError> refused(const Expr& expr, std::string message) {
  return tl::make_unexpected(invalid_query(kCode, std::move(message), expr.position));
}

bool is_time(const Expr& expr) {
  return expr.kind == ExprKind::kName && equal_ignoring_case(expr.text, "time");
}

bool is_comparison(std::string_view op) {
  return op == "=" || op == "!=" || op == "<" || op == "<=" || op == ">" || op == ">=" || op == "=~" ||
         op == "!~";
}

int64_t clamped(double value) {
  if (!(value > -9.2e18)) return INT64_MIN;
  return value >= 9.2e18 ? INT64_MAX : static_cast<int64_t>(value);
}

tl::unexpected<QueryError> not_a_time(const Expr& expr, std::string_view go_type) {
  return refused(expr, fmt::format("invalid operation: time and *influxql.{} are not compatible", go_type));
}

// The moment `expr` names: ns, a duration since 1970, a string, now(), sums and differences of these.
QueryResult<int64_t> moment(const Expr& expr, int64_t now_ns) {
  switch (expr.kind) {
    case ExprKind::kInteger:
    case ExprKind::kDuration:
      return std::get<int64_t>(expr.value);
    case ExprKind::kNumber:
      return clamped(std::get<double>(expr.value));
    case ExprKind::kString: {
      const auto parsed = parse_timestamp(std::get<std::string>(expr.value));
      if (!parsed) return not_a_time(expr, "StringLiteral");
      return *parsed;
    }
    case ExprKind::kCall:
      if (expr.text == "now" && expr.children.empty()) return now_ns;
      return not_a_time(expr, "Call");
    case ExprKind::kParen:
      return moment(*expr.children[0], now_ns);
    case ExprKind::kBinary: {
      if (expr.op != "+" && expr.op != "-") return not_a_time(expr, "BinaryExpr");
      VARVE_QUERY_ASSIGN(const int64_t left, moment(*expr.children[0], now_ns));
      VARVE_QUERY_ASSIGN(const int64_t right, moment(*expr.children[1], now_ns));
      int64_t result = 0;
      const bool over = expr.op == "+" ? __builtin_add_overflow(left, right, &result)
                                       : __builtin_sub_overflow(left, right, &result);
      if (over) return (right < 0) == (expr.op == "+") ? INT64_MIN : INT64_MAX;
      return result;
    }
    case ExprKind::kBool:
      return not_a_time(expr, "BooleanLiteral");
    case ExprKind::kRegex:
      return not_a_time(expr, "RegexLiteral");
    case ExprKind::kWildcard:
      return not_a_time(expr, "Wildcard");
    case ExprKind::kName:
      break;
  }
  return not_a_time(expr, "VarRef");
}

void narrow(TimeRange& range, std::string_view op, int64_t at) {
  if (op == "=" || op == ">=") range.min = std::max(range.min, at);
  if (op == "=" || op == "<=") range.max = std::min(range.max, at);
  if (op == ">") range.min = at == INT64_MAX ? INT64_MAX : std::max(range.min, at + 1);
  if (op == "<") range.max = at == INT64_MIN ? INT64_MIN : std::min(range.max, at - 1);
}

std::string_view turned_round(std::string_view op) {
  return op == "<" ? ">" : op == "<=" ? ">=" : op == ">" ? "<" : op == ">=" ? "<=" : op;
}

}  // namespace

struct Condition::Node {
  enum class Kind { kTest, kAnd, kOr };
  Kind kind = Kind::kTest;
  size_t test = 0;
  std::shared_ptr<const Node> left, right;

  bool holds(const std::function<bool(const TagTest&)>& outcome, const std::vector<TagTest>& tests) const {
    if (kind == Kind::kTest) return outcome(tests[test]);
    const bool first = left->holds(outcome, tests);
    if (first == (kind == Kind::kOr)) return first;
    return right->holds(outcome, tests);
  }
};

struct Condition::Parser {
  Condition& out;
  const int64_t now_ns;

  using NodePtr = std::shared_ptr<const Node>;

  // Null: nothing is asked of tags.
  QueryResult<NodePtr> node(const Expr& expr) {
    if (expr.kind == ExprKind::kParen) return node(*expr.children[0]);
    if (expr.kind == ExprKind::kBool) return test(always(std::get<bool>(expr.value)));
    if (expr.kind != ExprKind::kBinary) {
      return refused(expr, "invalid condition expression: " + (expr.text.empty() ? "a value" : expr.text));
    }
    if (expr.op == "and" || expr.op == "or") return both(expr);
    if (!is_comparison(expr.op)) return refused(expr, "invalid condition expression: " + expr.op);
    return comparison(expr);
  }

  QueryResult<NodePtr> both(const Expr& expr) {
    VARVE_QUERY_ASSIGN(NodePtr left, node(*expr.children[0]));
    VARVE_QUERY_ASSIGN(NodePtr right, node(*expr.children[1]));
    if (!left || !right) return left ? left : right;
    auto made = std::make_shared<Node>();
    made->kind = expr.op == "and" ? Node::Kind::kAnd : Node::Kind::kOr;
    made->left = std::move(left);
    made->right = std::move(right);
    return made;
  }

  QueryResult<NodePtr> comparison(const Expr& expr) {
    const Expr& left = *expr.children[0];
    const Expr& right = *expr.children[1];
    const bool turned = is_time(right);
    if (is_time(left) || turned) {
      const std::string_view op = turned ? turned_round(expr.op) : std::string_view(expr.op);
      if (op == "!=" || op == "=~" || op == "!~") {
        return refused(expr, fmt::format("invalid time comparison operator: {}", op));
      }
      VARVE_QUERY_ASSIGN(const int64_t at, moment(turned ? left : right, now_ns));
      narrow(out.time_, op, at);
      out.bounds_time_ = true;
      return NodePtr();
    }
    if (left.kind != ExprKind::kName)
      return refused(expr, fmt::format("left side of '{}' must be a tag key", expr.op));
    const bool equality = expr.op == "=" || expr.op == "!=";
    if (!equality && expr.op != "=~" && expr.op != "!~")
      return refused(expr, "invalid tag comparison operator");
    TagTest asked;
    asked.tag = left.text;
    asked.negated = expr.op.front() == '!';
    if (equality && right.kind == ExprKind::kString && left.cast != Cast::kField) {
      asked.value = std::get<std::string>(right.value);
    } else if (right.kind == ExprKind::kRegex) {
      VARVE_QUERY_ASSIGN(asked.regex, Regex::compile(right.text));
    } else {
      asked.of_tag = false;
      asked.negated = false;
    }
    return test(std::move(asked));
  }

  static TagTest always(bool value) {
    TagTest made;
    made.of_tag = false;
    made.negated = !value;
    return made;
  }

  NodePtr test(TagTest made) {
    auto leaf = std::make_shared<Node>();
    leaf->test = out.tests_.size();
    out.tests_.push_back(std::move(made));
    return leaf;
  }
};

QueryResult<Condition> Condition::parse(const Expr* expr, int64_t now_ns) {
  Condition condition;
  if (expr == nullptr) return condition;
  Parser parser{condition, now_ns};
  VARVE_QUERY_ASSIGN(condition.root_, parser.node(*expr));
  return condition;
}

bool Condition::holds(const std::function<bool(const TagTest&)>& test) const {
  return root_ == nullptr || root_->holds(test, tests_);
}

bool Condition::holds(const SeriesTags& tags) const {
  return holds([&](const TagTest& test) {
    const bool matches = !test.of_tag || test.matches(tags.value(test.tag));
    return matches != test.negated;
  });
}

}  // namespace varve::influxql
