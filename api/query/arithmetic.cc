#include <fmt/format.h>

#include <cmath>

#include "api/query/interval.h"
#include "api/query/operators.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

// Applies f to every row; constant sides are read once so that the loops vectorise.
template <class T, class Out, class F>
void map_rows(const T* a, bool a_constant, const T* b, bool b_constant, size_t rows, Out* out, F f) {
  if (a_constant && !b_constant) {
    const T x = a[0];
    for (size_t i = 0; i < rows; ++i) out[i] = f(x, b[i]);
  } else if (b_constant && !a_constant) {
    const T y = b[0];
    for (size_t i = 0; i < rows; ++i) out[i] = f(a[i], y);
  } else {
    for (size_t i = 0; i < rows; ++i) out[i] = f(a[i], b[i]);
  }
}

template <class F>
Kernel double_kernel(F f) {
  return [f](KernelCall& call) {
    const VectorView& a = call.arguments[0];
    const VectorView& b = call.arguments[1];
    call.out.doubles.resize(call.rows);
    map_rows(a.doubles, a.constant, b.doubles, b.constant, call.rows, call.out.doubles.data(), f);
    propagate_nulls(call);
    nulls_for_nan(call.out);
  };
}

// f(a, b, &out) answers true on overflow. Rows that are NULL may overflow without harm.
template <class F>
Kernel int_kernel(F f) {
  return [f](KernelCall& call) {
    const VectorView& a = call.arguments[0];
    const VectorView& b = call.arguments[1];
    call.out.ints.resize(call.rows);
    bool overflow = false;
    map_rows(a.ints, a.constant, b.ints, b.constant, call.rows, call.out.ints.data(),
             [&](int64_t x, int64_t y) {
               int64_t result = 0;
               overflow |= f(x, y, &result);
               return result;
             });
    propagate_nulls(call);
    if (!overflow) return;
    for (size_t row = 0; row < call.rows; ++row) {
      int64_t result = 0;
      if (call.out.is_valid(row) && f(a.ints[a.entry(row)], b.ints[b.entry(row)], &result)) {
        return call.context.fail(invalid_query("overflow", "the result is beyond the range of int64",
                                               call.position, "cast an operand to double"));
      }
    }
  };
}

// NULL where the divisor is 0, as in SQLite.
Kernel int_division_kernel(bool remainder) {
  return [remainder](KernelCall& call) {
    const VectorView& a = call.arguments[0];
    const VectorView& b = call.arguments[1];
    call.out.ints.resize(call.rows);
    propagate_nulls(call);
    for (size_t row = 0; row < call.rows; ++row) {
      const int64_t x = a.ints[a.entry(row)];
      const int64_t y = b.ints[b.entry(row)];
      if (y == 0) {
        mark_null(call.out, row);
      } else if (y == -1) {  // INT64_MIN / -1 traps
        if (!remainder && x == INT64_MIN && call.out.is_valid(row)) {
          return call.context.fail(
              invalid_query("overflow", "the result is beyond the range of int64", call.position));
        }
        call.out.ints[row] = remainder || x == INT64_MIN ? 0 : -x;
      } else {
        call.out.ints[row] = remainder ? x % y : x / y;
      }
    }
  };
}

// SQLite takes the remainder of the whole parts.
double double_remainder(double x, double y) {
  const int64_t divisor = int_from_double(y);
  if (divisor == 0) return NAN;
  if (divisor == -1) return 0;
  return static_cast<double>(int_from_double(x) % divisor);
}

Kernel arithmetic_kernel(char op, SqlType type, bool& can_fail) {
  if (type == SqlType::kDouble) {
    switch (op) {
      case '+':
        return double_kernel([](double x, double y) { return x + y; });
      case '-':
        return double_kernel([](double x, double y) { return x - y; });
      case '*':
        return double_kernel([](double x, double y) { return x * y; });
      case '/':
        return double_kernel([](double x, double y) { return y == 0 ? NAN : x / y; });
      default:
        return double_kernel(double_remainder);
    }
  }
  can_fail = op != '%';
  switch (op) {
    case '+':
      return int_kernel([](int64_t x, int64_t y, int64_t* out) { return __builtin_add_overflow(x, y, out); });
    case '-':
      return int_kernel([](int64_t x, int64_t y, int64_t* out) { return __builtin_sub_overflow(x, y, out); });
    case '*':
      return int_kernel([](int64_t x, int64_t y, int64_t* out) { return __builtin_mul_overflow(x, y, out); });
    case '/':
      return int_division_kernel(false);
    default:
      return int_division_kernel(true);
  }
}

tl::unexpected<QueryError> cannot_compute(std::string_view op, const Scalar& left, const Scalar& right,
                                          size_t position) {
  std::string hint;
  if (left.type == SqlType::kTimestamp && is_number(right.type))
    hint = "add a duration: INTERVAL '1 hour' or '1h'";
  if (left.type == SqlType::kString && op == "+") hint = "join strings with ||";
  return tl::make_unexpected(invalid_query(
      "type_mismatch",
      fmt::format("{} {} {} is not defined", sql_type_name(left.type), op, sql_type_name(right.type)),
      position, std::move(hint)));
}

