#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "api/query/operators.h"
#include "api/query/text_value.h"
#include "api/sql/text.h"
#include "storage/base/timestamp.h"

namespace varve {
namespace {

std::vector<ScalarPtr> one(ScalarPtr operand) {
  std::vector<ScalarPtr> operands;
  operands.push_back(std::move(operand));
  return operands;
}

template <class From, class To, class F>
Kernel map_kernel(std::vector<To> ColumnVector::*values, F f) {
  return [values, f](KernelCall& call) {
    std::vector<To>& out = call.out.*values;
    out.resize(call.rows);
    const From* in = call.arguments[0].values<From>();
    for (size_t i = 0; i < call.rows; ++i) out[i] = f(in[i]);
    propagate_nulls(call);
  };
}

std::string_view trimmed_number(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || (text.front() >= '\t' && text.front() <= '\r'))) {
    text.remove_prefix(1);
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  return text;
}

// The longest prefix that is a number, else 0, as CAST in SQLite.
double double_from_text(std::string_view text) {
  text = trimmed_number(text);
  const bool digits =
      !text.empty() && ((text[0] >= '0' && text[0] <= '9') || text[0] == '-' || text[0] == '.');
  if (!digits) return 0;  // from_chars would take "inf" and "nan"
  double value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed == std::errc::result_out_of_range) return text[0] == '-' ? -INFINITY : INFINITY;
  return failed == std::errc() && std::isfinite(value) ? value : 0;
}

int64_t int_from_text(std::string_view text) {
  text = trimmed_number(text);
  int64_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed == std::errc::result_out_of_range) return text[0] == '-' ? INT64_MIN : INT64_MAX;
  return value;
}

void text_kernel(SqlType from, KernelCall& call) {
  std::string text;
  for (size_t i = 0; i < call.rows; ++i) {
    if (!call.arguments[0].is_valid(i)) {
      call.out.push_null();
      continue;
    }
    text.clear();
    append_text(text, from, call.arguments[0], i);
    if (!push_string(call, text)) return;
  }
}

Kernel number_from_text_kernel(SqlType to) {
  return [to](KernelCall& call) {
    const VectorView& in = call.arguments[0];
    for (size_t i = 0; i < call.rows; ++i) {
      if (to == SqlType::kDouble) {
        call.out.doubles.push_back(double_from_text(in.string(i)));
      } else if (to == SqlType::kBool) {
        const std::string_view text = in.string(i);
        call.out.bools.push_back(equal_ignoring_case(text, "true") || double_from_text(text) != 0 ? 1 : 0);
      } else {
        call.out.ints.push_back(int_from_text(in.string(i)));
      }
    }
    propagate_nulls(call);
  };
}

void timestamp_from_text_kernel(KernelCall& call) {
  const VectorView& in = call.arguments[0];
  for (size_t i = 0; i < call.rows; ++i) {
    const Result<int64_t> ns = in.is_valid(i) ? parse_timestamp(in.string(i)) : Result<int64_t>(int64_t{0});
    if (!ns) return call.context.fail(invalid_query("invalid_time", ns.error().message, call.position));
    call.out.ints.push_back(*ns);
  }
  propagate_nulls(call);
}

// The kernel that turns one type into the other; empty = not defined.
Kernel cast_kernel(SqlType from, SqlType to) {
  using enum SqlType;
  const bool from_int = physical_type(from) == FieldType::kInt64;
  const bool to_int = physical_type(to) == FieldType::kInt64;
  if (from_int && to_int) return map_kernel<int64_t>(&ColumnVector::ints, [](int64_t v) { return v; });
  if (from == kInt64 && to == kDouble) {
    return map_kernel<int64_t>(&ColumnVector::doubles, [](int64_t v) { return static_cast<double>(v); });
  }
  if (from == kInt64 && to == kBool) {
    return map_kernel<int64_t>(&ColumnVector::bools, [](int64_t v) { return static_cast<uint8_t>(v != 0); });
  }
  if (from == kDouble && to == kBool) {
    return map_kernel<double>(&ColumnVector::bools, [](double v) { return static_cast<uint8_t>(v != 0); });
  }
  if (from == kDouble && to == kInt64) return map_kernel<double>(&ColumnVector::ints, int_from_double);
  if (from == kBool && to == kInt64) {
    return map_kernel<uint8_t>(&ColumnVector::ints, [](uint8_t v) { return int64_t{v}; });
  }
  if (from == kBool && to == kDouble) {
    return map_kernel<uint8_t>(&ColumnVector::doubles, [](uint8_t v) { return static_cast<double>(v); });
  }
  if (to == kString) return [from](KernelCall& call) { text_kernel(from, call); };
  if (from == kString && to == kTimestamp) return timestamp_from_text_kernel;
  if (from == kString && (to == kInt64 || to == kDouble || to == kBool)) return number_from_text_kernel(to);
  return nullptr;
}

}  // namespace

