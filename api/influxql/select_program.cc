// Program of select_expr.h: operators and math functions over values.
#include <cmath>

#include "api/influxql/select_expr.h"

namespace varve::influxql {
namespace {

enum class Op {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kBitAnd,
  kBitOr,
  kBitXor,
  kEqual,
  kNotEqual,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kAnd,
  kOr,
  kMatch,
  kNoMatch
};

Op op_of(std::string_view op) {
  static constexpr std::pair<std::string_view, Op> kOps[] = {
      {"+", Op::kAdd},     {"-", Op::kSubtract},      {"*", Op::kMultiply}, {"/", Op::kDivide},
      {"%", Op::kModulo},  {"&", Op::kBitAnd},        {"|", Op::kBitOr},    {"^", Op::kBitXor},
      {"=", Op::kEqual},   {"!=", Op::kNotEqual},     {"<", Op::kLess},     {"<=", Op::kLessEqual},
      {">", Op::kGreater}, {">=", Op::kGreaterEqual}, {"and", Op::kAnd},    {"or", Op::kOr},
      {"=~", Op::kMatch},
  };
  for (const auto& [text, kind] : kOps) {
    if (text == op) return kind;
  }
  return Op::kNoMatch;
}

bool is_comparison(Op op) {
  return op >= Op::kEqual && op <= Op::kGreaterEqual;
}

// JSON has no NaN and no infinities.
Value finite(double value) {
  if (!std::isfinite(value)) return {};
  return value;
}

template <class T>
bool compare(Op op, const T& left, const T& right) {
  switch (op) {
    case Op::kEqual:
      return left == right;
    case Op::kNotEqual:
      return left != right;
    case Op::kLess:
      return left < right;
    case Op::kLessEqual:
      return left <= right;
    case Op::kGreater:
      return left > right;
    default:
      return left >= right;
  }
}

Value double_operator(Op op, double left, double right) {
  if (is_comparison(op)) return compare(op, left, right);
  switch (op) {
    case Op::kAdd:
      return finite(left + right);
    case Op::kSubtract:
      return finite(left - right);
    case Op::kMultiply:
      return finite(left * right);
    case Op::kDivide:
      return right == 0 ? Value(0.0) : finite(left / right);
    case Op::kModulo:
      return finite(std::fmod(left, right));
    default:
      return {};
  }
}

int64_t wrapped(uint64_t value) {
  return static_cast<int64_t>(value);
}

Value integer_operator(Op op, int64_t left, int64_t right, bool divide_to_double) {
  if (is_comparison(op)) return compare(op, left, right);
  const auto l = static_cast<uint64_t>(left);
  const auto r = static_cast<uint64_t>(right);
  switch (op) {
    case Op::kAdd:
      return wrapped(l + r);
    case Op::kSubtract:
      return wrapped(l - r);
    case Op::kMultiply:
      return wrapped(l * r);
    case Op::kDivide:
      if (divide_to_double) return double_operator(op, static_cast<double>(left), static_cast<double>(right));
      if (right == -1) return wrapped(0 - l);  // INT64_MIN / -1
      return right == 0 ? int64_t{0} : left / right;
    case Op::kModulo:
      return right == 0 || right == -1 ? int64_t{0} : left % right;
    case Op::kBitAnd:
      return left & right;
    case Op::kBitOr:
      return left | right;
    case Op::kBitXor:
      return left ^ right;
    default:
      return {};
  }
}

Value bool_operator(Op op, bool left, bool right) {
  switch (op) {
    case Op::kEqual:
      return left == right;
    case Op::kNotEqual:
    case Op::kBitXor:
      return left != right;
    case Op::kBitAnd:
      return left && right;
    case Op::kBitOr:
      return left || right;
    default:
      return is_comparison(op) ? Value(false) : Value();
  }
}

std::optional<double> as_double(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* number = std::get_if<int64_t>(&value)) return static_cast<double>(*number);
  return std::nullopt;
}

Value binary_operator(Op op, const Value& left, const Value& right, bool divide_to_double) {
  const auto* left_int = std::get_if<int64_t>(&left);
  const auto* right_int = std::get_if<int64_t>(&right);
  if (left_int != nullptr && right_int != nullptr) {
    return integer_operator(op, *left_int, *right_int, divide_to_double);
  }
  const auto left_number = as_double(left);
  const auto right_number = as_double(right);
  if (left_number && right_number) return double_operator(op, *left_number, *right_number);
  const auto* left_bool = std::get_if<bool>(&left);
  const auto* right_bool = std::get_if<bool>(&right);
  if (left_bool != nullptr && right_bool != nullptr) return bool_operator(op, *left_bool, *right_bool);
  const auto* left_text = std::get_if<std::string>(&left);
  const auto* right_text = std::get_if<std::string>(&right);
  if (left_text != nullptr && right_text != nullptr && (op == Op::kEqual || op == Op::kNotEqual)) {
    return (*left_text == *right_text) == (op == Op::kEqual);
  }
  return is_comparison(op) ? Value(false) : Value();
}

enum class Math {
  kAbs,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kExp,
  kLn,
  kLog2,
  kLog10,
  kSqrt,
  kFloor,
  kCeil,
  kRound,
  kAtan2,
  kLog,
  kPow
};

Math math_of(std::string_view name) {
  static constexpr std::pair<std::string_view, Math> kNames[] = {
      {"abs", Math::kAbs},     {"sin", Math::kSin},   {"cos", Math::kCos},     {"tan", Math::kTan},
      {"asin", Math::kAsin},   {"acos", Math::kAcos}, {"atan", Math::kAtan},   {"exp", Math::kExp},
      {"ln", Math::kLn},       {"log2", Math::kLog2}, {"log10", Math::kLog10}, {"sqrt", Math::kSqrt},
      {"floor", Math::kFloor}, {"ceil", Math::kCeil}, {"round", Math::kRound}, {"atan2", Math::kAtan2},
      {"log", Math::kLog},
  };
  for (const auto& [text, kind] : kNames) {
    if (text == name) return kind;
  }
  return Math::kPow;
}

double math_double(Math math, double x, double y) {
  switch (math) {
    case Math::kAbs:
      return std::fabs(x);
    case Math::kSin:
      return std::sin(x);
    case Math::kCos:
      return std::cos(x);
    case Math::kTan:
      return std::tan(x);
    case Math::kAsin:
      return std::asin(x);
    case Math::kAcos:
      return std::acos(x);
    case Math::kAtan:
      return std::atan(x);
    case Math::kExp:
      return std::exp(x);
    case Math::kLn:
      return std::log(x);
    case Math::kLog2:
      return std::log2(x);
    case Math::kLog10:
      return std::log10(x);
    case Math::kSqrt:
      return std::sqrt(x);
    case Math::kFloor:
      return std::floor(x);
    case Math::kCeil:
      return std::ceil(x);
    case Math::kRound:
      return std::round(x);
    case Math::kAtan2:
      return std::atan2(x, y);
    case Math::kLog:
      return std::log(x) / std::log(y);
    case Math::kPow:
      break;
  }
  return std::pow(x, y);
}

Value math_function(Math math, const Value& x, const Value& y, bool two) {
  if (const auto* whole = std::get_if<int64_t>(&x); whole != nullptr && !two) {
    if (math == Math::kAbs) return *whole < 0 ? wrapped(0 - static_cast<uint64_t>(*whole)) : *whole;
    if (math == Math::kFloor || math == Math::kCeil || math == Math::kRound) return *whole;
  }
  const auto first = as_double(x);
  const auto second = two ? as_double(y) : std::optional(0.0);
  if (!first || !second) return {};
  const bool both_whole = std::holds_alternative<int64_t>(x) && std::holds_alternative<int64_t>(y);
  const double result = math_double(math, *first, *second);
  constexpr double kInt64Bound = 9.2e18;
  if (math == Math::kPow && both_whole && std::fabs(result) < kInt64Bound)
    return static_cast<int64_t>(result);
  return finite(result);
}

}  // namespace

