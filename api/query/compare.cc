#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "api/query/kernels.h"
#include "api/query/operators.h"

namespace varve {
namespace {

constexpr int64_t kExactInDouble = int64_t{1} << 53;

template <CompareOp op, class T>
bool holds(const T& a, const T& b) {
  if constexpr (op == CompareOp::kEqual) return a == b;
  if constexpr (op == CompareOp::kNotEqual) return a != b;
  if constexpr (op == CompareOp::kLess) return a < b;
  if constexpr (op == CompareOp::kLessEqual) return a <= b;
  if constexpr (op == CompareOp::kGreater) return a > b;
  if constexpr (op == CompareOp::kGreaterEqual) return a >= b;
}

// The commonest filters, a field of doubles against a number, have loops of their own; false: not such a one.
template <CompareOp op>
bool compare_with_number(const double* values, double right, size_t rows, uint8_t* out) {
  if constexpr (op == CompareOp::kLess) return mask_less(values, rows, right, out), true;
  if constexpr (op == CompareOp::kLessEqual) return mask_less_equal(values, rows, right, out), true;
  if constexpr (op == CompareOp::kGreater) return mask_greater(values, rows, right, out), true;
  if constexpr (op == CompareOp::kGreaterEqual) return mask_greater_equal(values, rows, right, out), true;
  return false;
}

template <CompareOp op, class T>
void compare_values(const VectorView& a, const VectorView& b, size_t rows, uint8_t* out) {
  const T* x = a.values<T>();
  const T* y = b.values<T>();
  if (a.constant && b.constant) {  // beside a third operand that is not
    std::fill_n(out, rows, holds<op>(x[0], y[0]) ? 1 : 0);
  } else if (b.constant) {
    const T right = y[0];
    if constexpr (std::is_same_v<T, double>) {
      if (compare_with_number<op>(x, right, rows, out)) return;
    }
    for (size_t i = 0; i < rows; ++i) out[i] = holds<op>(x[i], right) ? 1 : 0;
  } else if (a.constant) {
    const T left = x[0];
    for (size_t i = 0; i < rows; ++i) out[i] = holds<op>(left, y[i]) ? 1 : 0;
  } else {
    for (size_t i = 0; i < rows; ++i) out[i] = holds<op>(x[i], y[i]) ? 1 : 0;
  }
}

template <CompareOp op>
void compare_typed(const VectorView& a, const VectorView& b, size_t rows, uint8_t* out) {
  if (a.type == FieldType::kDouble && b.type == FieldType::kInt64 && b.constant && !a.constant &&
      b.ints[0] >= -kExactInDouble && b.ints[0] <= kExactInDouble) {
    if (compare_with_number<op>(a.doubles, static_cast<double>(b.ints[0]), rows, out)) return;
  }
  if (a.type != b.type) {
    const bool int_first = a.type == FieldType::kInt64;
    for (size_t i = 0; i < rows; ++i) {
      const int order = int_first ? compare_exact(a.ints[a.entry(i)], b.doubles[b.entry(i)])
                                  : -compare_exact(b.ints[b.entry(i)], a.doubles[a.entry(i)]);
      out[i] = holds<op>(order, 0) ? 1 : 0;
    }
    return;
  }
  switch (a.type) {
    case FieldType::kDouble:
      return compare_values<op, double>(a, b, rows, out);
    case FieldType::kInt64:
      return compare_values<op, int64_t>(a, b, rows, out);
    case FieldType::kBool:
      return compare_values<op, uint8_t>(a, b, rows, out);
    case FieldType::kString:
      for (size_t i = 0; i < rows; ++i) out[i] = holds<op>(a.string(i), b.string(i)) ? 1 : 0;
  }
}

void compare_views(CompareOp op, const VectorView& a, const VectorView& b, size_t rows, uint8_t* out) {
  switch (op) {
    case CompareOp::kEqual:
      return compare_typed<CompareOp::kEqual>(a, b, rows, out);
    case CompareOp::kNotEqual:
      return compare_typed<CompareOp::kNotEqual>(a, b, rows, out);
    case CompareOp::kLess:
      return compare_typed<CompareOp::kLess>(a, b, rows, out);
    case CompareOp::kLessEqual:
      return compare_typed<CompareOp::kLessEqual>(a, b, rows, out);
    case CompareOp::kGreater:
      return compare_typed<CompareOp::kGreater>(a, b, rows, out);
    case CompareOp::kGreaterEqual:
      return compare_typed<CompareOp::kGreaterEqual>(a, b, rows, out);
  }
}

Kernel compare_kernel(CompareOp op) {
  return [op](KernelCall& call) {
    call.out.bools.resize(call.rows);
    compare_views(op, call.arguments[0], call.arguments[1], call.rows, call.out.bools.data());
    propagate_nulls(call);
  };
}

// x BETWEEN low AND high is (x >= low) AND (x <= high) with three-valued AND: false when one side is false and the
// other NULL.
void between_kernel(KernelCall& call) {
  const VectorView& x = call.arguments[0];
  const VectorView& low = call.arguments[1];
  const VectorView& high = call.arguments[2];
  std::vector<uint8_t> below_high(call.rows);
  call.out.bools.resize(call.rows);
  compare_views(CompareOp::kGreaterEqual, x, low, call.rows, call.out.bools.data());
  compare_views(CompareOp::kLessEqual, x, high, call.rows, below_high.data());
  const bool all_valid = x.valid == nullptr && low.valid == nullptr && high.valid == nullptr;
  for (size_t i = 0; i < call.rows; ++i) {
    const bool first = call.out.bools[i] != 0;
    const bool second = below_high[i] != 0;
    call.out.bools[i] = first && second ? 1 : 0;
    if (all_valid) continue;
    const bool first_known = x.is_valid(i) && low.is_valid(i);
    const bool second_known = x.is_valid(i) && high.is_valid(i);
    const bool is_false = (first_known && !first) || (second_known && !second);
    if (is_false) {
      call.out.bools[i] = 0;
    } else if (!first_known || !second_known) {
      mark_null(call.out, i);
    }
  }
}

tl::unexpected<QueryError> cannot_compare(const Scalar& left, const Scalar& right) {
  std::string hint;
  const bool time = left.type == SqlType::kTimestamp || right.type == SqlType::kTimestamp;
  if (time && (is_number(left.type) || is_number(right.type))) {
    hint = "write times as '2025-01-01T00:00:00Z', or cast(ns as timestamp)";
  } else if (is_number(left.type) && right.type == SqlType::kString && as_constant(right) != nullptr) {
    hint = "numbers are written without quotes";
  }
  return tl::make_unexpected(invalid_query(
      "type_mismatch",
      fmt::format("cannot compare {} with {}", sql_type_name(left.type), sql_type_name(right.type)),
      right.position, std::move(hint)));
}

// Makes two operands comparable; numbers of both types stay as they are (they compare exactly).
QueryResult<void> prepare_comparison(ScalarPtr& left, ScalarPtr& right) {
  for (const SqlType time_type : {SqlType::kTimestamp, SqlType::kInterval}) {
    if (left->type == time_type) {
      VARVE_QUERY_ASSIGN(right, literal_as(std::move(right), time_type));
    }
    if (right->type == time_type) {
      VARVE_QUERY_ASSIGN(left, literal_as(std::move(left), time_type));
    }
  }
  if (left->type == SqlType::kNull)
    left = std::make_unique<ConstantScalar>(right->type, left->position, Value{});
  if (right->type == SqlType::kNull)
    right = std::make_unique<ConstantScalar>(left->type, right->position, Value{});
  if (left->type == SqlType::kBool && is_number(right->type)) {
    VARVE_QUERY_ASSIGN(left, bind_cast(std::move(left), SqlType::kInt64));
  }
  if (right->type == SqlType::kBool && is_number(left->type)) {
    VARVE_QUERY_ASSIGN(right, bind_cast(std::move(right), SqlType::kInt64));
  }
  if (left->type == right->type || (is_number(left->type) && is_number(right->type))) return {};
  return cannot_compare(*left, *right);
}

std::vector<ScalarPtr> list(ScalarPtr a, ScalarPtr b) {
  std::vector<ScalarPtr> operands;
  operands.push_back(std::move(a));
  operands.push_back(std::move(b));
  return operands;
}

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

// The constants of an IN list, by type; a double that is a whole number also counts as int64.
struct InSet {
  std::unordered_set<std::string, StringHash, std::equal_to<>> strings;
  std::unordered_set<int64_t> ints;
  std::unordered_set<double> doubles;
  bool has_null = false;

