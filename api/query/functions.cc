#include "api/query/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "api/query/operators.h"
#include "api/query/text_value.h"
#include "api/sql/text.h"

namespace varve {
namespace {

struct FunctionEntry {
  std::string_view name;
  size_t arguments_min;
  size_t arguments_max;
  QueryResult<ScalarPtr> (*bind)(FunctionCall& call);
};

constexpr size_t kArgumentsMax = 128;  // of concat and coalesce; guessed, SQLite has 127

tl::unexpected<QueryError> wrong_type(const FunctionCall& call, const Scalar& argument,
                                      std::string_view needed) {
  return tl::make_unexpected(
      invalid_query("type_mismatch",
                    fmt::format("{} needs {}, found a {}", call.name, needed, sql_type_name(argument.type)),
                    argument.position));
}

QueryResult<void> number_argument(FunctionCall& call, size_t index) {
  ScalarPtr& argument = call.arguments[index];
  if (argument->type == SqlType::kBool || argument->type == SqlType::kNull) {
    VARVE_QUERY_ASSIGN(argument, bind_cast(std::move(argument), SqlType::kInt64));
  }
  if (!is_number(argument->type)) return wrong_type(call, *argument, "a number");
  return {};
}

QueryResult<void> string_argument(FunctionCall& call, size_t index) {
  ScalarPtr& argument = call.arguments[index];
  if (argument->type == SqlType::kNull) {
    argument = std::make_unique<ConstantScalar>(SqlType::kString, argument->position, Value{});
  }
  if (argument->type != SqlType::kString) return wrong_type(call, *argument, "a string");
  return {};
}

// A function of doubles; what it cannot compute (the root of -1) is NULL.
template <double (*f)(double)>
QueryResult<ScalarPtr> bind_real(FunctionCall& call) {
  VARVE_QUERY_TRY(number_argument(call, 0));
  VARVE_QUERY_ASSIGN(call.arguments[0], bind_cast(std::move(call.arguments[0]), SqlType::kDouble));
  return std::make_unique<KernelScalar>(SqlType::kDouble, call.position, std::move(call.arguments),
                                        [](KernelCall& kernel) {
                                          kernel.out.doubles.resize(kernel.rows);
                                          const double* in = kernel.arguments[0].doubles;
                                          for (size_t i = 0; i < kernel.rows; ++i)
                                            kernel.out.doubles[i] = f(in[i]);
                                          propagate_nulls(kernel);
                                          nulls_for_nan(kernel.out);
                                        });
}

// Whole numbers are already rounded down and up.
template <double (*f)(double)>
QueryResult<ScalarPtr> bind_whole(FunctionCall& call) {
  VARVE_QUERY_TRY(number_argument(call, 0));
  if (call.arguments[0]->type == SqlType::kInt64) return std::move(call.arguments[0]);
  return bind_real<f>(call);
}

double square_root(double x) {
  return std::sqrt(x);
}
double exponential(double x) {
  return std::exp(x);
}
double round_down(double x) {
  return std::floor(x);
}
double round_up(double x) {
  return std::ceil(x);
}
double natural_logarithm(double x) {
  return x <= 0 ? NAN : std::log(x);
}  // NULL for 0, as in SQLite

QueryResult<ScalarPtr> bind_abs(FunctionCall& call) {
  VARVE_QUERY_TRY(number_argument(call, 0));
  const SqlType type = call.arguments[0]->type;
  return std::make_unique<KernelScalar>(
      type, call.position, std::move(call.arguments),
      [type](KernelCall& kernel) {
        const VectorView& in = kernel.arguments[0];
        propagate_nulls(kernel);
        if (type == SqlType::kDouble) {
          kernel.out.doubles.resize(kernel.rows);
          for (size_t i = 0; i < kernel.rows; ++i) kernel.out.doubles[i] = std::fabs(in.doubles[i]);
          return;
        }
        kernel.out.ints.resize(kernel.rows);
        for (size_t i = 0; i < kernel.rows; ++i) {
          const int64_t value = in.ints[i];
          if (value == INT64_MIN && in.is_valid(i)) {
            return kernel.context.fail(
                invalid_query("overflow", "the result is beyond the range of int64", kernel.position));
          }
          kernel.out.ints[i] = value < 0 ? -std::max(value, INT64_MIN + 1) : value;
        }
      },
      type == SqlType::kInt64);
}

// Half away from zero, as in SQLite; with digits, of the decimal text the value prints as.
double round_to(double value, int64_t digits) {
  constexpr double kWholeBeyond = 4503599627370496.0;  // 2^52: no fraction left
  if (!std::isfinite(value) || std::fabs(value) >= kWholeBeyond) return value;
  if (digits <= 0) return std::round(value);
  constexpr int64_t kDigitsMax = 30;
  const double scale = std::pow(10.0, static_cast<double>(std::min(digits, kDigitsMax)));
  const double scaled = value * scale;
  if (!std::isfinite(scaled) || std::fabs(scaled) >= kWholeBeyond) return value;
  // 2.675 * 100 is 267.49999999999994: a product this near to a half is meant to be one.
  constexpr double kNearHalf = 4 * 2.220446049250313e-16;  // in units of the last place, roughly
  return std::round(scaled + std::copysign(std::fabs(scaled) * kNearHalf, scaled)) / scale;
}

QueryResult<ScalarPtr> bind_round(FunctionCall& call) {
  VARVE_QUERY_TRY(number_argument(call, 0));
  VARVE_QUERY_ASSIGN(call.arguments[0], bind_cast(std::move(call.arguments[0]), SqlType::kDouble));
  if (call.arguments.size() == 1) {
    call.arguments.push_back(std::make_unique<ConstantScalar>(SqlType::kInt64, call.position, int64_t{0}));
  }
  VARVE_QUERY_TRY(number_argument(call, 1));
  VARVE_QUERY_ASSIGN(call.arguments[1], bind_cast(std::move(call.arguments[1]), SqlType::kInt64));
  return std::make_unique<KernelScalar>(
      SqlType::kDouble, call.position, std::move(call.arguments), [](KernelCall& kernel) {
        const VectorView& value = kernel.arguments[0];
        const VectorView& digits = kernel.arguments[1];
        kernel.out.doubles.resize(kernel.rows);
        for (size_t i = 0; i < kernel.rows; ++i) {
          kernel.out.doubles[i] = round_to(value.doubles[value.entry(i)], digits.ints[digits.entry(i)]);
        }
        propagate_nulls(kernel);
      });
}

QueryResult<ScalarPtr> bind_pow(FunctionCall& call) {
  for (size_t i = 0; i < 2; ++i) {
    VARVE_QUERY_TRY(number_argument(call, i));
    VARVE_QUERY_ASSIGN(call.arguments[i], bind_cast(std::move(call.arguments[i]), SqlType::kDouble));
  }
  return std::make_unique<KernelScalar>(
      SqlType::kDouble, call.position, std::move(call.arguments), [](KernelCall& kernel) {
        const VectorView& base = kernel.arguments[0];
        const VectorView& exponent = kernel.arguments[1];
        kernel.out.doubles.resize(kernel.rows);
        for (size_t i = 0; i < kernel.rows; ++i) {
          kernel.out.doubles[i] = std::pow(base.doubles[base.entry(i)], exponent.doubles[exponent.entry(i)]);
        }
        propagate_nulls(kernel);
        nulls_for_nan(kernel.out);
      });
}

QueryResult<ScalarPtr> bind_coalesce(FunctionCall& call) {
  std::vector<ScalarPtr*> operands;
  for (ScalarPtr& argument : call.arguments) operands.push_back(&argument);
  VARVE_QUERY_ASSIGN(const SqlType type, unify_types(operands, "the arguments of coalesce"));
  return std::make_unique<KernelScalar>(
      type, call.position, std::move(call.arguments), [](KernelCall& kernel) {
        for (size_t i = 0; i < kernel.rows; ++i) {
          const auto found = std::find_if(kernel.arguments.begin(), kernel.arguments.end(),
                                          [&](const VectorView& view) { return view.is_valid(i); });
          if (found == kernel.arguments.end()) {
            kernel.out.push_null();
          } else {
            append_entry(kernel.out, *found, i);
          }
        }
      });
}

template <char (*f)(char)>
QueryResult<ScalarPtr> bind_letters(FunctionCall& call) {
  VARVE_QUERY_TRY(string_argument(call, 0));
  return std::make_unique<KernelScalar>(SqlType::kString, call.position, std::move(call.arguments),
                                        [](KernelCall& kernel) {
                                          std::string text;
                                          for (size_t i = 0; i < kernel.rows; ++i) {
                                            text = kernel.arguments[0].string(i);
                                            for (char& c : text) c = f(c);
                                            if (!push_string(kernel, text)) return;
                                          }
                                          propagate_nulls(kernel);
                                        });
}

QueryResult<ScalarPtr> bind_length(FunctionCall& call) {
  VARVE_QUERY_TRY(string_argument(call, 0));
  return std::make_unique<KernelScalar>(
      SqlType::kInt64, call.position, std::move(call.arguments), [](KernelCall& kernel) {
        for (size_t i = 0; i < kernel.rows; ++i) {
          const std::string_view text = kernel.arguments[0].string(i);
          kernel.out.ints.push_back(
              std::count_if(text.begin(), text.end(), [](char c) {  // characters, not bytes
                return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
              }));
        }
        propagate_nulls(kernel);
      });
}

// Bytes of the strings among the arguments, as one row joins them.
size_t joined_bytes(const KernelCall& kernel, size_t row) {
  size_t bytes = 0;
  for (const VectorView& view : kernel.arguments) {
    if (view.type == FieldType::kString && view.is_valid(row)) bytes += view.string(row).size();
  }
  return bytes;
}

ScalarPtr make_concat(FunctionCall& call, bool null_when_any) {
  std::vector<SqlType> types;
  for (const ScalarPtr& argument : call.arguments) types.push_back(argument->type);
  return std::make_unique<KernelScalar>(
      SqlType::kString, call.position, std::move(call.arguments), [types, null_when_any](KernelCall& kernel) {
        StringColumn& out = kernel.out.strings;
        for (size_t i = 0; i < kernel.rows; ++i) {
          const bool null =
              null_when_any && std::any_of(kernel.arguments.begin(), kernel.arguments.end(),
                                           [&](const VectorView& view) { return !view.is_valid(i); });
          if (null) {
            kernel.out.push_null();
            continue;
          }
          if (!room_for_string(kernel, joined_bytes(kernel, i))) return;
          kernel.out.push_string({});  // and written in place
          for (size_t k = 0; k < types.size(); ++k) {
            if (kernel.arguments[k].is_valid(i)) append_text(out.bytes, types[k], kernel.arguments[k], i);
          }
          out.offsets.back() = static_cast<uint32_t>(out.bytes.size());
        }
      });
}

QueryResult<ScalarPtr> bind_concat(FunctionCall& call) {
  return make_concat(call, false);
}
QueryResult<ScalarPtr> bind_concat_strict(FunctionCall& call) {
  return make_concat(call, true);
}

QueryResult<ScalarPtr> bind_now(FunctionCall& call) {
  return std::make_unique<ConstantScalar>(SqlType::kTimestamp, call.position, call.now_ns);
}

constexpr FunctionEntry kFunctions[] = {
    {"abs", 1, 1, bind_abs},
    {"round", 1, 2, bind_round},
    {"floor", 1, 1, bind_whole<round_down>},
    {"ceil", 1, 1, bind_whole<round_up>},
    {"ceiling", 1, 1, bind_whole<round_up>},
    {"sqrt", 1, 1, bind_real<square_root>},
    {"ln", 1, 1, bind_real<natural_logarithm>},
    {"exp", 1, 1, bind_real<exponential>},
    {"pow", 2, 2, bind_pow},
    {"power", 2, 2, bind_pow},
    {"coalesce", 1, kArgumentsMax, bind_coalesce},
    {"lower", 1, 1, bind_letters<ascii_lower>},
    {"upper", 1, 1, bind_letters<ascii_upper>},
    {"length", 1, 1, bind_length},
    {"concat", 1, kArgumentsMax, bind_concat},
    {"||", 2, 2, bind_concat_strict},
    {"now", 0, 0, bind_now},
    {"time_bucket", 2, 4, bind_time_bucket},
    {"date_bin", 2, 4, bind_time_bucket},
    {"date_trunc", 2, 3, bind_date_trunc},
};

}  // namespace

std::vector<std::string> function_names() {
  std::vector<std::string> names{"cast"};
  for (const FunctionEntry& entry : kFunctions) {
    if (entry.name != "||") names.emplace_back(entry.name);
  }
  return names;
}

QueryResult<ScalarPtr> bind_function(FunctionCall call) {
  for (const FunctionEntry& entry : kFunctions) {
    if (entry.name != call.name) continue;
    const size_t count = call.arguments.size();
    if (count < entry.arguments_min || count > entry.arguments_max) {
      const std::string wanted = entry.arguments_min == entry.arguments_max
                                     ? fmt::format("{}", entry.arguments_min)
                                     : fmt::format("{} to {}", entry.arguments_min, entry.arguments_max);
      return tl::make_unexpected(invalid_query(
          "wrong_arguments", fmt::format("{} takes {} arguments, found {}", call.name, wanted, count),
          call.position));
    }
    return entry.bind(call);
  }
  return tl::make_unexpected(
      invalid_query("unknown_function", fmt::format("no such function: {}", call.name), call.position));
}

}  // namespace varve
