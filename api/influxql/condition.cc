#include "api/influxql/condition.h"

#include <fmt/format.h>

#include <algorithm>

#include "api/influxql/select_condition.h"

namespace varve::influxql {
namespace {

constexpr std::string_view kCode = "influxql";

tl::unexpected<QueryError> refused(const Expr& expr, std::string message) {
  return tl::make_unexpected(invalid_query(kCode, std::move(message), expr.position));
}

bool is_comparison(std::string_view op) {
  return op == "=" || op == "!=" || op == "<" || op == "<=" || op == ">" || op == ">=" || op == "=~" ||
         op == "!~";
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
    VARVE_QUERY_ASSIGN(const auto bounds, time_comparison(expr, now_ns, TimeZone()));
    if (bounds) {
      out.time_.min = std::max(out.time_.min, bounds->min.value_or(INT64_MIN));
      out.time_.max = std::min(out.time_.max, bounds->max.value_or(INT64_MAX));
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