  void add(const Value& value) {
    if (const auto* text = std::get_if<std::string>(&value)) {
      strings.insert(*text);
    } else if (const auto* flag = std::get_if<bool>(&value)) {
      ints.insert(*flag ? 1 : 0);
    } else if (const auto* whole = std::get_if<int64_t>(&value)) {
      ints.insert(*whole);
      const auto real = static_cast<double>(*whole);
      if (compare_exact(*whole, real) == 0) doubles.insert(real);
    } else if (const auto* real = std::get_if<double>(&value)) {
      doubles.insert(*real);
      const bool fits = *real >= -0x1p63 && *real < 0x1p63;
      if (fits && static_cast<double>(static_cast<int64_t>(*real)) == *real)
        ints.insert(static_cast<int64_t>(*real));
    } else {
      has_null = true;
    }
  }
  bool contains(const VectorView& view, size_t row) const {
    switch (view.type) {
      case FieldType::kDouble:
        return doubles.contains(view.doubles[view.entry(row)]);
      case FieldType::kInt64:
        return ints.contains(view.ints[view.entry(row)]);
      case FieldType::kBool:
        return ints.contains(view.bools[view.entry(row)]);
      case FieldType::kString:
        return strings.find(view.string(row)) != strings.end();
    }
    return false;
  }
};

}  // namespace

int compare_exact(int64_t a, double b) {
  if (a >= -kExactInDouble && a <= kExactInDouble) {
    const auto real = static_cast<double>(a);
    return real < b ? -1 : (real > b ? 1 : 0);
  }
  if (std::isnan(b)) return 0;  // of a row that is NULL: any answer will do
  if (b >= 0x1p63) return -1;
  if (b < -0x1p63) return 1;
  const double whole = std::trunc(b);
  const auto other = static_cast<int64_t>(whole);
  if (a != other) return a < other ? -1 : 1;
  return b > whole ? -1 : (b < whole ? 1 : 0);
}

CompareScalar::CompareScalar(CompareOp compare_op, size_t text_position, std::vector<ScalarPtr> operands)
    : KernelScalar(SqlType::kBool, text_position, std::move(operands), compare_kernel(compare_op)),
      op(compare_op) {}

BetweenScalar::BetweenScalar(size_t text_position, std::vector<ScalarPtr> operands)
    : KernelScalar(SqlType::kBool, text_position, std::move(operands), between_kernel) {}

QueryResult<ScalarPtr> bind_compare(CompareOp op, ScalarPtr left, ScalarPtr right, size_t position) {
  VARVE_QUERY_TRY(prepare_comparison(left, right));
  return std::make_unique<CompareScalar>(op, position, list(std::move(left), std::move(right)));
}

QueryResult<ScalarPtr> bind_between(std::vector<ScalarPtr> operands, size_t position) {
  // The operand may change type (a bool beside numbers) with either bound, so both are prepared before both are done.
  for (int pass = 0; pass < 2; ++pass) {
    VARVE_QUERY_TRY(prepare_comparison(operands[0], operands[1]));
    VARVE_QUERY_TRY(prepare_comparison(operands[0], operands[2]));
  }
  return std::make_unique<BetweenScalar>(position, std::move(operands));
}

QueryResult<ScalarPtr> bind_is_same(ScalarPtr left, ScalarPtr right, bool negated, size_t position) {
  VARVE_QUERY_TRY(prepare_comparison(left, right));
  return std::make_unique<KernelScalar>(
      SqlType::kBool, position, list(std::move(left), std::move(right)), [negated](KernelCall& call) {
        const VectorView& a = call.arguments[0];
        const VectorView& b = call.arguments[1];
        call.out.bools.resize(call.rows);
        compare_views(CompareOp::kEqual, a, b, call.rows, call.out.bools.data());
        for (size_t i = 0; i < call.rows; ++i) {
          const bool both = a.is_valid(i) && b.is_valid(i);
          const bool same = both ? call.out.bools[i] != 0 : a.is_valid(i) == b.is_valid(i);
          call.out.bools[i] = same != negated ? 1 : 0;
        }
      });
}

QueryResult<ScalarPtr> bind_in(std::vector<ScalarPtr> operands, size_t position) {
  ScalarPtr needle = std::move(operands.front());
  operands.erase(operands.begin());
  auto set = std::make_shared<InSet>();
  std::vector<ScalarPtr> computed;  // items that are not constant become x = item OR ...
  for (ScalarPtr& item : operands) {
    VARVE_QUERY_TRY(prepare_comparison(needle, item));
    const ConstantScalar* constant = as_constant(*item);
    if (constant == nullptr) {
      computed.push_back(std::move(item));
    } else {
      set->add(constant->value());
    }
  }
  if (!computed.empty()) {
    return tl::make_unexpected(invalid_query("unsupported",
                                             "the list of IN must be constants in this version",
                                             computed.front()->position, "write x = a OR x = b"));
  }
  std::vector<ScalarPtr> arguments;
  arguments.push_back(std::move(needle));
  const bool empty = operands.empty();
  return std::make_unique<KernelScalar>(
      SqlType::kBool, position, std::move(arguments), [set, empty](KernelCall& call) {
        const VectorView& x = call.arguments[0];
        call.out.bools.resize(call.rows);
        for (size_t i = 0; i < call.rows && !empty; ++i) {  // x IN () is false, even for NULL
          const bool found = x.is_valid(i) && set->contains(x, i);
          call.out.bools[i] = found ? 1 : 0;
          if (!found && (set->has_null || !x.is_valid(i))) mark_null(call.out, i);
        }
      });
}

}  // namespace varve