// What timestamp and interval arithmetic gives; kNull = not defined.
SqlType time_arithmetic_type(char op, SqlType left, SqlType right) {
  using enum SqlType;
  if (op == '+' && left == kTimestamp && right == kInterval) return kTimestamp;
  if (op == '+' && left == kInterval && right == kTimestamp) return kTimestamp;
  if (op == '-' && left == kTimestamp && right == kInterval) return kTimestamp;
  if (op == '-' && left == kTimestamp && right == kTimestamp) return kInterval;
  if ((op == '+' || op == '-') && left == kInterval && right == kInterval) return kInterval;
  if (op == '*' && left == kInterval && right == kInt64) return kInterval;
  if (op == '*' && left == kInt64 && right == kInterval) return kInterval;
  if (op == '/' && left == kInterval && right == kInt64) return kInterval;
  if (op == '/' && left == kInterval && right == kInterval) return kInt64;
  return kNull;
}

bool is_time_type(SqlType type) {
  return type == SqlType::kTimestamp || type == SqlType::kInterval;
}

}  // namespace

QueryResult<ScalarPtr> literal_as(ScalarPtr operand, SqlType type) {
  const ConstantScalar* constant = as_constant(*operand);
  if (constant == nullptr || constant->type != SqlType::kString || constant->is_null()) return operand;
  const std::string text = std::get<std::string>(constant->value());
  const bool timestamp = type == SqlType::kTimestamp;
  const Result<int64_t> ns = timestamp ? parse_timestamp(text) : parse_interval(text);
  if (!ns) {
    return tl::make_unexpected(invalid_query(timestamp ? "invalid_time" : "invalid_interval",
                                             ns.error().message, operand->position));
  }
  return std::make_unique<ConstantScalar>(type, operand->position, *ns);
}

QueryResult<ScalarPtr> bind_arithmetic(std::string_view op, ScalarPtr left, ScalarPtr right,
                                       size_t position) {
  if (is_time_type(left->type)) {
    VARVE_QUERY_ASSIGN(right, literal_as(std::move(right), SqlType::kInterval));
  } else if (is_time_type(right->type)) {
    VARVE_QUERY_ASSIGN(left, literal_as(std::move(left), SqlType::kInterval));
  }
  SqlType type = SqlType::kNull;
  if (is_time_type(left->type) || is_time_type(right->type)) {
    const bool null = left->type == SqlType::kNull || right->type == SqlType::kNull;
    type = null ? SqlType::kTimestamp : time_arithmetic_type(op[0], left->type, right->type);
    if (type == SqlType::kNull) return cannot_compute(op, *left, *right, position);
    if (null) return std::make_unique<ConstantScalar>(type, position, Value{});
  } else {
    if (left->type == SqlType::kNull || right->type == SqlType::kNull) {
      const SqlType other = left->type == SqlType::kNull ? right->type : left->type;
      if (other == SqlType::kString) return cannot_compute(op, *left, *right, position);
      return std::make_unique<ConstantScalar>(other == SqlType::kNull ? SqlType::kInt64 : other, position,
                                              Value{});
    }
    if (left->type == SqlType::kString || right->type == SqlType::kString) {
      return cannot_compute(op, *left, *right, position);
    }
    const bool real = left->type == SqlType::kDouble || right->type == SqlType::kDouble;
    type = real ? SqlType::kDouble : SqlType::kInt64;
    VARVE_QUERY_ASSIGN(left, bind_cast(std::move(left), type));
    VARVE_QUERY_ASSIGN(right, bind_cast(std::move(right), type));
  }
  bool can_fail = false;
  Kernel kernel = arithmetic_kernel(op[0], type == SqlType::kDouble ? type : SqlType::kInt64, can_fail);
  std::vector<ScalarPtr> operands;
  operands.push_back(std::move(left));
  operands.push_back(std::move(right));
  return std::make_unique<KernelScalar>(type, position, std::move(operands), std::move(kernel), can_fail);
}

QueryResult<ScalarPtr> bind_negate(ScalarPtr operand, size_t position) {
  if (operand->type == SqlType::kDouble) {
    std::vector<ScalarPtr> operands;
    operands.push_back(std::move(operand));
    return std::make_unique<KernelScalar>(SqlType::kDouble, position, std::move(operands),
                                          [](KernelCall& call) {
                                            call.out.doubles.resize(call.rows);
                                            for (size_t i = 0; i < call.rows; ++i)
                                              call.out.doubles[i] = -call.arguments[0].doubles[i];
                                            propagate_nulls(call);
                                          });
  }
  const SqlType zero_type = operand->type == SqlType::kInterval ? SqlType::kInterval : SqlType::kInt64;
  return bind_arithmetic("-", std::make_unique<ConstantScalar>(zero_type, position, int64_t{0}),
                         std::move(operand), position);
}

}  // namespace varve