struct Program::Node {
  enum class Kind { kConstant, kSlot, kBinary, kRegex, kMath };
  Kind kind = Kind::kConstant;
  Value constant;
  size_t slot = 0;
  Op op = Op::kAdd;
  Math math = Math::kAbs;
  bool divide_to_double = true;
  std::optional<Regex> regex;
  std::vector<std::shared_ptr<Node>> children;

  Value evaluate(const SlotValue& slots) const;
};

Value Program::Node::evaluate(const SlotValue& slots) const {
  switch (kind) {
    case Kind::kConstant:
      return constant;
    case Kind::kSlot:
      return slots(slot);
    case Kind::kRegex: {
      const Value text = children[0]->evaluate(slots);
      const auto* string = std::get_if<std::string>(&text);
      if (string == nullptr) return false;
      return regex->matches(*string) == (op == Op::kMatch);
    }
    case Kind::kMath:
      return math_function(math, children[0]->evaluate(slots),
                           children.size() > 1 ? children[1]->evaluate(slots) : Value(), children.size() > 1);
    case Kind::kBinary:
      break;
  }
  if (op == Op::kAnd || op == Op::kOr) {
    const Value left = children[0]->evaluate(slots);
    const bool first = std::holds_alternative<bool>(left) && std::get<bool>(left);
    if (first == (op == Op::kOr)) return first;
    const Value right = children[1]->evaluate(slots);
    return std::holds_alternative<bool>(right) && std::get<bool>(right);
  }
  return binary_operator(op, children[0]->evaluate(slots), children[1]->evaluate(slots), divide_to_double);
}

