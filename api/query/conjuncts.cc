#include "api/query/conjuncts.h"

#include <algorithm>

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

}  // namespace

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