int64_t int_from_double(double value) {
  if (value >= 0x1p63) return INT64_MAX;
  if (value < -0x1p63) return INT64_MIN;
  return std::isnan(value) ? 0 : static_cast<int64_t>(value);
}

QueryResult<SqlType> cast_type(std::string_view name, size_t position) {
  struct Named {
    std::string_view name;
    SqlType type;
  };
  constexpr Named kTypes[] = {
      {"int64", SqlType::kInt64},        {"int", SqlType::kInt64},     {"integer", SqlType::kInt64},
      {"bigint", SqlType::kInt64},       {"double", SqlType::kDouble}, {"real", SqlType::kDouble},
      {"float", SqlType::kDouble},       {"string", SqlType::kString}, {"text", SqlType::kString},
      {"varchar", SqlType::kString},     {"bool", SqlType::kBool},     {"boolean", SqlType::kBool},
      {"timestamp", SqlType::kTimestamp}};
  std::vector<std::string> names;
  for (const Named& known : kTypes) {
    if (equal_ignoring_case(known.name, name)) return known.type;
    names.emplace_back(known.name);
  }
  std::string hint = nearest_hint(name, names);
  if (hint.empty()) hint = "types are int64, double, string, bool and timestamp";
  return tl::make_unexpected(
      invalid_query("unknown_type", fmt::format("no such type: {}", name), position, std::move(hint)));
}

QueryResult<ScalarPtr> bind_cast(ScalarPtr operand, SqlType to) {
  const size_t position = operand->position;
  if (operand->type == to) return operand;
  if (operand->type == SqlType::kNull)
    return std::make_unique<ConstantScalar>(to, operand->position, Value{});
  Kernel kernel = cast_kernel(operand->type, to);
  if (!kernel) {
    return tl::make_unexpected(invalid_query(
        "type_mismatch", fmt::format("cannot cast {} to {}", sql_type_name(operand->type), sql_type_name(to)),
        position));
  }
  const bool can_fail = operand->type == SqlType::kString && to == SqlType::kTimestamp;
  return std::make_unique<KernelScalar>(to, position, one(std::move(operand)), std::move(kernel), can_fail);
}

QueryResult<SqlType> unify_types(std::vector<ScalarPtr*> operands, std::string_view what) {
  SqlType type = SqlType::kNull;
  for (const ScalarPtr* operand : operands) {
    const SqlType other = (*operand)->type;
    const bool literal = other == SqlType::kString && as_constant(**operand) != nullptr;
    if (other == SqlType::kNull || other == type) continue;
    if (type == SqlType::kNull) {
      type = other;
    } else if (is_number(type) && is_number(other)) {
      type = SqlType::kDouble;
    } else if ((other == SqlType::kTimestamp || other == SqlType::kInterval) && type == SqlType::kString) {
      type = other;  // earlier literals are read as times below; anything else fails there
    } else if (!(literal && (type == SqlType::kTimestamp || type == SqlType::kInterval))) {
      return tl::make_unexpected(invalid_query(
          "type_mismatch", fmt::format("{} are {} and {}", what, sql_type_name(type), sql_type_name(other)),
          (*operand)->position));
    }
  }
  for (ScalarPtr* operand : operands) {
    if (type == SqlType::kTimestamp || type == SqlType::kInterval) {
      VARVE_QUERY_ASSIGN(*operand, literal_as(std::move(*operand), type));
    }
    if ((*operand)->type == type) continue;
    const bool implicit =
        (*operand)->type == SqlType::kNull || (is_number((*operand)->type) && is_number(type));
    if (!implicit) {
      return tl::make_unexpected(invalid_query(
          "type_mismatch",
          fmt::format("{} are {} and {}", what, sql_type_name((*operand)->type), sql_type_name(type)),
          (*operand)->position));
    }
    VARVE_QUERY_ASSIGN(*operand, bind_cast(std::move(*operand), type));
  }
  return type;
}

}  // namespace varve