QueryResult<std::shared_ptr<Program::Node>> Program::build(const Expr& expr, Use use, const SlotOf& slot_of) {
  auto node = std::make_shared<Node>();
  node->divide_to_double = use == Use::kField;
  switch (expr.kind) {
    case ExprKind::kParen:
      return build(*expr.children[0], use, slot_of);
    case ExprKind::kName:
      node->kind = Node::Kind::kSlot;
      node->slot = slot_of(expr);
      return node;
    case ExprKind::kCall:
      if (math_arguments(expr.text) == 0) {
        node->kind = Node::Kind::kSlot;
        node->slot = slot_of(expr);
        return node;
      }
      node->kind = Node::Kind::kMath;
      node->math = math_of(expr.text);
      break;
    case ExprKind::kBinary:
      node->kind = Node::Kind::kBinary;
      node->op = op_of(expr.op);
      if (node->op == Op::kMatch || node->op == Op::kNoMatch) {
        node->kind = Node::Kind::kRegex;
        VARVE_QUERY_ASSIGN(node->regex, Regex::compile(expr.children[1]->text));
        VARVE_QUERY_ASSIGN(auto text, build(*expr.children[0], use, slot_of));
        node->children.push_back(std::move(text));
        return node;
      }
      break;
    case ExprKind::kRegex:
    case ExprKind::kWildcard:
      return node;  // null: it stands where only a value means something
    default:
      node->constant = expr.value;
      return node;
  }
  for (const ExprPtr& child : expr.children) {
    VARVE_QUERY_ASSIGN(auto built, build(*child, use, slot_of));
    node->children.push_back(std::move(built));
  }
  return node;
}

QueryResult<Program> Program::compile(const Expr& expr, Use use, const SlotOf& slot_of) {
  VARVE_QUERY_ASSIGN(auto root, build(expr, use, slot_of));
  return Program(std::move(root));
}

Value Program::evaluate(const SlotValue& slots) const {
  return root_->evaluate(slots);
}

bool Program::is_true(const SlotValue& slots) const {
  const Value value = root_->evaluate(slots);
  return std::holds_alternative<bool>(value) && std::get<bool>(value);
}

std::optional<size_t> Program::only_slot() const {
  if (root_->kind != Node::Kind::kSlot) return std::nullopt;
  return root_->slot;
}

}  // namespace varve::influxql
