#include "api/query/conjuncts.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "api/query/operators.h"
#include "api/query/plan.h"

namespace varve {
namespace {

CompareOp flipped(CompareOp op) {
  switch (op) {
    case CompareOp::kLess:
      return CompareOp::kGreater;
    case CompareOp::kLessEqual:
      return CompareOp::kGreaterEqual;
    case CompareOp::kGreater:
      return CompareOp::kLess;
    case CompareOp::kGreaterEqual:
      return CompareOp::kLessEqual;
    default:
      return op;
  }
}

bool is_time_slot(const Scalar& expr) {
  const SlotScalar* slot = as_slot(expr);
  return slot != nullptr && slot->slot == kTimeSlot;
}

void narrow(TimeRange& range, CompareOp op, const ConstantScalar& bound) {
  if (bound.is_null()) return make_empty(range);
  const int64_t at = std::get<int64_t>(bound.value());
  const bool after = op == CompareOp::kGreater || op == CompareOp::kGreaterEqual || op == CompareOp::kEqual;
  const bool before = op == CompareOp::kLess || op == CompareOp::kLessEqual || op == CompareOp::kEqual;
  if (after) {
    if (op == CompareOp::kGreater && at == INT64_MAX) return make_empty(range);
    range.min = std::max(range.min, op == CompareOp::kGreater ? at + 1 : at);
  }
  if (before) {
    if (op == CompareOp::kLess && at == INT64_MIN) return make_empty(range);
    range.max = std::min(range.max, op == CompareOp::kLess ? at - 1 : at);
  }
}

// Whole numbers up to here are doubles, too.
constexpr int64_t kExactInDouble = int64_t{1} << 53;

bool narrow_doubles(FieldRange& range, CompareOp op, double at) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (op == CompareOp::kEqual || op == CompareOp::kGreaterEqual) range.min = std::max(range.min, at);
  if (op == CompareOp::kEqual || op == CompareOp::kLessEqual) range.max = std::min(range.max, at);
  if (op == CompareOp::kGreater) {
    range.min = std::max(range.min, std::nextafter(at, kInfinity));
    if (at == kInfinity) range.max = -kInfinity;  // none
  }
  if (op == CompareOp::kLess) {
    range.max = std::min(range.max, std::nextafter(at, -kInfinity));
    if (at == -kInfinity) range.min = kInfinity;
  }
  return op != CompareOp::kNotEqual;
}

bool narrow_ints(FieldRange& range, CompareOp op, int64_t at) {
  if (op == CompareOp::kNotEqual) return false;
  if (op == CompareOp::kGreater && at == INT64_MAX) return false;
  if (op == CompareOp::kLess && at == INT64_MIN) return false;
  if (op == CompareOp::kGreater) op = CompareOp::kGreaterEqual, ++at;
  if (op == CompareOp::kLess) op = CompareOp::kLessEqual, --at;
  if (op != CompareOp::kLessEqual) range.min_int = std::max(range.min_int, at);
  if (op != CompareOp::kGreaterEqual) range.max_int = std::min(range.max_int, at);
  return true;
}

// x OP bound, where x is a field of `type`.
bool narrow_field(FieldRange& range, SqlType type, CompareOp op, const ConstantScalar& bound) {
  if (bound.is_null()) return false;
  const Value value = bound.value();
  const int64_t* whole = std::get_if<int64_t>(&value);
  const double* real = std::get_if<double>(&value);
  if (type == SqlType::kInt64) return whole != nullptr && narrow_ints(range, op, *whole);
  if (whole != nullptr) {
    const bool exact = *whole >= -kExactInDouble && *whole <= kExactInDouble;
    return exact && narrow_doubles(range, op, static_cast<double>(*whole));
  }
  return real != nullptr && !std::isnan(*real) && narrow_doubles(range, op, *real);
}

}  // namespace

std::optional<FieldRange> field_range(const Scalar& conjunct) {
  if (conjunct.children.empty()) return std::nullopt;
  const auto range_of = [](const Scalar& field) -> std::optional<FieldRange> {
    const SlotScalar* slot = as_slot(field);
    if (slot == nullptr || slot->slot == kTimeSlot || !is_number(field.type)) return std::nullopt;
    FieldRange range;
    range.field = slot->slot;
    return range;
  };
  if (const auto* compare = dynamic_cast<const CompareScalar*>(&conjunct)) {
    for (const size_t side : {size_t{0}, size_t{1}}) {
      const Scalar& field = *compare->children[side];
      auto range = range_of(field);
      const ConstantScalar* bound = as_constant(*compare->children[1 - side]);
      if (!range || bound == nullptr) continue;
      const CompareOp op = side == 0 ? compare->op : flipped(compare->op);
      return narrow_field(*range, field.type, op, *bound) ? range : std::nullopt;
    }
  }
  if (dynamic_cast<const BetweenScalar*>(&conjunct) != nullptr) {
    const Scalar& field = *conjunct.children[0];
    auto range = range_of(field);
    const ConstantScalar* low = as_constant(*conjunct.children[1]);
    const ConstantScalar* high = as_constant(*conjunct.children[2]);
    if (range && low != nullptr && high != nullptr &&
        narrow_field(*range, field.type, CompareOp::kGreaterEqual, *low) &&
        narrow_field(*range, field.type, CompareOp::kLessEqual, *high)) {
      return range;
    }
  }
  return std::nullopt;
}

void make_empty(TimeRange& range) {
  range.min = INT64_MAX;
  range.max = INT64_MIN;
}

bool take_time_bound(const Scalar& conjunct, TimeRange& range) {
  if (const auto* compare = dynamic_cast<const CompareScalar*>(&conjunct)) {
    if (compare->op == CompareOp::kNotEqual) return false;
    const ConstantScalar* right = as_constant(*compare->children[1]);
    const ConstantScalar* left = as_constant(*compare->children[0]);
    if (is_time_slot(*compare->children[0]) && right != nullptr) {
      narrow(range, compare->op, *right);
      return true;
    }
    if (is_time_slot(*compare->children[1]) && left != nullptr) {
      narrow(range, flipped(compare->op), *left);
      return true;
    }
  }
  if (dynamic_cast<const BetweenScalar*>(&conjunct) != nullptr && is_time_slot(*conjunct.children[0])) {
    const ConstantScalar* low = as_constant(*conjunct.children[1]);
    const ConstantScalar* high = as_constant(*conjunct.children[2]);
    if (low == nullptr || high == nullptr) return false;
    narrow(range, CompareOp::kGreaterEqual, *low);
    narrow(range, CompareOp::kLessEqual, *high);
    return true;
  }
  return false;
}

ScalarPtr joined(std::vector<ScalarPtr> conjuncts) {
  if (conjuncts.empty()) return nullptr;
  if (conjuncts.size() == 1) return std::move(conjuncts.front());
  const size_t position = conjuncts.front()->position;
  return std::make_unique<LogicScalar>(true, position, std::move(conjuncts));
}

void collect_conjuncts(ScalarPtr expr, std::vector<ScalarPtr>& conjuncts) {
  auto* logic = dynamic_cast<LogicScalar*>(expr.get());
  if (logic == nullptr || !logic->is_and) return conjuncts.push_back(std::move(expr));
  for (ScalarPtr& child : logic->children) collect_conjuncts(std::move(child), conjuncts);
}

}  // namespace varve
