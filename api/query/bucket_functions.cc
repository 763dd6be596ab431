// time_bucket, date_bin and date_trunc: their constant arguments to a BucketRule.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "api/query/functions.h"
#include "api/query/operators.h"
#include "api/sql/text.h"

namespace varve {
namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::vector<ScalarPtr> one(ScalarPtr operand) {
  std::vector<ScalarPtr> operands;
  operands.push_back(std::move(operand));
  return operands;
}

// The text of a constant string; null when the argument is none.
std::optional<std::string> constant_text(const Scalar& argument) {
  const ConstantScalar* constant = as_constant(argument);
  if (constant == nullptr || constant->type != SqlType::kString || constant->is_null()) return std::nullopt;
  return std::get<std::string>(constant->value());
}

QueryResult<BucketRule> width_of(const FunctionCall& call) {
  const Scalar& argument = *call.arguments[0];
  if (const std::optional<std::string> text = constant_text(argument)) {
    return parse_bucket_width(*text, argument.position);
  }
  const ConstantScalar* constant = as_constant(argument);
  if (constant == nullptr || constant->type != SqlType::kInterval || constant->is_null()) {
    return tl::make_unexpected(
        invalid_query("type_mismatch", fmt::format("{} needs a constant duration such as '5m'", call.name),
                      argument.position));
  }
  return parse_bucket_width(fmt::format("{}ns", std::get<int64_t>(constant->value())), argument.position);
}

// What follows the time: a zone by name, a start of a bucket, or a duration by which buckets start later.
QueryResult<void> place_grid(const FunctionCall& call, ScalarPtr argument, BucketRule& rule) {
  const size_t position = argument->position;
  if (const std::optional<std::string> text = constant_text(*argument)) {
    if (!text->empty() && is_letter(text->front())) return set_time_zone(rule, *text, position);
    const bool date = text->size() > 4 && (*text)[4] == '-';
    VARVE_QUERY_ASSIGN(argument,
                       literal_as(std::move(argument), date ? SqlType::kTimestamp : SqlType::kInterval));
  }
  const ConstantScalar* constant = as_constant(*argument);
  const bool known = constant != nullptr && !constant->is_null();
  if (known && constant->type == SqlType::kTimestamp) {
    return set_origin(rule, std::get<int64_t>(constant->value()), position);
  }
  if (known && constant->type == SqlType::kInterval) {
    return shift_origin(rule, std::get<int64_t>(constant->value()), position);
  }
  return tl::make_unexpected(invalid_query(
      "type_mismatch",
      fmt::format("after the time, {} takes a constant time, duration or time zone", call.name), position));
}

QueryResult<ScalarPtr> bucket_of_time(FunctionCall& call, BucketRule rule) {
  VARVE_QUERY_ASSIGN(call.arguments[1], literal_as(std::move(call.arguments[1]), SqlType::kTimestamp));
  const Scalar& time = *call.arguments[1];
  if (time.type != SqlType::kTimestamp) {
    return tl::make_unexpected(invalid_query(
        "type_mismatch", fmt::format("{} needs a timestamp, found a {}", call.name, sql_type_name(time.type)),
        time.position));
  }
  for (size_t i = 2; i < call.arguments.size(); ++i) {
    VARVE_QUERY_TRY(place_grid(call, std::move(call.arguments[i]), rule));
  }
  return std::make_unique<BucketScalar>(call.position, std::move(call.arguments[1]), rule);
}

}  // namespace

BucketScalar::BucketScalar(size_t text_position, ScalarPtr time, const BucketRule& bucket_rule)
    : KernelScalar(SqlType::kTimestamp, text_position, one(std::move(time)),
                   [bucket_rule](KernelCall& call) {
                     call.out.ints.resize(call.rows);
                     const int64_t* times = call.arguments[0].ints;
                     int64_t start = 0;
                     int64_t end = INT64_MIN;  // rows in order of time stay in a bucket for a while
                     for (size_t i = 0; i < call.rows; ++i) {
                       if (times[i] < start || times[i] >= end) {
                         start = bucket_rule.start_of(times[i]);
                         end = bucket_rule.end_of(start);
                       }
                       call.out.ints[i] = start;
                     }
                     propagate_nulls(call);
                   }),
      rule(bucket_rule) {}

QueryResult<ScalarPtr> bind_time_bucket(FunctionCall& call) {
  VARVE_QUERY_ASSIGN(const BucketRule rule, width_of(call));
  return bucket_of_time(call, rule);
}

QueryResult<ScalarPtr> bind_date_trunc(FunctionCall& call) {
  constexpr std::array<std::string_view, 8> kUnits{"second", "minute", "hour",    "day",
                                                   "week",   "month",  "quarter", "year"};
  const std::optional<std::string> text = constant_text(*call.arguments[0]);
  const std::string unit = text ? ascii_lower(*text) : std::string();
  if (std::find(kUnits.begin(), kUnits.end(), unit) == kUnits.end()) {
    return tl::make_unexpected(invalid_query(
        "type_mismatch",
        "date_trunc needs 'second', 'minute', 'hour', 'day', 'week', 'month', "
        "'quarter' or 'year'",
        call.arguments[0]->position, text ? nearest_hint(unit, {kUnits.begin(), kUnits.end()}) : ""));
  }
  VARVE_QUERY_ASSIGN(const BucketRule rule, parse_bucket_width("1 " + unit, call.arguments[0]->position));
  return bucket_of_time(call, rule);
}

}  // namespace varve
